"""The picture's part of the cost: every point of the skin looks in all frames as its albedo and the clip's light say.

Direct alignment of all frames (as in Engel et al., Direct Sparse Odometry, 2018, with a face for the scene): per frame
one Gauss-Newton model in pose, expression and gaze. A head that turns is seen by its features, which move, and by its
shading, which changes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .appearance import OUTLIER, Appearance, project_points, shading_basis, shading_slope, turned_normals, visibility
from .data_term import DataTerm
from .pictures import Pictures, look_up
from .state import ROTATION, Observations, State
from .surface_points import motion_along, pose_points

EVIDENCE = 0.1
"""How much of its nominal information a point carries: neighbours see the same features."""


def photometric_cost(
    appearance: Appearance, pictures: Pictures, state: State, seen: Observations
) -> Float[Tensor, "T"]:
    """Only the cost, for trying a step."""
    posed, normals = pose_points(appearance.points, state), turned_normals(appearance.points, state)
    value, _, inside = look_up(pictures, project_points(posed, state, seen)[0])
    counts = visibility(normals, posed) * inside * appearance.known
    return robust(appearance, value, normals, counts)[0]


def robust(
    appearance: Appearance, value: Tensor, normals: Tensor, counts: Tensor
) -> tuple[Float[Tensor, "T"], Float[Tensor, "T N"], Float[Tensor, "T N"]]:
    """Cost, error and the error's weight."""
    error = value - appearance.albedo - shading_basis(normals) @ appearance.light
    square = (error / appearance.noise).square() / OUTLIER**2
    cost = 0.5 * EVIDENCE * OUTLIER**2 * (counts * torch.log1p(square)).sum(-1)
    return cost.double(), error, EVIDENCE * counts / appearance.noise.square() / (1 + square)


def photometric_term(appearance: Appearance, pictures: Pictures, state: State, seen: Observations) -> DataTerm:
    """Cost and Gauss-Newton model of some frames of a known person: nothing is shared."""
    points = appearance.points
    posed, normals = pose_points(points, state), turned_normals(points, state)
    pixels, focal, depth = project_points(posed, state, seen)
    value, slope, inside = look_up(pictures, pixels)
    counts = visibility(normals, posed) * inside * appearance.known
    cost, error, weight = robust(appearance, value, normals, counts)
    across = slope * focal / depth
    along = -(across * posed.camera[..., :2]).sum(-1, keepdim=True) / depth
    jacobian = motion_along(points, posed, state, torch.cat([across, along], -1))
    jacobian[..., ROTATION] -= torch.linalg.cross(normals, shading_slope(normals, appearance.light))
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
