"""The picture's part of the cost: every point of the skin looks in all frames as its albedo and the clip's light say.

Direct alignment of all frames (as in Engel et al., Direct Sparse Odometry, 2018, with a face for the scene): per frame
one Gauss-Newton model in pose, expression and gaze. A head that turns is seen by its features, which move, and by its
shading, which changes.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from .appearance import OUTLIER, Appearance, Glimpse, shading_basis, shading_slope
from .data_term import DataTerm
from .jacobian import TURN_FACTORS, jacobian, normal_equations, row_factors, variables
from .state import State

EVIDENCE = 0.1
"""How much of its nominal information a point carries: neighbours see the same features."""


def photometric_cost(appearance: Appearance, shown: Glimpse) -> Float[Tensor, "T"]:
    """Only the cost, for trying a step."""
    return robust(appearance, shown)[0]


def robust(
    appearance: Appearance, shown: Glimpse
) -> tuple[Float[Tensor, "T"], Float[Tensor, "T N"], Float[Tensor, "T N"]]:
    """Cost, error and the error's weight."""
    error = shown.value - appearance.albedo - shading_basis(shown.normals) @ appearance.light
    square, counts = (error / appearance.noise).square() / OUTLIER**2, shown.weight * appearance.known
    cost = 0.5 * EVIDENCE * OUTLIER**2 * (counts * torch.log1p(square)).sum(-1)
    return cost.double(), error, EVIDENCE * counts / appearance.noise.square() / (1 + square)


def photometric_term(appearance: Appearance, shown: Glimpse, state: State) -> DataTerm:
    """Cost and Gauss-Newton model of some frames of a known person, who show this at this state: nothing is shared."""
    cost, error, weight = robust(appearance, shown)
    points, camera, root = appearance.points, shown.posed.camera, weight.sqrt()
    across = shown.slope * shown.focal / camera[..., 2:] * root[..., None]
    along = -(across * camera[..., :2]).sum(-1, keepdim=True) / camera[..., 2:]
    row = torch.cat([across, along], -1)[:, :, None]
    factors = row_factors(points.rig, shown.posed, state, row, (root * error)[..., None])
    shading = torch.linalg.cross(shown.normals, shading_slope(shown.normals, appearance.light))
    factors[..., TURN_FACTORS] -= (shading * root[..., None])[:, :, None]
    rows = jacobian(factors, points.basis).flatten(0, 1)
    blocks, gradient = normal_equations(rows, variables(points.rig, state.gaze))
    return DataTerm(
        cost=cost,
        blocks=blocks,
        gradient=gradient,
        border=gradient.new_zeros(*gradient.shape, 0),
        corner=gradient.new_zeros(0, 0),
        corner_gradient=gradient.new_zeros(0),
    )
