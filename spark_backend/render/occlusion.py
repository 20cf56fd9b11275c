"""How much of the light from all around reaches each vertex: what makes open mouths, nostrils and ears look deep."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from ..geometry.mesh import vertex_normals
from .rasterizer import Rasterizer

DIRECTIONS = 16
RESOLUTION = 280
"""Pixels across the mesh, in each direction's picture of it."""


def openness(
    points: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    rasterizer: Rasterizer,
    directions: int = DIRECTIONS,
    resolution: int = RESOLUTION,
) -> Float[Tensor, "V"]:
    """Part of the light, in [0, 1], that no other part of the mesh keeps from each vertex. `points` in camera axes.

    Looks at the mesh from `directions` on the viewer's side, without perspective, and asks for each vertex whether it
    is seen from there, weighted by the cosine to its normal; a vertex that faces none of them is open. Deterministic,
    and smooth enough over time for a film: what lies just below the seen surface fades over some millimetres.
    """
    towards = viewing_directions(directions, points)
    centre, radius = bounding_sphere(points)
    axes = frames(towards)
    local = torch.einsum("dij,vj->dvi", axes, (points - centre) / radius)
    clip = torch.cat([local, torch.ones_like(local[..., :1])], -1)
    depth = rasterizer.rasterize(clip, faces, (resolution, resolution)).depth
    grid = local[:, None, :, :2]
    nearest = grid_sample(depth[:, None], grid, mode="bilinear", padding_mode="border", align_corners=False)[:, 0, 0]
    # A vertex sees itself at its own depth, up to how much the surface sinks within a pixel.
    pixel = 2 / resolution
    visible = 1 - ((local[..., 2] - nearest - 1.5 * pixel) / (2 * pixel)).clamp(0, 1)
    cosine = (towards @ vertex_normals(points, faces).mT).clamp(min=0)
    return (1e-6 + (visible * cosine).sum(0)) / (1e-6 + cosine.sum(0))


def viewing_directions(count: int, like: Tensor) -> Float[Tensor, "D 3"]:
    """Unit vectors evenly over the cap around the viewer, down to a little behind the outline (Fibonacci)."""
    index = torch.arange(count).to(like) + 0.5
    z = -1 + 1.2 * index / count
    angle = math.pi * (1 + math.sqrt(5)) * index
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], -1)


def bounding_sphere(points: Float[Tensor, "V 3"]) -> tuple[Float[Tensor, "3"], Float[Tensor, ""]]:
    """Centre and radius of a sphere around all points, not the smallest."""
    centre = (points.amin(0) + points.amax(0)) / 2
    return centre, 1.001 * (points - centre).norm(dim=-1).amax()


def frames(towards: Float[Tensor, "D 3"]) -> Float[Tensor, "D 3 3"]:
    """Rotations to axes in which each direction is -Z: towards a viewer there."""
    aside = torch.tensor([1.0, 0.0, 0.0]).to(towards).expand_as(towards)
    x = normalize(torch.linalg.cross(aside.roll(1, -1) + 0.3 * aside, towards), dim=-1)
    return torch.stack([x, torch.linalg.cross(-towards, x), -towards], 1)
