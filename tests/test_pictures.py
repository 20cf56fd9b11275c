"""Tracking by the pictures: cutting faces out, the photometric term, alignment with a known answer, long clips."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spark_backend.geometry.rotation import matrix_from_vector, vector_from_matrix
from spark_backend.heads.anny import load_anny
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.project import ClipInfo, Frames
from spark_backend.render.draw import one_material, render_frame
from spark_backend.solve import windows as windowing
from spark_backend.solve.appearance import Appearance, Glimpse, glimpse, learn_appearance, sample
from spark_backend.solve.data_term import project_landmarks
from spark_backend.solve.evidence import evidence_of_scores
from spark_backend.solve.landmark_model import FREE, landmark_model, pose_landmarks
from spark_backend.solve.options import SolveOptions
from spark_backend.solve.photometric_term import photometric_cost, photometric_term
from spark_backend.solve.pictures import SIZE, Crops, cut_out, look_up, pictures
from spark_backend.solve.solver import Problem, solve
from spark_backend.solve.start import observations
from spark_backend.solve.state import FRAME_SIZE, Observations, State
from spark_backend.solve.surface_points import pose_points, spread_points, surface_points
from spark_backend.solve.to_take import state_to_take
from spark_backend.solve.tracking import Skin, align

FRAMES, FOCAL, SIDE = 8, 500.0, 320


@pytest.fixture(scope="module")
def head():
    return load_anny()


@pytest.fixture(scope="module")
def avatar(head):
    return head.avatar()


def performance(seed: int, size: float) -> State:
    """Heads near a frontal pose half a metre away, turning and talking by `size`."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
    upright = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]], dtype=torch.float64)
    place = torch.tensor([0.0, 0.25, np.log(0.5)], dtype=torch.float64) + size * 0.1 * draw(FRAMES, 3)
    weights = torch.zeros(FRAMES, len(FREE), dtype=torch.float64)
    weights[:, FREE.index("jawOpen")] = 0.5 * torch.rand(FRAMES, generator=generator).double()
    return State(
        rotation=matrix_from_vector(size * draw(FRAMES, 3)) @ upright,
        place=place,
        weights=weights,
        gaze=torch.zeros(FRAMES, 4, dtype=torch.float64),
        identity=torch.zeros(0, dtype=torch.float64),
        log_focal=torch.tensor([np.log(FOCAL)]),
    )


def seen_from(model, state: State) -> Observations:
    """All but the landmarks, which are zero."""
    scale = FOCAL * float((model.pivots[1] - model.pivots[2]).norm()) / state.translation[:, 2].numpy()
    blank = (
        np.zeros((FRAMES, 478, 2)),
        evidence_of_scores(np.zeros((FRAMES, 52)), SolveOptions()),
        np.zeros(FRAMES, int),
        np.arange(FRAMES) * 1e3,
    )
    return observations(*blank, scale)


def described(count: int) -> tuple[ClipInfo, Frames]:
    """A clip of which nothing but its length and size matters."""
    info = ClipInfo("clip.mp4", "0", "h264", (SIDE, SIDE), 0, count, 30.0)
    zeros = np.zeros((count, 4)), np.zeros((count, 478, 3)), np.zeros((count, 52)), np.ones(count)
    return info, Frames(np.arange(count) / 30, np.ones(count, bool), *zeros)


def posed_heads(avatar, state: State) -> np.ndarray:
    """(T, V, 3) vertices in camera axes, by the product's own posing."""
    take = state_to_take(avatar, *described(len(state.weights)), state, FOCAL, {})
    return np.concatenate(list(pose_vertices(avatar, take)))


def filmed(avatar, state: State) -> Crops:
    """Renders of a blotchy skin, as crops; the camera is still."""
    noise = cv2.GaussianBlur(np.random.default_rng(0).random((512, 512, 3)).astype(np.float32), (0, 0), 4)
    surface = one_material(avatar.uv, avatar.uv_faces, 0.4 + 0.12 * (noise - noise.mean()) / noise.std())
    K = np.array([[FOCAL, 0, SIDE / 2], [0, FOCAL, SIDE / 2], [0, 0, 1.0]])
    zoom = 1.2
    cut = []
    for vertices in posed_heads(avatar, state):
        image = render_frame(vertices, avatar.faces, K, (SIDE, SIDE), surface=surface)
        cut.append(cut_out(image, np.full(2, SIDE / 2), zoom))
    return Crops(np.stack(cut), torch.zeros(FRAMES, 2), torch.full((FRAMES,), zoom))


