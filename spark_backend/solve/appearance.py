"""What skin looks like at fixed places: its own darkness, which is the person's, and the light, which is the clip's.

The logarithm of the brightness is the sum of an albedo's and a shading's, and the shading under distant light is nearly
a quadratic of the normal (Ramamoorthi and Hanrahan, An Efficient Representation for Irradiance Environment Maps,
2001). So a head that turns shows both, by linear least squares. Shadows, which the quadratic lacks, are left to
robustness; normals are those of the face at rest.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .pictures import Pictures, look_up
from .state import Observations, State, blocks
from .surface_points import PosedPoints, SurfacePoints, pose_points

LEAST_FACING, FULLY_FACING = 0.15, 0.5
"""Cosines between which a point begins to count."""
OUTLIER = 2.5
"""Differences beyond so many standard deviations lose their pull (Cauchy)."""
SEEN = 0.1
"""Mean visibility below which a point has no appearance."""
SMALLEST_NOISE = 1e-3
RIDGE = 1e-3
"""Pull of the light towards none, in parts of the data: what a head that hardly turns does not tell."""
ROUNDS = 6
HARMONICS = 9


@dataclass(frozen=True)
class Sampled:
    """What `T` frames show at `N` points."""

    value: Float[Tensor, "T N"]
    weight: Float[Tensor, "T N"]
    basis: Float[Tensor, "T N 9"]
    """Of the shading."""


@dataclass(frozen=True)
class Appearance:
    """What the points look like in a clip, and how far they stray from it."""

    points: SurfacePoints
    pictures: Pictures
    albedo: Float[Tensor, "N"]
    """Logarithm."""
    known: Float[Tensor, "N"]
    """1 where a point is seen, 0 elsewhere."""
    noise: Float[Tensor, ""]
    """Standard deviation."""
    light: Float[Tensor, "9"]
    """Of `shading_basis`."""


@dataclass(frozen=True)
class Glimpse:
    """What pictures show where a state puts points."""

    posed: PosedPoints
    focal: Float[Tensor, "T 1 1"]
    """Pixels."""
    normals: Float[Tensor, "T N 3"]
    """Camera axes."""
    value: Float[Tensor, "T N"]
    slope: Float[Tensor, "T N 2"]
    """By pixels of the frame."""
    weight: Float[Tensor, "T N"]
    """0 where a point looks away or lies outside of the crop, 1 where it looks at the camera."""


def glimpse(points: SurfacePoints, pictures: Pictures, state: State, seen: Observations) -> Glimpse:
    """The values of all points. What covers them is left to robustness."""
    posed, normals = pose_points(points, state), points.normal @ state.rotation.float().mT
    focal = state.log_focal.exp()[seen.clip].float()[:, None, None]
    value, slope, inside = look_up(pictures, focal * posed.camera[..., :2] / posed.camera[..., 2:])
    facing = -(normals * (posed.camera / posed.camera.norm(dim=-1, keepdim=True))).sum(-1)
    visible = ((facing - LEAST_FACING) / (FULLY_FACING - LEAST_FACING)).clamp(0, 1)
    return Glimpse(posed, focal, normals, value, slope, visible * inside)


def shading_basis(normals: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 9"]:
    """The quadratics of a unit normal."""
    x, y, z = normals.unbind(-1)
    return torch.stack([torch.ones_like(x), x, y, z, x * y, y * z, z * x, x * x - y * y, 3 * z * z - 1], -1)


def shading_slope(normals: Float[Tensor, "*batch 3"], light: Float[Tensor, "9"]) -> Float[Tensor, "*batch 3"]:
    """Change of `shading_basis(normals) @ light` by the normal."""
    _, x, y, z, xy, yz, zx, plane, axis = light.unbind()
    rows = [
        torch.stack([2 * plane, xy, zx]),
        torch.stack([xy, -2 * plane, yz]),
        torch.stack([zx, yz, 6 * axis]),
    ]
    return normals @ torch.stack(rows) + torch.stack([x, y, z])


def sample(points: SurfacePoints, pictures: Pictures, state: State, seen: Observations) -> Sampled:
    """The pictures where the state puts the points."""
    parts = []
    for rows in blocks(len(seen.pts)):
        shown = glimpse(points, pictures.select(rows), state.select(rows), seen.select(rows))
        parts.append((shown.value, shown.weight, shading_basis(shown.normals)))
    return Sampled(*map(torch.cat, zip(*parts, strict=True)))


def learn_appearance(
    sampled: Sampled, clips: Int[Tensor, "T"], albedo: Float[Tensor, "N"] | None = None
) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"], Float[Tensor, ""], Float[Tensor, "C 9"]]:
    """Albedo, whether it is known, the spread about the model, and each clip's light; robust. A known `albedo` is
    taken as it is."""
    robust, count = sampled.weight, int(clips.max()) + 1
    for _ in range(ROUNDS):
        light = solve_light(sampled, robust, clips, count, albedo)
        rest = sampled.value - (sampled.basis @ light[clips][..., None])[..., 0]
        found = (robust * rest).sum(0) / robust.sum(0).clamp(min=1e-6) if albedo is None else albedo
        error = (rest - found).abs()
        counted = error[sampled.weight > 0.3]
        noise = 1.48 * counted.median().clamp(min=SMALLEST_NOISE) if len(counted) else error.new_ones(())
        robust = sampled.weight / (1 + (error / (OUTLIER * noise)).square())
    return found, (sampled.weight.mean(0) > SEEN).float(), noise, light


def solve_light(
    sampled: Sampled, weight: Float[Tensor, "T N"], clips: Int[Tensor, "T"], count: int, albedo: Tensor | None
) -> Float[Tensor, "C 9"]:
    """Least squares; an albedo that is not known is eliminated first (Schur's complement)."""
    value = sampled.value if albedo is None else sampled.value - albedo
    weighted = sampled.basis * weight[..., None]
    normal = torch.zeros(count, HARMONICS, count, HARMONICS, dtype=torch.float64)
    right = torch.zeros(count, HARMONICS, dtype=torch.float64)
    shared = weighted.new_zeros(count, HARMONICS, weight.shape[1])
    for clip in range(count):
        rows = clips == clip if count > 1 else slice(None)  # a mask copies what it chooses
        here = weighted[rows].flatten(0, 1).mT
        normal[clip, :, clip] = here @ sampled.basis[rows].flatten(0, 1)
        right[clip] = here @ value[rows].flatten()
        shared[clip] = weighted[rows].sum(0).T
    ridge = RIDGE * normal.flatten(2).flatten(0, 1).trace() / right.numel()
    if albedo is None:
        each = 1 / weight.sum(0).clamp(min=1e-6)
        normal -= torch.einsum("cin,djn->cidj", (shared * each).double(), shared.double())
        right -= (shared * each * (weight * value).sum(0)).sum(-1)
    matrix = normal.reshape(right.numel(), -1) + ridge * torch.eye(right.numel(), dtype=torch.float64)
    return torch.linalg.solve(matrix, right.flatten()).reshape(right.shape).float()
