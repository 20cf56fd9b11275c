"""The temporal part of the cost: second differences over true times, robust, and never across a cut.

Blinks, saccades and plosives are as quick as a frame or two, so each variable has its own scale and large second
differences cost linearly (Huber): smoothing that rounds them off is the wrong smoothing.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry.rotation import vector_from_matrix
from .landmark_model import FREE
from .options import SolveOptions
from .state import FRAME_SIZE, GAZES, PLACE, ROTATION, WEIGHTS, Observations, State

RATE = 30.0  # the rate for which the options' deviations are given
LONGEST_GAP = 0.25  # seconds; frames farther apart do not know each other


@dataclass(frozen=True)
class TimeTerm:
    """Cost, gradient (T, D) and second derivative: diagonal (T, D), next frame (T, D), the one after (T, D)."""

    cost: Tensor
    gradient: Float[Tensor, "T D"]
    main: Float[Tensor, "T D"]
    near: Float[Tensor, "T D"]
    far: Float[Tensor, "T D"]


def jerk_deviation(options: SolveOptions) -> Float[Tensor, "D"]:
    """Standard deviation of the second difference of each frame variable."""
    result = torch.zeros(FRAME_SIZE, dtype=torch.float64)
    result[ROTATION] = options.turn_jerk
    result[PLACE] = torch.tensor([options.place_jerk, options.place_jerk, options.depth_jerk], dtype=torch.float64)
    result[WEIGHTS] = options.weight_jerk
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        result[WEIGHTS.start + FREE.index(name)] = options.lid_jerk
    result[GAZES] = options.gaze_jerk
    return result


def time_steps(seen: Observations) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"], Tensor]:
    """Of the `T - 2` inner frames: steps before and after in units of 1 / RATE, and whether all belong together."""
    step = (seen.pts[1:] - seen.pts[:-1]) * RATE
    together = (seen.clip[1:] == seen.clip[:-1]) & (step > 0) & (step < LONGEST_GAP * RATE)
    step = torch.where(together, step, torch.ones_like(step))
    return step[:-1], step[1:], together[:-1] & together[1:]


def time_term(state: State, seen: Observations, options: SolveOptions) -> TimeTerm:
    """Huber cost of second differences of turn, place, weights and gaze."""
    count = len(state.weights)
    zero = torch.zeros(count, FRAME_SIZE, dtype=torch.float64)
    if count < 3:
        return TimeTerm(torch.zeros((), dtype=torch.float64), zero, zero, zero, zero)
    before, after, together = time_steps(seen)
    plain = torch.cat([state.place, state.weights, state.gaze], 1)
    first = torch.cat([vector_from_matrix(state.rotation[1:] @ state.rotation[:-1].mT), plain[1:] - plain[:-1]], 1)
    # Divided by the mean step, so that it is a plain second difference when the rate is RATE.
    scale = 2 / (before + after)
    left, right = (scale / before)[:, None], (scale / after)[:, None]
    second = (first[1:] * right - first[:-1] * left) / jerk_deviation(options) * together[:, None]

    width = options.jerk_outlier
    size = second.abs()
    weight = (width / size.clamp(min=width)) / jerk_deviation(options) ** 2 * together[:, None]
    cost = torch.where(size < width, 0.5 * size**2, width * (size - 0.5 * width)).sum()
    pull = weight * second * jerk_deviation(options)
    middle = -(left + right)
    gradient, main, near, far = (torch.zeros_like(zero) for _ in range(4))
    for offset, factor in ((0, left), (1, middle), (2, right)):
        rows = slice(offset, count - 2 + offset)
        gradient[rows] += pull * factor
        main[rows] += weight * factor**2
    near[: count - 2] += weight * left * middle
    near[1 : count - 1] += weight * middle * right
    far[: count - 2] += weight * left * right
    return TimeTerm(cost, gradient, main, near, far)
