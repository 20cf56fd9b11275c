"""The square around the face in which a frame is judged, as SPARK cuts it (TrackerAdaptation's `crop_dataset`)."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Num, UInt8

from .landmarks import FAN_68

SIDE = 224
"""Pixels of a judged picture."""
SCALE = 1.35
"""Of the crop to the box of the 68 landmarks."""


@dataclass(frozen=True)
class Crop:
    """A square window of whole pixels of a frame."""

    left: int
    top: int
    side: int

    def cut(self, image: UInt8[np.ndarray, "H W 3"], size: int = SIDE) -> UInt8[np.ndarray, "size size 3"]:
        """The window's picture, scaled."""
        part = image[self.top : self.top + self.side, self.left : self.left + self.side]
        smaller = self.side > size
        return cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)

    def intrinsics(self, K: Num[np.ndarray, "3 3"], size: int = SIDE) -> Float[np.ndarray, "3 3"]:
        """The frame's to those of the window's picture."""
        scale = size / self.side
        return np.array([[scale, 0, -scale * self.left], [0, scale, -scale * self.top], [0, 0, 1.0]]) @ K

    def place(self, pixels: Num[np.ndarray, "*batch 2"], size: int = SIDE) -> Float[np.ndarray, "*batch 2"]:
        """Pixels of the frame to pixels of the window's picture."""
        return (pixels - (self.left, self.top)) * (size / self.side)


def face_crop(landmarks: Num[np.ndarray, "478 _"], size: tuple[int, int], scale: float = SCALE) -> Crop:
    """The square around the 68 landmarks: their box's mean side times `scale`, inside a picture of (width, height).

    A square larger than the picture is made as large as the picture.
    """
    points = landmarks[list(FAN_68), :2]
    low, high = points.min(0), points.max(0)
    side = int(np.clip(round(float((high - low).mean()) * scale), 8, min(size)))
    left, top = (int(x) for x in np.clip(np.round((low + high - side) / 2), 0, np.array(size) - side))
    return Crop(left, top, side)
