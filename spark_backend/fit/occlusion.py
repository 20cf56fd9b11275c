"""How much of its surroundings each vertex of a head sees past the head itself."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..render.shading import spherical_harmonics
from ..render.warp import WarpRasterizer
from .texels import surface_normals

SLACK = 0.0012
"""Metres by which a vertex may lie behind the surface that is seen and still count as seen."""


@dataclass(frozen=True)
class Surroundings:
    """Which of `D` directions, spread evenly over the sphere, each vertex sees, in the rest pose."""

    directions: Float[np.ndarray, "D 3"]
    visible: Bool[np.ndarray, "V D"]
    normals: Float[np.ndarray, "V 3"]

    def sky(self) -> Float[np.ndarray, "V"]:
        """The part of the even light over a vertex that reaches it, 0 to 1."""
        cosine = (self.normals @ self.directions.T).clip(min=0)
        return (cosine * self.visible).sum(1) / cosine.sum(1).clip(min=1e-6)

    def transfer(self, count: int = 9) -> Float[np.ndarray, "V N"]:
        """What each basis function of a distant light becomes at each vertex: reflected radiance for a white albedo.

        The diffuse part of precomputed radiance transfer (Sloan et al. 2002), shadows of the head on itself included,
        light between surfaces left out.
        """
        cosine = (self.normals @ self.directions.T).clip(min=0) * self.visible
        basis = spherical_harmonics(torch.as_tensor(self.directions).float(), count).numpy()
        return cosine @ basis * (4 * math.pi / len(self.directions) / math.pi)


def look_around(
    vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"], count: int = 128, size: int = 224
) -> Surroundings:
    """Draws the mesh from `count` directions, orthographically, and compares depths."""
    points = torch.as_tensor(vertices).float()
    centre = (points.amin(0) + points.amax(0)) / 2
    radius = float((points - centre).norm(dim=1).max())
    directions = sphere_directions(count)
    # The viewer stands at `direction` and looks back at the head.
    frames = torch.stack([looking_along(-direction) for direction in directions])
    local = torch.einsum("vx,dyx->dvy", (points - centre) / radius, frames)
    clip = torch.cat([local, torch.ones(*local.shape[:2], 1)], 2)
    depth = WarpRasterizer().rasterize(clip, torch.as_tensor(faces).int(), (size, size)).depth
    pixel = ((local[..., :2] + 1) / 2 * size).long().clamp(0, size - 1)
    seen = depth.flatten(1).gather(1, pixel[..., 1] * size + pixel[..., 0])
    # A pixel of the drawing spans some depth on a slanted surface.
    slack = SLACK / radius + 2 / size
    visible = (local[..., 2] < seen + slack).T.numpy()
    return Surroundings(directions.numpy(), visible, surface_normals(vertices, faces))


def sphere_directions(count: int) -> Float[Tensor, "D 3"]:
    """Unit vectors spread evenly: the golden spiral."""
    index = torch.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = index * math.pi * (3 - math.sqrt(5))
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], 1)


def looking_along(direction: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:
    """A rotation whose last row is `direction`."""
    helper = torch.eye(3)[int(direction.abs().argmin())]
    across = torch.nn.functional.normalize(torch.linalg.cross(helper, direction), dim=0)
    return torch.stack([across, torch.linalg.cross(direction, across), direction])
