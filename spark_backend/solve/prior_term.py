"""The priors' part of the cost: what weights, gaze, identity and focal length are like before any picture is seen."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..protocol.names import ARKIT_52
from .landmark_model import FREE
from .options import SolveOptions
from .state import FRAME_SIZE, GAZES, WEIGHTS, Observations, State

# Expressions that MediaPipe's scores follow on footage of other people with known weights; the rest are ignored.
TRUSTED = tuple(
    name
    for name in FREE
    if name.startswith(("mouthSmile", "mouthUpperUp", "mouthLowerDown", "browDown"))
    or name in ("jawOpen", "mouthLeft", "mouthRight", "mouthPucker")
)
BLINKS = [FREE.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
# MediaPipe's blink score on renders of blinks of known weight (tools/blink_scores.py): a closed eye scores 0.76.
BLINK_SCORES, BLINK_WEIGHTS = (0.06, 0.13, 0.28, 0.55, 0.72, 0.76), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


def expected_weights(scores: Float[Tensor, "T 52"]) -> Float[Tensor, "T E"]:
    """What MediaPipe's scores say of the weights of `FREE`."""
    expected = scores[:, [ARKIT_52.index(name) for name in FREE]].clone()
    expected[:, BLINKS] = torch.as_tensor(np.interp(expected[:, BLINKS].numpy(), BLINK_SCORES, BLINK_WEIGHTS))
    return expected


def prior_term(
    state: State, seen: Observations, options: SolveOptions
) -> tuple[Float[Tensor, "T"], Float[Tensor, "T D"], Float[Tensor, "T D D"]]:
    """Cost, gradient and second derivative of each frame's priors."""
    count = len(state.weights)
    weights, gaze = state.weights, state.gaze
    trust = torch.zeros(len(FREE), dtype=weights.dtype)
    trust[[FREE.index(name) for name in TRUSTED]] = options.score_sigma**-2
    trust[BLINKS] = options.blink_sigma**-2
    sparsity = torch.full_like(trust, options.sparsity)
    sparsity[BLINKS] = 0  # eyes blink all the time
    scores = expected_weights(seen.scores)
    spread = options.weight_sigma**-2
    gradient = torch.zeros(count, FRAME_SIZE, dtype=weights.dtype)
    hessian = torch.zeros(count, FRAME_SIZE, FRAME_SIZE, dtype=weights.dtype)

    gradient[:, WEIGHTS] = sparsity + spread * weights + trust * (weights - scores)
    hessian[:, WEIGHTS, WEIGHTS] = torch.diag(spread + trust)
    cost = (sparsity * weights + 0.5 * spread * weights**2 + 0.5 * trust * (weights - scores) ** 2).sum(1)

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
