"""The priors' part of the cost: what weights, gaze, identity and focal length are like before any picture is seen."""

import torch
from jaxtyping import Float
from torch import Tensor

from .evidence import BLINKS
from .landmark_model import FREE
from .options import SolveOptions
from .state import FRAME_SIZE, GAZES, WEIGHTS, Observations, State


def prior_term(
    state: State, seen: Observations, options: SolveOptions
) -> tuple[Float[Tensor, "T"], Float[Tensor, "T D"], Float[Tensor, "T D D"]]:
    """Cost, gradient and second derivative of each frame's priors."""
    count = len(state.weights)
    weights, gaze = state.weights, state.gaze
    sparsity = torch.full((len(FREE),), options.sparsity, dtype=weights.dtype)
    sparsity[BLINKS] = 0  # eyes blink all the time
    off = weights - seen.expected
    spread = options.weight_sigma**-2
    gradient = torch.zeros(count, FRAME_SIZE, dtype=weights.dtype)
    hessian = torch.zeros(count, FRAME_SIZE, FRAME_SIZE, dtype=weights.dtype)

    gradient[:, WEIGHTS] = sparsity + spread * weights + seen.trust * off
    hessian[:, WEIGHTS, WEIGHTS] = torch.diag_embed(spread + seen.trust)
    cost = (sparsity * weights + 0.5 * spread * weights**2 + 0.5 * seen.trust * off**2).sum(1)

    apart = torch.tensor([[1.0, 0, -1, 0], [0, 1, 0, -1]], dtype=gaze.dtype) / options.vergence_sigma
    precision = apart.mT @ apart + torch.eye(4, dtype=gaze.dtype) / options.gaze_sigma**2
    gradient[:, GAZES] = gaze @ precision
    hessian[:, GAZES, GAZES] = precision
    return cost + 0.5 * ((gaze @ precision) * gaze).sum(1), gradient, hessian


def shared_prior(
    state: State, focal_prior: Float[Tensor, "C"], frames: int, options: SolveOptions
) -> tuple[Tensor, Float[Tensor, "G"], Float[Tensor, "G"]]:
    """Cost, gradient and diagonal second derivative of identity and focal lengths."""
    strength = options.identity_strength * frames
    identity = torch.full_like(state.identity, strength)
    focal = torch.full_like(state.log_focal, frames * options.identity_strength / options.focal_sigma**2)
    precision = torch.cat([identity, focal])
    offset = torch.cat([state.identity, state.log_focal - focal_prior])
    return 0.5 * (precision * offset**2).sum(), precision * offset, precision
