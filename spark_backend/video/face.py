"""A face in a picture: landmarks, scores and boxes, in pixels whose (0, 0) is the corner of the first pixel."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8

RGB = UInt8[np.ndarray, "_ _ 3"]
Points = Float[np.ndarray, "478 3"]
Box = Float[np.ndarray, "4"]


@dataclass(frozen=True)
class Face:
    """A face as the landmark network sees it."""

    landmarks: Points
    """Pixels of the given picture; z in the same unit, smaller is nearer."""
    scores: Float[np.ndarray, "52"]
    """In the order of `ARKIT_52`."""

    @property
    def box(self) -> Box:
        return landmark_box(self.landmarks)


def landmark_box(landmarks: Points) -> Box:
    """Left, top, right, bottom."""
    return np.concatenate([landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)])


def box_size(box: Box) -> float:
    """The larger side."""
    return float(max(box[2] - box[0], box[3] - box[1]))


def box_centre(box: Box) -> Float[np.ndarray, "2"]:
    """(x, y)."""
    return (box[:2] + box[2:]) / 2