@pytest.mark.parametrize("zoom", [0.25, 1.0, 2.5])
def test_a_dot_lands_where_the_crop_says(zoom):
    """A bright square of the picture, found again through `look_up`'s convention; half pixels count."""
    image, spot, centre = np.zeros((400, 500, 3), np.uint8), np.array([262.0, 214.0]), np.array([250.5, 200.25])
    image[210:218, 258:266] = 255  # its middle is (262, 214)
    crop = cut_out(image, centre, zoom).astype(float)
    rows, columns = np.mgrid[:SIZE, :SIZE] + 0.5
    middle = np.array([(columns * crop).sum(), (rows * crop).sum()]) / crop.sum()
    np.testing.assert_allclose(middle, (spot - centre) * zoom + SIZE / 2, atol=0.06)


def test_a_crop_beyond_the_picture_repeats_its_border():
    image = np.full((40, 60, 3), 90, np.uint8)
    assert set(np.unique(cut_out(image, np.array([5.0, 5.0]), 1.0))) <= {89, 90}


def test_slopes_are_those_of_the_values():
    """By pixels of the frame, against finite differences across half a pixel."""
    smooth = np.random.default_rng(1).integers(0, 255, (1, SIZE, SIZE)).astype(np.uint8)
    seen = pictures(Crops(smooth, torch.tensor([[3.0, -2.0]]), torch.tensor([1.6])), 4.0)
    pixels = 60 * torch.rand(1, 50, 2, generator=torch.Generator().manual_seed(0)) - 30
    value, slope, inside = look_up(seen, pixels)
    assert inside.all()
    assert value.std() > 0.01
    for axis in (0, 1):
        nudge = torch.zeros(2)
        nudge[axis] = 0.5
        numeric = look_up(seen, pixels + nudge)[0] - look_up(seen, pixels - nudge)[0]
        torch.testing.assert_close(slope[..., axis], numeric, rtol=0.1, atol=0.05 * float(slope.abs().max()))


def test_points_move_as_the_mesh_does(avatar):
    state = replace(performance(0, 0.1), gaze=0.2 * torch.ones(FRAMES, 4).double())
    face, bary = spread_points(avatar, 300)
    mesh = posed_heads(avatar, state)[:, avatar.faces[face]]
    expected = np.einsum("tnkc,nk->tnc", mesh, bary)
    found = pose_points(surface_points(avatar, face, bary), state).camera
    # Points of the jaw line follow the torso a little, which is not solved for.
    assert np.percentile(np.abs(found.numpy() - expected), 97) < 3e-4


def test_points_are_spread_evenly_over_the_front(avatar):
    face, bary = spread_points(avatar, 2000)
    places = np.einsum("nk,nkc->nc", bary, avatar.neutral[avatar.faces[face]])
    assert np.allclose(bary.sum(1), 1)
    assert (bary >= 0).all()
    assert abs((places[:, 0] > 0).mean() - 0.5) < 0.03, "as many left as right"
    again = spread_points(avatar, 2000)
    assert np.array_equal(face, again[0])
    assert np.array_equal(bary, again[1])


