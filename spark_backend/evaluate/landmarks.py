"""Sets of MediaPipe's 478 landmarks, and the distances that are measured on them."""

import numpy as np
from jaxtyping import Num

MEDIAPIPE_105 = (
    *(276, 282, 283, 285, 293, 295, 296, 300, 334, 336, 46, 52, 53, 55, 63, 65, 66, 70, 105, 107),  # brows
    *(249, 263, 362, 373, 374, 380, 381, 382, 384, 385, 386, 387, 388, 390, 398, 466),  # left eye
    *(7, 33, 133, 144, 145, 153, 154, 155, 157, 158, 159, 160, 161, 163, 173, 246),  # right eye
    *(168, 6, 197, 195, 5, 4, 129, 98, 97, 2, 326, 327, 358),  # nose
    *(0, 13, 14, 17, 37, 39, 40, 61, 78, 80, 81, 82, 84, 87, 88, 91, 95, 146, 178, 181),  # mouth
    *(185, 191, 267, 269, 270, 291, 308, 310, 311, 312, 314, 317, 318, 321, 324, 375, 402, 405, 409, 415),
)
"""The landmarks that FLAME's MediaPipe embedding has and that EMOCA, SMIRK and SPARK measure."""

FAN_68 = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw line
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # brows
    *(168, 197, 5, 4, 75, 97, 2, 326, 305),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
)
"""The MediaPipe landmarks nearest to the 68 of iBUG and FAN, in their order."""

LEFT_IRIS, RIGHT_IRIS = 473, 468
"""The pupils, left and right of the subject."""
LIPS = ((13, 14),)
"""Upper and lower landmark of the gap between the lips."""
LIDS = ((386, 374), (159, 145))
"""The same between the lids of the left and of the right eye."""


def ndc_l1(
    found: Num[np.ndarray, "478 2"], truth: Num[np.ndarray, "478 2"], side: float, chosen: tuple[int, ...]
) -> float:
    """Mean |dx| + |dy| of the chosen landmarks, in units in which a crop of `side` pixels spans -1 to 1."""
    rows = list(chosen)
    return float(2 / side * np.abs(found[rows] - truth[rows]).sum(-1).mean())


def interocular(landmarks: Num[np.ndarray, "478 2"]) -> float:
    """Pixels between the pupils."""
    return float(np.linalg.norm(landmarks[LEFT_IRIS] - landmarks[RIGHT_IRIS]))


def aperture_error(
    found: Num[np.ndarray, "478 2"], truth: Num[np.ndarray, "478 2"], pairs: tuple[tuple[int, int], ...]
) -> float:
    """Mean difference of the gaps' heights, in per cent of the distance between the true pupils."""
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    gaps = [np.linalg.norm(points[upper] - points[lower], axis=-1) for points in (found, truth)]
    return float(100 * np.abs(gaps[0] - gaps[1]).mean() / interocular(truth))
