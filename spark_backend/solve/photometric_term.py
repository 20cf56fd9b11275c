"""The picture's part of the cost: every point of the skin looks the same in all frames of a clip.

Direct alignment of all frames to their mean appearance, found in turns with it (as in Engel et al., Direct Sparse
Odometry, 2018, with a face for the scene): per frame one Gauss-Newton model in pose, expression and gaze.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from .data_term import DataTerm
from .pictures import Pictures, look_up
from .state import Observations, State, blocks
from .surface_points import PosedPoints, SurfacePoints, motion_along, pose_points

LEAST_FACING, FULLY_FACING = 0.15, 0.5
"""Cosines between which a point begins to count."""
OUTLIER = 2.5
"""Differences beyond so many standard deviations lose their pull (Cauchy)."""
EVIDENCE = 0.1
"""How much of its nominal information a point carries: neighbours see the same features."""
SEEN = 0.1
"""Mean visibility below which a point has no appearance."""
SMALLEST_NOISE = 1e-3


@dataclass(frozen=True)
class Appearance:
    """What the points look like in the mean of a clip's frames, and how far they stray from it."""

    points: SurfacePoints
    pictures: Pictures
    mean: Float[Tensor, "N"]
    known: Float[Tensor, "N"]
    """1 where a point is seen in the clip, 0 elsewhere."""
    noise: Float[Tensor, ""]
    """Standard deviation."""


def project_points(posed: PosedPoints, state: State, seen: Observations) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels from the principal point (T, N, 2), focal lengths (T, 1, 1), depth (T, N, 1)."""
    focal = state.log_focal.exp()[seen.clip].float()[:, None, None]
    depth = posed.camera[..., 2:]
    return focal * posed.camera[..., :2] / depth, focal, depth


def visibility(points: SurfacePoints, posed: PosedPoints, state: State) -> Float[Tensor, "T N"]:
    """0 where the surface looks away, 1 where it looks at the camera. What covers what is left to robustness."""
    towards = posed.camera / posed.camera.norm(dim=-1, keepdim=True)
    facing = -((points.normal @ state.rotation.float().mT) * towards).sum(-1)
    return ((facing - LEAST_FACING) / (FULLY_FACING - LEAST_FACING)).clamp(0, 1)


def learn_appearance(points: SurfacePoints, pictures: Pictures, state: State, seen: Observations) -> Appearance:
    """Robust means over the frames of one clip, from where the state puts the points."""
    values, weights = [], []
    for rows in blocks(len(seen.pts)):
        part, some = state.select(rows), seen.select(rows)
        posed = pose_points(points, part)
        value, _, inside = look_up(pictures.select(rows), project_points(posed, part, some)[0])
        values.append(value)
        weights.append(visibility(points, posed, part) * inside)
    return Appearance(points, pictures, *robust_mean(torch.cat(values), torch.cat(weights)))


def robust_mean(value: Float[Tensor, "T N"], weight: Float[Tensor, "T N"]) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of each point, whether it is known, and the spread about it."""
    mean, robust, noise = value.new_zeros(value.shape[1]), weight, value.new_ones(())
    for _ in range(4):
        mean = (robust * value).sum(0) / robust.sum(0).clamp(min=1e-6)
        error = (value - mean).abs()
        counted = error[weight > 0.3]
        noise = 1.48 * counted.median().clamp(min=SMALLEST_NOISE) if len(counted) else noise
        robust = weight / (1 + (error / (OUTLIER * noise)).square())
    return mean, (weight.mean(0) > SEEN).float(), noise


def photometric_cost(
    appearance: Appearance, pictures: Pictures, state: State, seen: Observations
) -> Float[Tensor, "T"]:
    """Only the cost, for trying a step."""
    posed = pose_points(appearance.points, state)
    value, _, inside = look_up(pictures, project_points(posed, state, seen)[0])
    counts = visibility(appearance.points, posed, state) * inside * appearance.known
    return robust(appearance, value, counts)[0]


def robust(appearance: Appearance, value: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cost (T,), error (T, N) and its weight (T, N)."""
    error = value - appearance.mean
    square = (error / appearance.noise).square() / OUTLIER**2
    cost = 0.5 * EVIDENCE * OUTLIER**2 * (counts * torch.log1p(square)).sum(-1)
    return cost.double(), error, EVIDENCE * counts / appearance.noise.square() / (1 + square)


def photometric_term(appearance: Appearance, pictures: Pictures, state: State, seen: Observations) -> DataTerm:
    """Cost and Gauss-Newton model of some frames of a known person: nothing is shared."""
    points = appearance.points
    posed = pose_points(points, state)
    pixels, focal, depth = project_points(posed, state, seen)
    value, slope, inside = look_up(pictures, pixels)
    counts = visibility(points, posed, state) * inside * appearance.known
    cost, error, weight = robust(appearance, value, counts)
    across = slope * focal / depth
    along = -(across * posed.camera[..., :2]).sum(-1, keepdim=True) / depth
    jacobian = motion_along(points, posed, state, torch.cat([across, along], -1))
    weighted = jacobian * weight[..., None]
    gradient = (weighted.mT @ error[..., None])[..., 0].double()
    return DataTerm(
        cost=cost,
        blocks=(weighted.mT @ jacobian).double(),
        gradient=gradient,
        border=gradient.new_zeros(*gradient.shape, 0),
        corner=gradient.new_zeros(0, 0),
        corner_gradient=gradient.new_zeros(0),
    )
