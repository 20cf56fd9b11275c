"""Which frames of a take to show."""

import numpy as np

from ..protocol.take import Take


def telling_frames(take: Take, count: int) -> np.ndarray:
    """Frames that differ most from each other in expression and head pose, in time's order; at most `count`.

    Starts with the calmest face and goes on with what is farthest from all chosen ones. Frames without a face are left
    out unless there are no others.
    """
    candidates = np.flatnonzero(take.valid) if take.valid.any() else np.arange(len(take.pts))
    # Quaternions of two frames differ by half the angle between them: 2 makes it radians, and a turn of half a radian
    # counts as much as an expression at full weight.
    aligned = take.head_rotation * np.where(take.head_rotation @ take.head_rotation[candidates[0]] < 0, -1, 1)[:, None]
    features = np.concatenate([take.weights, 4 * aligned], 1)[candidates]
    chosen = [int(np.argmin(take.weights[candidates].sum(1)))]
    while len(chosen) < min(count, len(candidates)):
        distance = np.linalg.norm(features[:, None] - features[chosen], axis=-1).min(1)
        chosen.append(int(distance.argmax()))
    return candidates[np.sort(chosen)]
