"""The square of a picture that the landmark network looks at, and the way back.

As MediaPipe follows a face (face_landmarks_detector_graph.cc): the upright square around the last frame's landmarks,
one and a half times the larger side of their box, turned about its centre until the outer corners of the eyes are
level. Its pixels are sampled bilinearly without smoothing, the border's pixels go on beyond the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
SCALE = 1.5


@dataclass(frozen=True)
class FaceCrop:
    """One square of each picture of a batch, in the picture's pixels."""

    centre: Float[Tensor, "B 2"]
    side: Float[Tensor, "B"]
    angle: Float[Tensor, "B"]
    """Radians that the square is turned clockwise, as the head is."""


def crop_around(landmarks: Float[Tensor, "B 478 _"]) -> FaceCrop:
    """The square for the next frame from this frame's landmarks (picture's pixels)."""
    points = landmarks[..., :2]
    low, high = points.amin(dim=1), points.amax(dim=1)
    across = points[:, LEFT_EYE_CORNER] - points[:, RIGHT_EYE_CORNER]
    return FaceCrop((low + high) / 2, SCALE * (high - low).amax(dim=-1), torch.atan2(across[:, 1], across[:, 0]))


def picture_from_crop(crop: FaceCrop, size: int) -> Float[Tensor, "B 2 3"]:
    """Affine maps from the pixels of a crop of `size` x `size` to the picture's: picture = M @ (x, y, 1)."""
    cos, sin = torch.cos(crop.angle), torch.sin(crop.angle)
    turn = torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)
    linear = turn * (crop.side / size)[:, None, None]
    middle = linear.new_full((2,), size / 2)
    return torch.cat([linear, (crop.centre - linear @ middle)[..., None]], -1)


def to_picture(crop: FaceCrop, points: Float[Tensor, "B L dims"], size: int) -> Float[Tensor, "B L dims"]:
    """Points from crop pixels to the picture's; a third coordinate is only scaled."""
    matrix = picture_from_crop(crop, size)
    flat = points[..., :2] @ matrix[..., :2].mT + matrix[:, None, :, 2]
    return torch.cat([flat, points[..., 2:] * (crop.side / size)[:, None, None]], -1)


def to_crop(crop: FaceCrop, points: Float[Tensor, "B L dims"], size: int) -> Float[Tensor, "B L dims"]:
    """Points from the picture's pixels to crop pixels; a third coordinate is only scaled."""
    matrix = picture_from_crop(crop, size)
    flat = torch.linalg.solve(matrix[:, None, :, :2], (points[..., :2] - matrix[:, None, :, 2])[..., None])[..., 0]
    return torch.cat([flat, points[..., 2:] * (size / crop.side)[:, None, None]], -1)


def sample_crop(picture: Float[Tensor, "B H W C"], crop: FaceCrop, size: int) -> Float[Tensor, "B size size C"]:
    """The crop's pixels, differentiable by the picture and by the square.

    Colours are mixed as they are given: the landmark network wants sRGB sampled in sRGB, as MediaPipe does.
    """
    height, width = picture.shape[1:3]
    centres = torch.arange(size, dtype=picture.dtype, device=picture.device) + 0.5
    y, x = torch.meshgrid(centres, centres, indexing="ij")
    grid = torch.stack([x, y], -1).reshape(1, -1, 2).expand(len(picture), -1, -1)
    places = to_picture(crop, grid, size).reshape(-1, size, size, 2)
    scaled = 2 * places / places.new_tensor([width, height]) - 1
    sampled = F.grid_sample(
        picture.permute(0, 3, 1, 2), scaled, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled.permute(0, 2, 3, 1)


def cut_crop(picture: UInt8[np.ndarray, "H W 3"], crop: FaceCrop, size: int) -> UInt8[np.ndarray, "size size 3"]:
    """The same for one picture in bytes, fast: within one level of `sample_crop`."""
    matrix = picture_from_crop(crop, size)[0].double().numpy()
    matrix[:, 2] += matrix[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV's (0, 0) is the centre of the first pixel
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(picture, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
