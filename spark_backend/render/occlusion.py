"""How much of the light from all around reaches a surface: what makes open mouths, nostrils and ears look deep."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import grid_sample, normalize

from .rasterizer import Rasterizer

DIRECTIONS = 16
RESOLUTION = 280
"""Pixels across the mesh, in each direction's picture of it."""


@dataclass(frozen=True)
class Sky:
    """A mesh seen from `D` directions on the viewer's side, without perspective."""

    towards: Float[Tensor, "D 3"]
    axes: Float[Tensor, "D 3 3"]
    """Rotations to axes in which each direction is -Z."""
    centre: Float[Tensor, "3"]
    radius: Float[Tensor, ""]
    depth: Float[Tensor, "D R R"]
    """Of what is nearest, in radii behind the centre."""

    def openness(self, points: Float[Tensor, "N 3"], normals: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:
        """Part of the light, in [0, 1], that no other part of the mesh keeps from these places of its surface.

        Asks for each place whether it is seen from each direction, weighted by the cosine to its unit normal; one that
        faces none of them is open. Deterministic, and smooth enough over time for a film: what lies just below the seen
        surface fades over some millimetres.
        """
        local = torch.einsum("dij,nj->dni", self.axes, (points - self.centre) / self.radius)
        sides = {"mode": "bilinear", "padding_mode": "border", "align_corners": False}
        nearest = grid_sample(self.depth[:, None], local[:, None, :, :2], **sides)[:, 0, 0]
        # A place sees itself at its own depth, up to how much the surface sinks within a pixel.
        pixel = 2 / self.depth.shape[-1]
        visible = 1 - ((local[..., 2] - nearest - 1.5 * pixel) / (2 * pixel)).clamp(0, 1)
        cosine = (self.towards @ normals.mT).clamp(min=0)
        return (1e-6 + (visible * cosine).sum(0)) / (1e-6 + cosine.sum(0))


def sky_of(
    points: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    rasterizer: Rasterizer,
    directions: int = DIRECTIONS,
    resolution: int = RESOLUTION,
) -> Sky:
    """Looks at a mesh in camera axes from all directions."""
    towards = viewing_directions(directions, points)
    centre, radius = bounding_sphere(points)
    axes = frames(towards)
    local = torch.einsum("dij,vj->dvi", axes, (points - centre) / radius)
    clip = torch.cat([local, torch.ones_like(local[..., :1])], -1)
    return Sky(towards, axes, centre, radius, rasterizer.rasterize(clip, faces, (resolution, resolution)).depth)


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
