"""The solver: derivatives against finite differences, bounds, and a person and a performance that are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spark_backend.geometry.landmarks import LIPS
from spark_backend.heads.anny import load_anny
from spark_backend.protocol.names import ARKIT_52
from spark_backend.solve.banded import NormalEquations, solve_step
from spark_backend.solve.data_term import (
    LOWER,
    UPPER,
    data_cost,
    data_term,
    landmark_precision,
    project_landmarks,
    projected,
)
from spark_backend.solve.evidence import Evidence, evidence_of_encoder, evidence_of_scores
from spark_backend.solve.landmark_model import FREE, landmark_model, pose_landmarks
from spark_backend.solve.options import SolveOptions
from spark_backend.solve.prior_term import prior_term
from spark_backend.solve.solver import Problem, solve
from spark_backend.solve.start import initial_state, observations
from spark_backend.solve.state import FRAME_SIZE, Observations, State
from spark_backend.solve.time_term import time_term

FRAMES = 6
OPTIONS = SolveOptions()


@pytest.fixture(scope="module")
def head():
    return load_anny()


@pytest.fixture(scope="module")
def model(head):
    return landmark_model(head)


def random_state(model, seed: int = 0, frames: int = FRAMES) -> State:
    """A talking head half a metre away; smooth in time."""
    generator = np.random.default_rng(seed)
    phase = np.linspace(0, 2, frames)[:, None]
    wave = np.sin(phase * generator.uniform(1, 4, len(FREE)) + generator.uniform(0, 6, len(FREE)))
    weights = np.clip(0.4 * wave - 0.1, 0.02, 0.95)
    yaw = 0.3 * np.sin(phase[:, 0])
    rotation = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]).double() @ torch.stack(
        [torch.tensor([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) for a in yaw]
    )
    return State(
        rotation=rotation,
        place=torch.tensor(np.stack([0.02 + 0.01 * yaw, 0.2 + 0 * yaw, np.log(0.6) + 0.02 * yaw], 1)),
        weights=torch.tensor(weights),
        gaze=torch.tensor(0.1 * np.sin(phase + np.arange(4) + 0.5)),  # never 0, where the lids have a kink
        identity=torch.tensor(generator.normal(0, 0.5, model.skull_identity.shape[0])),
        log_focal=torch.log(torch.tensor([1100.0]).double()),
    )


def nothing_known(count: int) -> Evidence:
    """Of the expressions of `count` frames."""
    return evidence_of_scores(np.zeros((count, 52)), OPTIONS)


def seen_from(model, state: State, rate: float = 30.0) -> Observations:
    """Exact observations of a state."""
    count = len(state.weights)
    blank = observations(
        np.zeros((count, 478, 2)), nothing_known(count), np.zeros(count, int), np.arange(count) / rate, np.ones(count)
    )
    pose = pose_landmarks(model, state.identity, state.weights, state.gaze)
    _, pixels = project_landmarks(state, blank, pose)
    scale = state.log_focal.exp() * (model.pivots[1] - model.pivots[2]).norm() / state.translation[:, 2]
    return replace(blank, landmarks=pixels, scale=scale)


def test_gradient_of_the_data_term(model):
    """Against central differences, for every variable of a frame and some shared ones."""
    truth, state = random_state(model, 0), random_state(model, 1)
    seen = seen_from(model, truth)
    # A wide robust scale, so that the reweighted gradient is the cost's own to first order.
    options = replace(OPTIONS, outlier=1e4)
    shared = len(state.identity) + 1
    precision = landmark_precision(model, state, seen, options)
    term = data_term(model, projected(model, state, seen), state, seen, precision, options, shared=True)
    limit = torch.tensor([[-9.0] * 4, [9.0] * 4]).double()
    step = 1e-6

    def cost(frame: torch.Tensor, common: torch.Tensor) -> torch.Tensor:
        return data_cost(projected(model, state.moved(frame, common, limit), seen), seen, precision, options)

    for variable in range(FRAME_SIZE):
        nudge = torch.zeros(FRAMES, FRAME_SIZE, dtype=torch.float64)
        nudge[:, variable] = step
        none = torch.zeros(shared, dtype=torch.float64)
        numeric = (cost(nudge, none) - cost(-nudge, none)) / (2 * step)
        scale = term.gradient.abs().max()
        torch.testing.assert_close(term.gradient[:, variable], numeric, rtol=2e-4, atol=float(2e-4 * scale))
    for variable in (0, 5, 40, shared - 1):
        common = torch.zeros(shared, dtype=torch.float64)
        common[variable] = step
        still = torch.zeros(FRAMES, FRAME_SIZE, dtype=torch.float64)
        numeric = (cost(still, common) - cost(still, -common)).sum() / (2 * step)
        torch.testing.assert_close(term.corner_gradient[variable], numeric, rtol=2e-3, atol=1e-3)


def test_gradient_of_the_time_term(model):
    state = random_state(model, 2)
    seen = seen_from(model, state)
    seen = replace(seen, pts=torch.tensor([0, 1, 2, 4, 5, 6]).double() / 30)
    term = time_term(state, seen, OPTIONS)
    limit = torch.tensor([[-9.0] * 4, [9.0] * 4]).double()
    for frame, variable in ((0, 1), (2, 4), (3, 10), (5, 20), (2, FRAME_SIZE - 1)):
        nudge = torch.zeros(FRAMES, FRAME_SIZE, dtype=torch.float64)
        nudge[frame, variable] = 1e-6
        none = torch.zeros(0, dtype=torch.float64)
        up, down = (time_term(state.moved(sign * nudge, none, limit), seen, OPTIONS).cost for sign in (1, -1))
        numeric = (up - down) / 2e-6
        tolerance = 0.05 if variable < 3 else 1e-4  # turns are added as vectors, right to first order
        torch.testing.assert_close(term.gradient[frame, variable], numeric, rtol=tolerance, atol=1e-3)


def test_time_does_not_cross_cuts(model):
    state = random_state(model, 3)
    seen = seen_from(model, state)
    cut = replace(seen, clip=torch.tensor([0, 0, 0, 1, 1, 1]))
    term = time_term(state, cut, OPTIONS)
    assert (term.near[2] == 0).all()
    assert (term.far[1:3] == 0).all()
    assert (term.near[0] != 0).any()


def test_banded_solution_is_the_dense_one():
    generator = np.random.default_rng(0)
    count, size, shared = 7, 5, 3
    rows = generator.normal(size=(count, size, 4 * size))
    blocks = rows @ rows.transpose(0, 2, 1) + 10 * np.eye(size)
    near, far = generator.normal(size=(count, size)), generator.normal(size=(count, size))
    near[-1] = far[-2:] = 0
    border = generator.normal(size=(count, size, shared))
    corner = 200 * np.eye(shared)
    gradient, corner_gradient = generator.normal(size=(count, size)), generator.normal(size=shared)
    fixed = np.zeros((count, size), bool)
    fixed[2, 1] = fixed[6, 4] = True
    equations = NormalEquations(blocks, near, far, gradient, border, corner, corner_gradient)
    step, common = solve_step(equations, 0.1, fixed)

    dense = np.zeros((count * size + shared,) * 2)
    for t in range(count):
        here = slice(t * size, (t + 1) * size)
        dense[here, here] = blocks[t]
        dense[here, -shared:] = border[t]
        dense[-shared:, here] = border[t].T
        for ahead, coupling in ((1, near), (2, far)):
            if t + ahead < count:
                there = slice((t + ahead) * size, (t + ahead + 1) * size)
                dense[here, there] = dense[there, here] = np.diag(coupling[t])
    dense[-shared:, -shared:] = corner
    dense += 0.1 * np.diag(np.diag(dense))
    right = -np.concatenate([gradient.ravel(), corner_gradient])
    free = np.concatenate([~fixed.ravel(), np.ones(shared, bool)])
    expected = np.zeros(len(right))
    expected[free] = np.linalg.solve(dense[np.ix_(free, free)], right[free])
    np.testing.assert_allclose(np.concatenate([step.ravel(), common]), expected, rtol=1e-8, atol=1e-12)


def test_recovers_a_known_performance(head, model):
    """Exact landmarks of a known person: poses to a tenth of a degree, aperture and mouth to a few hundredths."""
    truth = random_state(model, 5, frames=20)
    seen = seen_from(model, truth)
    start, scale = initial_state(
        model, seen.landmarks.numpy(), np.zeros((20, len(FREE))), np.zeros(20, int), np.array([1000.0])
    )
    prior = torch.log(torch.tensor([1000.0]).double())
    problem = Problem(model, replace(seen, scale=torch.as_tensor(scale)), prior, True, OPTIONS)
    found = solve(problem, start)
    cosine = ((found.rotation.mT @ truth.rotation).diagonal(dim1=1, dim2=2).sum(1) - 1) / 2
    assert float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))).median()) < 1.5
    pose = pose_landmarks(model, found.identity, found.weights, found.gaze)
    _, pixels = project_landmarks(found, problem.seen, pose)
    error = (pixels - seen.landmarks).norm(dim=-1) / problem.seen.scale[:, None]
    assert float(error.mean()) < 0.006
    jaw = FREE.index("jawOpen")
    moving = truth.weights[:, jaw].std() > 0.05
    assert not moving or np.corrcoef(found.weights[:, jaw], truth.weights[:, jaw])[0, 1] > 0.9


def test_lids_that_are_seen_to_be_shut_are_shut(model):
    """Though the encoder believes in little more than half of the blink, and the frames around it are open."""
    truth, blink = random_state(model, 9, frames=20), [FREE.index("eyeBlinkLeft"), FREE.index("eyeBlinkRight")]
    weights = truth.weights.clone()
    weights[:, blink], weights[8:11, blink] = 0.0, 1.0
    seen = seen_from(model, replace(truth, weights=weights))
    seen = replace(seen, expected=0.6 * weights, trust=torch.full_like(weights, OPTIONS.encoder_sigma**-2))
    found = solve(Problem(model, seen, truth.log_focal, False, OPTIONS), truth)
    gap = openings(projected(model, found, seen).pixels, seen)[8:11, len(LIPS) :]
    assert float((gap - openings(seen.landmarks, seen)[8:11, len(LIPS) :]).abs().max()) < 0.02


def openings(pixels: torch.Tensor, seen: Observations) -> torch.Tensor:
    """Heights (T, O) of lips and lids in interocular distances."""
    return (pixels[:, UPPER] - pixels[:, LOWER]).norm(dim=-1) / seen.scale[:, None]


def test_weights_stay_in_bounds(model):
    truth = random_state(model, 6)
    seen = seen_from(model, truth)
    found = solve(Problem(model, seen, truth.log_focal, False, replace(OPTIONS, sparsity=30.0)), truth)
    assert (found.weights >= 0).all()
    assert (found.weights <= 1).all()
    assert (found.weights == 0).any()


def test_priors_pull_towards_the_evidence(model):
    state = random_state(model, 7)
    seen = seen_from(model, state)
    column = FREE.index("mouthSmileLeft")
    high = seen.expected.clone()
    high[:, column] = 1.0
    low_pull = prior_term(state, seen, OPTIONS)[1][:, 6 + column]
    high_pull = prior_term(state, replace(seen, expected=high), OPTIONS)[1][:, 6 + column]
    assert (high_pull < low_pull).all()


def test_scores_count_where_they_are_known_to_be_right():
    scores = np.zeros((1, 52))
    scores[0, ARKIT_52.index("eyeBlinkLeft")] = 0.55
    evidence = evidence_of_scores(scores, OPTIONS)
    assert evidence.expected[0, FREE.index("eyeBlinkLeft")] == 0.75
    assert evidence.trust[0, FREE.index("mouthSmileLeft")] == OPTIONS.score_sigma**-2
    assert evidence.trust[0, FREE.index("cheekPuff")] == 0


def test_an_encoder_that_sees_nothing_is_not_believed():
    evidence = evidence_of_encoder(np.full((2, 52), 0.5), np.array([1.0, 0.0]), OPTIONS)
    np.testing.assert_allclose(evidence.trust[0], OPTIONS.encoder_sigma**-2)
    assert (evidence.trust[1] == 0).all()


def test_evidence_tells_expressions_apart_that_landmarks_do_not(model):
    """Many mixtures of expressions put the landmarks at nearly the same places."""
    truth = random_state(model, 8, frames=30)
    seen = seen_from(model, truth)
    trust = torch.full_like(seen.expected, OPTIONS.encoder_sigma**-2)
    told = replace(seen, expected=truth.weights, trust=trust)
    start = replace(truth, weights=0 * truth.weights)
    alone, informed = (solve(Problem(model, s, truth.log_focal, False, OPTIONS), start).weights for s in (seen, told))
    assert (informed - truth.weights).abs().mean() < 0.5 * (alone - truth.weights).abs().mean()