def test_gradient_of_the_photometric_term(avatar):
    """Against central differences of the cost, for turn, place, jaw, brow and gaze; float32 limits how well."""
    truth = performance(2, 0.03)
    state = replace(truth, place=truth.place + 0.001, gaze=0.3 * torch.ones(FRAMES, 4).double())
    model = landmark_model(load_anny(), avatar)
    seen = seen_from(model, state)
    crops = filmed(avatar, truth)
    seen_pictures = pictures(crops, 3.0)
    points = surface_points(avatar, *spread_points(avatar, 1500))
    albedo, known, _, light = learn_appearance(sample(points, seen_pictures, truth, seen), seen.clip)
    # Broad noise: the loss is then nearly quadratic, and its reweighted gradient its own.
    appearance = Appearance(points, seen_pictures, albedo, known, torch.tensor(1.0), light[0])

    def shown(there: State) -> Glimpse:
        return glimpse(points, seen_pictures, there, seen)

    term = photometric_term(appearance, shown(state), state)
    limit = torch.tensor([[-9.0] * 4, [9.0] * 4]).double()
    chosen = {0: 2e-3, 1: 2e-3, 3: 1e-3, 4: 1e-3, 5: 4e-3, 6 + FREE.index("jawOpen"): 0.02, FRAME_SIZE - 3: 0.05}
    for variable, step in chosen.items():
        nudge = torch.zeros(FRAMES, FRAME_SIZE, dtype=torch.float64)
        nudge[:, variable] = step
        none = torch.zeros(0, dtype=torch.float64)
        up, down = (photometric_cost(appearance, shown(state.moved(sign * nudge, none, limit))) for sign in (1, -1))
        numeric = (up - down) / (2 * step)
        cosine = term.gradient[:, variable] @ numeric / term.gradient[:, variable].norm() / numeric.norm()
        ratio = term.gradient[:, variable].norm() / numeric.norm()
        assert cosine > 0.9, (variable, float(cosine))
        assert 0.8 < ratio < 1.25, (variable, float(ratio))


def test_alignment_finds_what_the_landmarks_missed(head, avatar):
    """Rendered heads of known pose, whose landmarks are all off by a pixel, in each frame to another side: what strays
    from the mean error falls by half.
    """
    truth, model = performance(3, 0.05), landmark_model(head, avatar)
    seen = seen_from(model, truth)
    marks = project_landmarks(truth, seen, pose_landmarks(model, truth.identity, truth.weights, truth.gaze))[1]
    shift = torch.randn(FRAMES, 1, 2, generator=torch.Generator().manual_seed(9)).double()
    seen = replace(seen, landmarks=marks + shift)
    problem = Problem(model, seen, truth.log_focal, False, replace(SolveOptions(), evidence=0.02))
    start = solve(problem, truth)
    skin = Skin(surface_points(avatar, *spread_points(avatar, 1500)), filmed(avatar, truth))
    found = align(problem, start, skin, lambda part: None)

    face = avatar.regions["face"]

    def strays(state: State) -> float:
        points, true = (posed_heads(avatar, s)[:, face] for s in (state, truth))
        error = FOCAL * (points[..., :2] / points[..., 2:] - true[..., :2] / true[..., 2:])
        return float(np.linalg.norm(error - error.mean(0), axis=-1).mean())

    assert strays(start) > 0.8
    assert strays(found) < strays(start) / 2, (strays(found), strays(start))


@given(st.integers(1, 20_000))
def test_windows_cover_every_frame(count):
    pieces = windowing.windows(count)
    assert pieces[0].start == 0
    assert pieces[-1].stop == count
    assert all(0 < piece.stop - piece.start <= windowing.WINDOW for piece in pieces)
    for before, after in itertools.pairwise(pieces):
        assert before.start < after.start <= before.stop < after.stop
        assert before.stop - after.start == windowing.OVERLAP


def test_windows_fade_into_each_other():
    """Two windows that agree give their frames back; two that differ meet without a step."""
    whole = performance(4, 0.1)
    pieces = [slice(0, 5), slice(2, FRAMES)]
    same = windowing.faded([whole.select(piece) for piece in pieces], pieces)
    torch.testing.assert_close(same.rotation, whole.rotation)
    torch.testing.assert_close(same.weights, whole.weights)
    turn = torch.tensor([[0.0, 0.2, 0.0]]).double()
    other = replace(whole, rotation=matrix_from_vector(turn) @ whole.rotation, place=whole.place + 0.1)
    mixed = windowing.faded([whole.select(pieces[0]), other.select(pieces[1])], pieces)
    parts = torch.tensor([0, 0, 0.25, 0.5, 0.75, 1, 1, 1]).double()
    torch.testing.assert_close(mixed.place, whole.place + 0.1 * parts[:, None])
    angles = vector_from_matrix(mixed.rotation @ whole.rotation.mT).norm(dim=1)
    torch.testing.assert_close(angles, 0.2 * parts)
