"""The solver for one frame after the other: twin of the clip's solver, and a performance that is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from test_solve import FRAMES, OPTIONS, nothing_known, random_state, seen_from

from spark_backend.heads.anny import load_anny
from spark_backend.solve.data_term import landmark_precision
from spark_backend.solve.frame_model import FrameModel, FrameState
from spark_backend.solve.landmark_model import FREE, landmark_model
from spark_backend.solve.prior_term import prior_term
from spark_backend.solve.solver import Problem, linearise, look_at
from spark_backend.solve.state import WEIGHTS
from spark_backend.solve.streaming import EXPRESSIONS, StreamingSolver, quadratic_prior


@pytest.fixture(scope="module")
def model():
    head = load_anny()
    coefficients = np.random.default_rng(1).normal(0, 0.5, len(head.identity))
    return landmark_model(head, head.avatar(coefficients))


def frame_of(state, index: int) -> FrameState:
    return FrameState(*(getattr(state, name)[index].numpy() for name in ("rotation", "place", "weights", "gaze")))


def test_normal_equations_are_those_of_the_clips_solver(model):
    truth, state = random_state(model, 0), random_state(model, 1)
    seen = seen_from(model, truth)
    seen = replace(seen, landmarks=seen.landmarks + 2 * torch.randn(seen.landmarks.shape).double())
    focal = float(state.log_focal.exp()[0])
    twin = FrameModel(model, focal, OPTIONS)
    for index in range(FRAMES):
        rows = slice(index, index + 1)
        one, here = (
            replace(seen.select(rows), scale=torch.tensor([twin.scale(frame_of(state, index))])),
            state.select(rows),
        )
        precision = landmark_precision(model, here, one, OPTIONS)
        mine = twin.precision(frame_of(state, index), one.landmarks[0].numpy())
        np.testing.assert_allclose(mine, precision[0].numpy(), rtol=1e-4)
        problem = Problem(model, one, state.log_focal, False, OPTIONS)
        theirs, _ = linearise(problem, precision, here, look_at(problem, here))
        hessian, gradient = twin.equations(frame_of(state, index), one.landmarks[0].numpy(), mine)
        _, prior_gradient, prior_hessian = prior_term(here, one, OPTIONS)
        size = np.abs(theirs.blocks[0]).max()
        np.testing.assert_allclose(hessian + prior_hessian[0].numpy(), theirs.blocks[0], atol=1e-4 * size)
        ours = gradient + prior_gradient[0].numpy()
        np.testing.assert_allclose(ours, theirs.gradient[0], atol=2e-4 * np.abs(theirs.gradient[0]).max())


def test_the_prior_is_the_clips_prior(model):
    state = random_state(model, 3)
    known = torch.rand(2, FRAMES, len(FREE), generator=torch.Generator().manual_seed(0)).double()
    seen = replace(seen_from(model, state), expected=known[0], trust=9 * known[1])
    matrix, pull = quadratic_prior(OPTIONS)
    _, gradient, hessian = prior_term(state, seen, OPTIONS)
    for index in range(FRAMES):
        weights, trust = state.weights[index].numpy(), seen.trust[index].numpy()
        mine, own = matrix @ np.concatenate([np.zeros(6), weights, state.gaze[index].numpy()]) + pull, matrix.copy()
        mine[WEIGHTS] += trust * (weights - seen.expected[index].numpy())
        own[EXPRESSIONS] += trust
        np.testing.assert_allclose(mine, gradient[index].numpy(), atol=1e-9)
        np.testing.assert_allclose(own, hessian[index].numpy(), atol=1e-9)


def test_follows_a_known_performance(model):
    frames = 40
    truth = random_state(model, 0, frames)
    seen = seen_from(model, truth)
    solver = StreamingSolver(model, float(truth.log_focal.exp()[0]), OPTIONS)
    known = nothing_known(1)
    states = [solver(p, known, t) for p, t in zip(seen.landmarks.numpy(), seen.pts.numpy() + 1.0, strict=True)]
    turned = np.stack([s.rotation for s in states]) @ truth.rotation.mT.numpy()
    angle = np.degrees(np.arccos(np.clip((np.trace(turned, axis1=1, axis2=2) - 1) / 2, -1, 1)))
    assert np.median(angle) < 2.0
    depth = np.stack([s.translation for s in states])[:, 2] / truth.translation.numpy()[:, 2]
    np.testing.assert_allclose(depth, 1, atol=0.03)
    weights, known = np.stack([s.weights for s in states]), truth.weights.numpy()
    moving = known.std(0) > 0.05
    correlation = [np.corrcoef(weights[:, i], known[:, i])[0, 1] for i in np.flatnonzero(moving)]
    assert np.median(correlation) > 0.9
    gaze = np.stack([s.gaze for s in states])
    assert np.abs(gaze - truth.gaze.numpy()).max() < 0.12


def test_begins_anew_after_a_gap(model):
    truth = random_state(model, 0, 30)
    seen = seen_from(model, truth)
    solver = StreamingSolver(model, float(truth.log_focal.exp()[0]), OPTIONS)
    known = nothing_known(1)
    solver(seen.landmarks[0].numpy(), known, 1.0)
    after = solver(seen.landmarks[-1].numpy(), known, 9.0)
    fresh = StreamingSolver(model, float(truth.log_focal.exp()[0]), OPTIONS)(seen.landmarks[-1].numpy(), known, 9.0)
    np.testing.assert_allclose(after.weights, fresh.weights)
    held = solver(seen.landmarks[0].numpy(), known, 9.01)
    assert np.abs(held.weights - after.weights).max() < 1.0
