"""A rasteriser slow and obvious enough to be believed: every triangle against every pixel centre, in float64."""

from dataclasses import dataclass

import torch
from torch import Tensor

from spark_backend.render.rasterizer import Fragments


@dataclass(frozen=True)
class OracleRasterizer:
    """Contract of `Rasterizer`, one triangle at a time."""

    offset: tuple[float, float] = (0.0, 0.0)
    """Where in the pixel is looked, as a distance from its centre in pixels."""

    def rasterize(self, clip: Tensor, faces: Tensor, size: tuple[int, int]) -> Fragments:
        """See `Rasterizer`."""
        pictures = [rasterize_one(image.detach().double(), faces, size, self.offset) for image in clip]
        face, bary, depth = (torch.stack(part) for part in zip(*pictures, strict=True))
        return Fragments(face.int(), bary.to(clip.dtype), depth.to(clip.dtype))


def rasterize_one(
    clip: Tensor, faces: Tensor, size: tuple[int, int], offset: tuple[float, float]
) -> tuple[Tensor, Tensor, Tensor]:
    """(H, W) face, (H, W, 3) barycentrics, (H, W) depth of one picture."""
    width, height = size
    x = (torch.arange(width).double() + 0.5 + offset[0]) * 2 / width - 1
    y = (torch.arange(height).double() + 0.5 + offset[1]) * 2 / height - 1
    y, x = torch.meshgrid(y, x, indexing="ij")
    face = torch.full((height, width), -1)
    bary = torch.zeros(height, width, 3, dtype=torch.float64)
    depth = torch.ones(height, width, dtype=torch.float64)
    for index, triangle in enumerate(faces.tolist()):
        corners = clip[triangle]
        if torch.linalg.det(corners[:, [0, 1, 3]]) == 0:
            continue
        weights = barycentrics(corners, x, y)
        w, z = weights @ corners[:, 3], weights @ corners[:, 2]
        z = z / w
        nearer = covered(corners, weights) & (w > 0) & (z >= -1) & (z <= 1) & ((z < depth) | (face < 0))
        face[nearer], bary[nearer], depth[nearer] = index, weights[nearer], z[nearer]
    return face, bary, depth


def barycentrics(corners: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """(H, W, 3) weights with which the corners' (x, y, w) give the ray through each pixel."""
    rays = torch.stack([x, y, torch.ones_like(x)], -1)
    a, b, c = corners[:, [0, 1, 3]]
    # Cramer's rule with cross products, in which coordinates that are multiples of 1/2 stay exact.
    weights = torch.stack([rays @ torch.linalg.cross(*pair) for pair in ((b, c), (c, a), (a, b))], -1)
    return weights / weights.sum(-1, keepdim=True)


def covered(corners: Tensor, weights: Tensor) -> Tensor:
    """(H, W) whether the pixel is inside; on an edge, whether that is a top or a left one (y down, clockwise)."""
    inside = torch.ones_like(weights[..., 0], dtype=torch.bool)
    points = corners[:, :2] / corners[:, 3:]
    clockwise = torch.linalg.det(torch.cat([points, torch.ones_like(points[:, :1])], 1)) > 0
    for k in range(3):
        edge = points[(k + 2) % 3] - points[(k + 1) % 3]
        dx, dy = (edge if clockwise else -edge).tolist()
        top_or_left = dy < 0 or (dy == 0 and dx > 0)
        inside &= (weights[..., k] >= 0) if top_or_left else (weights[..., k] > 0)
    return inside
