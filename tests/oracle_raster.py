"""A rasteriser slow and obvious enough to be believed: every triangle against every pixel centre, in float64.

And the scenes that it and the others are asked to draw.
"""

from dataclasses import dataclass

import torch
import trimesh
from torch import Tensor

from spark_backend.geometry.camera import camera_matrix, clip_points
from spark_backend.render.rasterizer import Fragments

SIZE = (64, 32)


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


def flat_clip(pixels: list, size: tuple[int, int] = SIZE, depth: float = 0.0) -> Tensor:
    """(1, V, 4) clip positions of points given in pixels, all at one depth."""
    xy = 2 * torch.tensor(pixels, dtype=torch.float32) / torch.tensor(size) - 1
    return torch.cat([xy, torch.full_like(xy[:, :1], depth), torch.ones_like(xy[:, :1])], -1)[None]


def soup(triangles: int, batch: int = 2, behind: bool = False) -> tuple[Tensor, Tensor]:
    """Random triangles as clip positions (B, V, 4) and faces (F, 3). With `behind` many cross the near plane."""
    centre = torch.rand(batch, triangles, 1, 3) * torch.tensor([0.8, 0.6, 1.0]) + torch.tensor([-0.4, -0.3, 0.6])
    if behind:
        centre = centre * torch.tensor([1, 1, 0.5]) - torch.tensor([0, 0, 0.3])
    points = (centre + 0.5 * (torch.rand(batch, triangles, 3, 3) - 0.5)).reshape(batch, -1, 3)
    return clip_points(points, camera_matrix(50.0, SIZE), SIZE, near=0.05), torch.arange(3 * triangles).reshape(-1, 3)


def sphere(subdivisions: int = 2, radius: float = 0.1, distance: float = 0.5) -> tuple[Tensor, Tensor]:
    """(1, V, 3) points in camera axes and (F, 3) faces."""
    mesh = trimesh.creation.icosphere(subdivisions, radius)
    points = torch.tensor(mesh.vertices, dtype=torch.float32) + torch.tensor([0.003, 0.002, distance])
    return points[None], torch.tensor(mesh.faces)
