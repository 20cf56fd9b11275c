"""Levenberg-Marquardt over all frames together, weights held in [0, 1] by an active set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .appearance import Appearance, Glimpse, glimpse
from .banded import NormalEquations, solve_step
from .data_term import DataTerm, Projected, data_cost, data_term, landmark_precision, projected
from .landmark_model import LandmarkModel, gaze_limit
from .options import SolveOptions
from .photometric_term import photometric_cost, photometric_term
from .prior_term import prior_term, shared_prior
from .state import FRAME_SIZE, GAZES, WEIGHTS, Observations, State, blocks
from .time_term import time_term

SMALLEST_DAMPING, LARGEST_DAMPING = 1e-7, 1e5


@dataclass(frozen=True)
class Problem:
    """A model, what was seen of it, and what is known beforehand."""

    model: LandmarkModel
    seen: Observations
    focal_prior: Float[Tensor, "C"]
    """Logarithm of the expected focal length of each clip."""
    shared: bool
    """Whether identity and focal lengths are variables too."""
    options: SolveOptions
    appearance: Appearance | None = None
    """What the pictures are compared with; None to solve from the landmarks alone."""

    @property
    def gaze_limit(self) -> Float[Tensor, "2 4"]:
        """See `landmark_model.gaze_limit`."""
        return torch.as_tensor(gaze_limit(self.model.rig)).double()


def solve(problem: Problem, state: State, tick: Callable[[float], None] = lambda part: None) -> State:
    """The state of least cost, from a start near it. `tick` hears the part done, in [0, 1], and may raise."""
    rounds = problem.options.rounds
    for number in range(rounds):
        precision = landmark_precision(problem.model, state, problem.seen, problem.options)
        state = descend(problem, precision, state, lambda part, done=number: tick((done + part) / rounds))
    return state


def descend(problem: Problem, precision: Tensor, state: State, tick: Callable[[float], None]) -> State:
    """Levenberg and Marquardt's steps until the cost no longer falls, with the landmarks' precision (T, R) held."""
    damping, options = 1e-3, problem.options
    shown = look_at(problem, state)
    cost = total_cost(problem, precision, state, shown)
    for iteration in range(options.iterations):
        tick(iteration / options.iterations)
        equations, fixed = linearise(problem, precision, state, shown)
        trial, trial_shown, trial_cost = state, shown, np.inf
        while trial_cost >= cost and damping < LARGEST_DAMPING:
            trial = try_step(problem, state, equations, fixed, damping)
            if trial is not None:
                trial_shown = look_at(problem, trial)
                trial_cost = total_cost(problem, precision, trial, trial_shown)
            damping = max(damping / 5, SMALLEST_DAMPING) if trial_cost < cost else damping * 6
        if trial is None or trial_cost >= cost:
            break
        gain, state, shown, cost = (cost - trial_cost) / cost, trial, trial_shown, trial_cost
        if gain < options.tolerance:
            break
    tick(1.0)
    return state


@dataclass(frozen=True)
class Shown:
    """What is known of some frames once their state is: for its cost, and again for its derivatives."""

    landmarks: Projected
    skin: Glimpse | None
    """What the pictures show; None without pictures."""


def look_at(problem: Problem, state: State) -> list[Shown]:
    """What a state shows, for each of `blocks`."""
    look, result = problem.appearance, []
    for part in blocks(len(problem.seen.pts)):
        here, seen = state.select(part), problem.seen.select(part)
        skin = None if look is None else glimpse(look.points, look.pictures.select(part), here, seen)
        result.append(Shown(projected(problem.model, here, seen), skin))
    return result


def try_step(
    problem: Problem, state: State, equations: NormalEquations, fixed: np.ndarray, damping: float
) -> State | None:
    """The state after one damped step; None when the damped matrix cannot be factorised."""
    try:
        frame_step, shared_step = solve_step(equations, damping, fixed)
    except np.linalg.LinAlgError:
        return None
    return state.moved(torch.as_tensor(frame_step), torch.as_tensor(shared_step), problem.gaze_limit)


def total_cost(problem: Problem, precision: Tensor, state: State, shown: list[Shown]) -> float:
    """Data, priors and time."""
    seen, options = problem.seen, problem.options
    parts = zip(blocks(len(seen.pts)), shown, strict=True)
    data = sum(frame_cost(problem, precision[rows], rows, part) for rows, part in parts)
    total = data + prior_term(state, seen, options)[0].sum() + time_term(state, seen, options).cost
    if problem.shared:
        total = total + shared_prior(state, problem.focal_prior, len(seen.pts), options)[0]
    return float(total)


def frame_cost(problem: Problem, precision: Tensor, rows: slice, shown: Shown) -> Tensor:
    """The cost of `frame_terms`, summed."""
    cost = data_cost(shown.landmarks, problem.seen.select(rows), precision, problem.options).sum()
    return cost if shown.skin is None else cost + photometric_cost(problem.appearance, shown.skin).sum()


def linearise(
    problem: Problem, precision: Tensor, state: State, shown: list[Shown]
) -> tuple[NormalEquations, np.ndarray]:
    """The normal equations at a state, which shows this, and which variables (T, D) rest on a bound."""
    seen, options = problem.seen, problem.options
    each = zip(blocks(len(seen.pts)), shown, strict=True)
    parts = [frame_terms(problem, precision[rows], state.select(rows), rows, part) for rows, part in each]
    _, prior_gradient, prior_hessian = prior_term(state, seen, options)
    time = time_term(state, seen, options)
    gradient = torch.cat([part.gradient for part in parts]) + prior_gradient + time.gradient
    hessian = torch.cat([part.blocks for part in parts]) + prior_hessian + torch.diag_embed(time.main)
    corner = sum(part.corner for part in parts)
    corner_gradient = sum(part.corner_gradient for part in parts)
    if problem.shared:
        _, shared_gradient, shared_hessian = shared_prior(state, problem.focal_prior, len(seen.pts), options)
        corner, corner_gradient = corner + torch.diag(shared_hessian), corner_gradient + shared_gradient
    equations = NormalEquations(
        hessian.numpy(),
        time.near.numpy(),
        time.far.numpy(),
        gradient.numpy(),
        torch.cat([part.border for part in parts]).numpy(),
        corner.numpy(),
        corner_gradient.numpy(),
    )
    return equations, bound_variables(problem, state, gradient).numpy()


def frame_terms(problem: Problem, precision: Tensor, state: State, rows: slice, shown: Shown) -> DataTerm:
    """Landmarks and, where there is an appearance, pictures of some frames, whose state and precision are given."""
    seen, options = problem.seen.select(rows), problem.options
    term = data_term(problem.model, shown.landmarks, state, seen, precision, options, problem.shared)
    return term if shown.skin is None else term + photometric_term(problem.appearance, shown.skin, state)


def bound_variables(problem: Problem, state: State, gradient: Float[Tensor, "T D"]) -> Tensor:
    """(T, D) variables on a bound that descent would push across it."""
    fixed = torch.zeros(len(gradient), FRAME_SIZE, dtype=torch.bool)
    low, high = problem.gaze_limit
    for part, values, below, above in (
        (WEIGHTS, state.weights, 0.0, 1.0),
        (GAZES, state.gaze, low, high),
    ):
        pull = gradient[:, part]
        fixed[:, part] = ((values <= below) & (pull > 0)) | ((values >= above) & (pull < 0))
    return fixed
