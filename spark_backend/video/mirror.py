"""The other side of the face: which landmark and which score change places when a picture is mirrored."""

import numpy as np
from jaxtyping import Float, Int

from ..protocol.names import ARKIT_52, mirrored
from .face import Face

MIDLINE = (
    *(0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19),
    *(94, 151, 152, 164, 168, 175, 195, 197, 199, 200),
)
FIRST_LEFT, FIRST_IRIS = 248, 468
IRIS = ((468, 473), (469, 476), (470, 475), (471, 474), (472, 477))


def mirrored_landmarks() -> Int[np.ndarray, "478"]:
    """Index of each MediaPipe landmark's partner on the other side; a point of the midline is its own.

    The points of the subject's right side carry the numbers below 248 and their partners follow in the same order.
    """
    partner = np.arange(478)
    right = np.setdiff1d(np.arange(FIRST_LEFT), MIDLINE)
    pairs = [*zip(right, range(FIRST_LEFT, FIRST_IRIS), strict=True), *IRIS]
    for a, b in pairs:
        partner[a], partner[b] = b, a
    return partner


LANDMARK_PARTNER = mirrored_landmarks()
SCORE_PARTNER = np.array([ARKIT_52.index(mirrored(name)) for name in ARKIT_52])


def mirror_face(face: Face, width: float) -> Face:
    """The face as seen in the mirror image of a picture `width` pixels wide."""
    landmarks = face.landmarks[LANDMARK_PARTNER]
    landmarks[:, 0] = width - landmarks[:, 0]
    return Face(landmarks, face.scores[SCORE_PARTNER])


def disagreement(one: Face, other: Face) -> float:
    """Mean distance of two sightings' landmarks in the picture, as part of the face's larger side."""
    distance = np.linalg.norm(one.landmarks[:, :2] - other.landmarks[:, :2], axis=1)
    size = np.ptp(one.landmarks[:, :2], axis=0).max()
    return float(distance.mean() / max(size, 1e-6))


def average(one: Face, other: Face) -> Face:
    """Halfway between two sightings of the same face."""
    landmarks: Float[np.ndarray, "478 3"] = (one.landmarks + other.landmarks) / 2
    return Face(landmarks, (one.scores + other.scores) / 2)
