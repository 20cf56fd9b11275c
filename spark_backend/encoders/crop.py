"""The square of a picture that the landmark network looks at, and the way back.

As MediaPipe follows a face (face_landmarks_detector_graph.cc): the upright square around the last frame's landmarks,
one and a half times the larger side of their box, turned about its centre until the outer corners of the eyes are
level. Its pixels are sampled bilinearly without smoothing, the border's pixels go on beyond the picture. In numpy: one
face is too little work for torch, whose calls cost more than the arithmetic.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, Int, UInt8

RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
SCALE = 1.5


@dataclass(frozen=True)
class FaceCrop:
    """A square in a picture's pixels."""

    centre: Float[np.ndarray, "2"]
    side: float
    angle: float
    """Radians that the square is turned clockwise, as the head is."""


def crop_around(landmarks: Float[np.ndarray, "478 _"]) -> FaceCrop:
    """The square for the next frame from this frame's landmarks (picture's pixels)."""
    points = landmarks[:, :2].astype(float)
    low, high = points.min(0), points.max(0)
    across = points[LEFT_EYE_CORNER] - points[RIGHT_EYE_CORNER]
    return FaceCrop((low + high) / 2, SCALE * float((high - low).max()), math.atan2(across[1], across[0]))


def picture_from_crop(crop: FaceCrop, size: int) -> Float[np.ndarray, "2 3"]:
    """The affine map from the pixels of a crop of `size` x `size` to the picture's: picture = M @ (x, y, 1)."""
    step = crop.side / size
    cos, sin = step * math.cos(crop.angle), step * math.sin(crop.angle)
    (x, y), middle = crop.centre, size / 2
    return np.array([[cos, -sin, x - (cos - sin) * middle], [sin, cos, y - (sin + cos) * middle]])


def to_picture(crop: FaceCrop, points: Float[np.ndarray, "L dims"], size: int) -> Float[np.ndarray, "L dims"]:
    """Points from crop pixels to the picture's; a third coordinate is only scaled."""
    matrix = picture_from_crop(crop, size)
    flat = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([flat, points[:, 2:] * (crop.side / size)], 1)


def to_crop(crop: FaceCrop, points: Float[np.ndarray, "L dims"], size: int) -> Float[np.ndarray, "L dims"]:
    """Points from the picture's pixels to crop pixels; a third coordinate is only scaled."""
    matrix, step = picture_from_crop(crop, size), crop.side / size
    flat = (points[:, :2] - matrix[:, 2]) @ matrix[:, :2] / step**2  # the inverse of a scaled turn
    return np.concatenate([flat, points[:, 2:] / step], 1)


def cut_crop(picture: UInt8[np.ndarray, "H W 3"], crop: FaceCrop, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The crop's pixels. Colours are mixed as they are: the network wants sRGB sampled in sRGB, as MediaPipe does."""
    matrix = picture_from_crop(crop, size)
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's (0, 0) is the centre of the first pixel
    # OpenCV samples four bytes a pixel in half the time of three, the part of the picture that it needs widened first.
    (left, top), (right, bottom) = part_around(crop, picture.shape[1::-1])
    part = cv2.cvtColor(picture[top:bottom, left:right], cv2.COLOR_RGB2RGBA)
    matrix[:, 2] -= left, top
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cut = cv2.warpAffine(part, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return cv2.cvtColor(cut, cv2.COLOR_RGBA2RGB)


def part_around(crop: FaceCrop, size: tuple[int, int]) -> tuple[Int[np.ndarray, "2"], Int[np.ndarray, "2"]]:
    """The first pixel and the one after the last of the upright part of a picture of this width and height that the
    crop is sampled from; of a crop beyond the border the border's pixels."""
    half = crop.side / 2 * (abs(math.cos(crop.angle)) + abs(math.sin(crop.angle))) + 2
    first = np.clip(np.floor(crop.centre - half), 0, np.array(size) - 1).astype(int)
    return first, np.clip(np.ceil(crop.centre + half), first + 1, size).astype(int)
