"""Levenberg-Marquardt over all frames together, weights held in [0, 1] by an active set."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .appearance import Appearance
from .banded import NormalEquations, solve_step
from .data_term import DataTerm, data_cost, data_term, landmark_precision
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
    """Levenberg and Marquardt's steps until the cost no longer falls, with the landmarks' precision (T, L) held."""
    damping, options = 1e-3, problem.options
    cost = total_cost(problem, precision, state)
    for iteration in range(options.iterations):
        tick(iteration / options.iterations)
        equations, fixed = linearise(problem, precision, state)
        trial, trial_cost = state, np.inf
        while trial_cost >= cost and damping < LARGEST_DAMPING:
            trial = try_step(problem, state, equations, fixed, damping)
            trial_cost = np.inf if trial is None else total_cost(problem, precision, trial)
            damping = max(damping / 5, SMALLEST_DAMPING) if trial_cost < cost else damping * 6
        if trial is None or trial_cost >= cost:
            break
        gain, state, cost = (cost - trial_cost) / cost, trial, trial_cost
        if gain < options.tolerance:
            break
    tick(1.0)
    return state


def try_step(
    problem: Problem, state: State, equations: NormalEquations, fixed: np.ndarray, damping: float
) -> State | None:
    """The state after one damped step; None when the damped matrix cannot be factorised."""
    try:
        frame_step, shared_step = solve_step(equations, damping, fixed)
    except np.linalg.LinAlgError:
        return None
    return state.moved(torch.as_tensor(frame_step), torch.as_tensor(shared_step), problem.gaze_limit)


def total_cost(problem: Problem, precision: Tensor, state: State) -> float:
    """Data, priors and time."""
    seen, options = problem.seen, problem.options
    data = sum(frame_cost(problem, precision[rows], state.select(rows), rows) for rows in blocks(len(seen.pts)))
    total = data + prior_term(state, seen, options)[0].sum() + time_term(state, seen, options).cost
    if problem.shared:
        total = total + shared_prior(state, problem.focal_prior, len(seen.pts), options)[0]
    return float(total)


def frame_cost(problem: Problem, precision: Tensor, state: State, rows: slice) -> Tensor:
    """The cost of `frame_terms`, summed."""
    seen, look = problem.seen.select(rows), problem.appearance
    cost = data_cost(problem.model, state, seen, precision, problem.options).sum()
    return cost if look is None else cost + photometric_cost(look, look.pictures.select(rows), state, seen).sum()


def linearise(problem: Problem, precision: Tensor, state: State) -> tuple[NormalEquations, np.ndarray]:
    """The normal equations at a state and which variables (T, D) rest on a bound."""
    seen, options = problem.seen, problem.options
    parts = [frame_terms(problem, precision[rows], state.select(rows), rows) for rows in blocks(len(seen.pts))]
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


def frame_terms(problem: Problem, precision: Tensor, state: State, rows: slice) -> DataTerm:
    """Landmarks and, where there is an appearance, pictures of some frames, whose state and precision are given."""
    seen, look = problem.seen.select(rows), problem.appearance
    term = data_term(problem.model, state, seen, precision, problem.options, problem.shared)
    if look is None:
        return term
    return term + photometric_term(look, look.pictures.select(rows), state, seen)


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
