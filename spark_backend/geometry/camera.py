"""The pinhole camera: metres in OpenCV camera axes to pixels, and to clip space for a rasteriser.

Camera axes: +X right, +Y down, +Z forward. Pixels: (0, 0) is the top-left corner of the top-left pixel, so the centre
of that pixel is (0.5, 0.5). Clip space: x right, y **down** and z away, each in [-w, w]; w is the depth in metres. Row
0 of a picture is at y = -w.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

NEAR = 0.01
FAR = 100.0


@dataclass(frozen=True)
class Camera:
    """A pinhole camera without distortion."""

    K: Float[Tensor, "*batch 3 3"]
    """Intrinsics in pixels: [[fx, skew, cx], [0, fy, cy], [0, 0, 1]]."""
    size: tuple[int, int]
    """Width and height of the picture in pixels."""

    def project(self, points: Float[Tensor, "*batch V 3"]) -> Float[Tensor, "*batch V 2"]:
        """Metres in camera axes to pixels; NaN behind the camera."""
        return project(points, self.K)

    def clip(self, points: Float[Tensor, "*batch V 3"]) -> Float[Tensor, "*batch V 4"]:
        """Metres in camera axes to clip space."""
        return clip_points(points, self.K, self.size)


def camera_matrix(focal: float | Tensor, size: tuple[int, int]) -> Float[Tensor, "*batch 3 3"]:
    """Intrinsics with square pixels and the principal point in the middle of the picture; `focal` in pixels."""
    focal = torch.as_tensor(focal, dtype=torch.get_default_dtype()) if not isinstance(focal, Tensor) else focal
    zero, one = torch.zeros_like(focal), torch.ones_like(focal)
    rows = (
        torch.stack([focal, zero, one * (size[0] / 2)], -1),
        torch.stack([zero, focal, one * (size[1] / 2)], -1),
        torch.stack([zero, zero, one], -1),
    )
    return torch.stack(rows, -2)


def project(points: Float[Tensor, "*batch V 3"], K: Float[Tensor, "*#batch 3 3"]) -> Float[Tensor, "*batch V 2"]:
    """Metres in camera axes to pixels; NaN at and behind the camera's centre, with zero gradient there.

    A point on the optical axis lands on the principal point.
    """
    depth = points[..., 2:]
    in_front = depth > 0
    # Division happens at a harmless depth where it is not wanted: NaN times zero would poison the gradients.
    homogeneous = (points / torch.where(in_front, depth, torch.ones_like(depth))) @ K.mT
    return torch.where(in_front, homogeneous[..., :2], torch.full_like(homogeneous[..., :2], torch.nan))


def unproject(
    pixels: Float[Tensor, "*batch V 2"], depth: Float[Tensor, "*batch V"], K: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch V 3"]:
    """Pixels at a depth (metres along +Z) to camera axes."""
    rays = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1) @ torch.linalg.inv(K).mT
    return rays * depth[..., None]


def clip_from_camera(
    K: Float[Tensor, "*batch 3 3"], size: tuple[int, int], near: float = NEAR, far: float = FAR
) -> Float[Tensor, "*batch 4 4"]:
    """The matrix that takes homogeneous camera points to clip space, such that pixel = ((x, y) / w + 1) / 2 * size."""
    width, height = size
    zeros = torch.zeros_like(K[..., 0, :1])
    x = torch.cat([K[..., 0, :] * (2 / width) - K[..., 2, :], zeros], -1)
    y = torch.cat([K[..., 1, :] * (2 / height) - K[..., 2, :], zeros], -1)
    depth = K.new_tensor([0, 0, (far + near) / (far - near), -2 * far * near / (far - near)]).expand(x.shape)
    w = torch.cat([K[..., 2, :], zeros], -1)
    return torch.stack([x, y, depth, w], -2)


def clip_points(
    points: Float[Tensor, "*batch V 3"],
    K: Float[Tensor, "*#batch 3 3"],
    size: tuple[int, int],
    near: float = NEAR,
    far: float = FAR,
) -> Float[Tensor, "*batch V 4"]:
    """Metres in camera axes to clip space."""
    matrix = clip_from_camera(K, size, near, far)
    return points @ matrix[..., :3].mT + matrix[..., None, :, 3]
