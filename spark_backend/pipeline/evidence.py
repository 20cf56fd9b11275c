"""A frame on which a take does badly, as a strip of pictures."""

import cv2
import numpy as np
import torch

from ..evaluate.crops import SIDE
from ..evaluate.landmarks import MEDIAPIPE_105
from ..evaluate.regions import BACKGROUND
from ..render.colour import bytes_from_linear
from .pairs import Evidence

COLUMNS = (
    "landmarks found (white) and tracked (orange)",
    "the earlier frame carried here by the mesh",
    "difference × 4",
    "regions of the mesh",
)
TRUE, FOUND = (255, 255, 255), (255, 122, 46)
REGION_COLOURS = np.array(
    [(0, 0, 0), (232, 190, 160), (70, 90, 230), (80, 200, 120), (240, 215, 70), (150, 70, 190), (220, 60, 60)], np.uint8
)
"""Of `CLASSES`."""
GAP = 4


def evidence_strip(evidence: Evidence) -> np.ndarray:
    """(H, W, 3) uint8 sRGB: the pictures of `COLUMNS` side by side."""
    sight = evidence.sight
    truth = sight.linear() * ~evidence.hidden[..., None]
    cells = (
        with_points(sight.picture, sight.landmarks, evidence.landmarks),
        to_bytes(evidence.warped),
        to_bytes(4 * np.abs(evidence.warped - truth)),
        with_regions(sight.picture, evidence.regions),
    )
    gap = np.zeros((SIDE, GAP, 3), np.uint8)
    return np.concatenate([part for cell in cells for part in (cell, gap)][:-1], axis=1)


def to_bytes(linear: np.ndarray) -> np.ndarray:
    """Linear colours to 8-bit sRGB."""
    return bytes_from_linear(torch.as_tensor(linear).float().clamp(0, 1)).numpy()


def with_points(picture: np.ndarray, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """The 105 landmarks as found in the frame and as the mesh has them, lines between the two."""
    drawn = picture.copy()
    for index in MEDIAPIPE_105:
        # Sixteenths of a pixel, counted from pixel centres.
        a, b = (tuple(int(v) for v in np.round((point[index] - 0.5) * 16)) for point in (truth, found))
        cv2.line(drawn, a, b, FOUND, 1, cv2.LINE_AA, 4)
        cv2.circle(drawn, b, 16, FOUND, -1, cv2.LINE_AA, 4)
        cv2.circle(drawn, a, 11, TRUE, -1, cv2.LINE_AA, 4)
    return drawn


def with_regions(picture: np.ndarray, regions: np.ndarray) -> np.ndarray:
    """The frame tinted by what the mesh shows."""
    index = np.where(regions < len(REGION_COLOURS), regions, BACKGROUND)
    tinted = (0.5 * picture + 0.5 * REGION_COLOURS[index]).astype(np.uint8)
    return np.where((index == BACKGROUND)[..., None], picture, tinted)
