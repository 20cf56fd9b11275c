"""Which frames the person is solved from: few, but of every pose and expression that the clips show."""

import numpy as np

from ..encoders.alignment import STEADY


def choose_keyframes(landmarks: np.ndarray, confidence: np.ndarray, count: int) -> np.ndarray:
    """(K,) sorted rows of (T, 478, 2 or 3) landmarks, farthest apart in normalised shape (k-centre, Gonzalez 1985).

    The first is the one nearest to the mean shape. Frames of low confidence are not taken.
    """
    usable = np.flatnonzero(confidence >= 0.5 * np.median(confidence))
    steady = landmarks[usable][:, list(STEADY), :2]
    centre = steady.mean(1, keepdims=True)
    size = np.sqrt(((steady - centre) ** 2).sum(-1).mean(1))[:, None, None]
    shape = ((landmarks[usable][..., :2] - centre) / size).reshape(len(usable), -1)
    chosen = [int(np.linalg.norm(shape - shape.mean(0), axis=1).argmin())]
    distance = np.linalg.norm(shape - shape[chosen[0]], axis=1)
    while len(chosen) < min(count, len(usable)):
        farthest = int(distance.argmax())
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(shape - shape[farthest], axis=1))
    return np.sort(usable[chosen])
