"""The made-up performance, its footage, and the figures that compare with its truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.pipeline.footage import FOCAL, RATE, SIZE, clothes, make_footage
from spark_backend.pipeline.measure import (
    clip_figures,
    correlation,
    landmark_error,
    rotation_error,
    second_difference,
    truth_figures,
)
from spark_backend.pipeline.performance import perform
from spark_backend.pipeline.views import posed_frames, project_points
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import (
    axis_quaternion,
    joint_transforms,
    joints_from_weights,
    multiply_quaternions,
    quaternion_to_matrix,
)
from spark_backend.protocol.project import Frames
from spark_backend.protocol.take import Take

K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])


@pytest.fixture(scope="module")
def performance() -> Take:
    return perform(toy_avatar(), 3, 12.0, RATE, K, SIZE)


def test_weights_are_what_arkit_records(performance: Take):
    assert performance.weights.min() == 0
    assert performance.weights.max() <= 1
    assert performance.names == ARKIT_52
    assert np.all(performance.weights[0] == 0)
    assert (performance.weights.std(0) > 0.02).sum() >= 25
    assert max(perform(toy_avatar(), seed, 12.0, RATE, K, SIZE).weights.max() for seed in range(8)) == 1


def test_lids_close_whole_and_within_a_tenth_of_a_second(performance: Take):
    closure = performance.weight("eyeBlinkLeft")
    assert closure.max() > 0.8
    shut = closure > 0.5
    lengths = np.diff(np.flatnonzero(np.diff(np.concatenate([[0], shut, [0]]))))[::2]
    assert 1 <= len(lengths) <= 12
    assert lengths.max() <= 0.25 * RATE


def test_eyes_look_the_same_way(performance: Take):
    left = performance.weight("eyeLookOutLeft") - performance.weight("eyeLookInLeft")
    right = performance.weight("eyeLookInRight") - performance.weight("eyeLookOutRight")
    np.testing.assert_allclose(left, right, atol=1e-12)
    assert np.abs(left).max() > 0.2


def test_a_seed_gives_one_performance_and_another_seed_another(performance: Take):
    again = perform(toy_avatar(), 3, 12.0, RATE, K, SIZE)
    np.testing.assert_array_equal(performance.weights, again.weights)
    other = perform(toy_avatar(), 4, 12.0, RATE, K, SIZE)
    assert np.abs(performance.weights - other.weights).max() > 0.3


def test_the_body_stays_upright_while_the_head_turns(performance: Take):
    avatar = toy_avatar()
    transforms = joint_transforms(avatar, performance)
    root, head = transforms[:, 0, :3, :3], transforms[:, 2, :3, :3]
    np.testing.assert_allclose(root, np.broadcast_to(root[0], root.shape), atol=1e-9)
    assert np.abs(head - head[0]).max() > 0.1
    middle = np.median(project_points(transforms[:, 4, :3, 3] + 0 * head[:, :, 0], performance.K), 0)
    assert np.isfinite(middle).all()


def test_joints_follow_the_weights(performance: Take):
    expected = joints_from_weights(toy_avatar().rig, ARKIT_52, performance.weights)
    for name, rotation in expected.items():
        np.testing.assert_array_equal(getattr(performance, name), rotation)


def test_the_face_fills_the_picture_without_leaving_it(performance: Take):
    avatar = toy_avatar()
    pixels = np.stack([project_points(p, performance.K) for p in posed_frames(avatar, performance)])
    seen = pixels[:, avatar.regions["face"]]
    assert seen.min() > -20
    assert seen.max() < SIZE[0] + 20
    assert np.ptp(seen[0], axis=0).min() > 0.2 * SIZE[0]


def test_clothes_are_a_closed_ring_below_the_head():
    avatar = toy_avatar()
    vertices, faces = clothes(avatar)
    assert np.isfinite(vertices).all()
    assert faces.min() == 0
    assert faces.max() == len(vertices) - 1
    assert vertices[:, 2].max() < avatar.joints[avatar.joint_names.index("head"), 2]


def landmarks_of(avatar, take: Take) -> Frames:
    """What a perfect detector would find."""
    triangles = avatar.faces[avatar.landmark_face]
    found = np.stack(
        [
            project_points(np.einsum("lc,lcx->lx", avatar.landmark_bary, points[triangles]), take.K)
            for points in posed_frames(avatar, take)
        ]
    )
    count = len(take.pts)
    landmarks = np.concatenate([found, np.zeros((count, 478, 1))], -1)
    return Frames(
        pts=take.pts,
        valid=np.ones(count, bool),
        box=np.zeros((count, 4)),
        landmarks=landmarks,
        scores=np.zeros((count, 52)),
        confidence=np.ones(count),
    )


def test_a_perfect_take_has_no_landmark_error():
    avatar, take = toy_avatar(), toy_take()
    figures = clip_figures(avatar, take, landmarks_of(avatar, take))
    assert figures.reprojection == pytest.approx(0, abs=1e-4)
    assert (figures.found, figures.frames) == (24, 24)


def test_a_shift_of_the_landmarks_is_measured_in_pupil_distances():
    observed = np.zeros((478, 3))
    observed[468], observed[473] = (100, 50, 0), (160, 50, 0)
    assert landmark_error(observed[:, :2] + (3, 4), observed) == pytest.approx(100 * 5 / 60)


def test_frames_without_a_face_do_not_count():
    avatar, take = toy_avatar(), toy_take()
    frames = landmarks_of(avatar, take)
    valid = np.arange(24) != 7
    landmarks = frames.landmarks.copy()
    landmarks[7] = np.nan
    figures = clip_figures(avatar, take, replace(frames, valid=valid, landmarks=landmarks))
    assert figures.reprojection == pytest.approx(0, abs=1e-4)
    assert figures.found == 23
    nothing = clip_figures(avatar, take, replace(frames, valid=np.zeros(24, bool)))
    assert np.isnan(nothing.reprojection)


def test_second_difference_of_a_known_motion():
    time = np.arange(10)[:, None, None]
    steady = time * np.array([0.001, 0, 0]) * np.ones((10, 5, 3))
    assert second_difference(steady, np.ones(10, bool)) == pytest.approx(0, abs=1e-9)
    assert second_difference(0.5e-3 * steady * 0 + 0.5e-3 * time**2 * np.eye(3)[0], np.ones(10, bool)) == pytest.approx(
        1
    )
    gap = np.ones(10, bool)
    gap[::2] = False
    assert np.isnan(second_difference(steady, gap))


def test_a_perfect_take_agrees_with_the_truth():
    avatar, take = toy_avatar(), toy_take()
    figures = truth_figures(avatar, take, avatar, take)
    assert figures.correlation == pytest.approx(1)
    assert figures.weight_error == 0
    assert figures.rotation == pytest.approx(0, abs=1e-3)
    assert figures.reprojection == pytest.approx(0, abs=1e-6)
    assert figures.jitter == figures.true_jitter > 0


def test_errors_of_known_size_are_found():
    avatar, take = toy_avatar(), toy_take()
    worse = replace(take, weights=np.clip(take.weights, 0.1, None) - 0.1)
    assert truth_figures(avatar, worse, avatar, take).weight_error == pytest.approx(
        float(np.minimum(take.weights[take.valid], 0.1).mean()), abs=1e-6
    )
    seen = replace(take, valid=np.arange(24) < 12)
    spoilt = replace(seen, weights=np.where(np.arange(24)[:, None] < 12, take.weights, 0))
    assert truth_figures(avatar, spoilt, avatar, take).weight_error == 0


def test_a_constant_turn_is_a_convention_but_a_wobble_is_an_error():
    truth = toy_take().head_rotation
    offset = axis_quaternion(0, np.array(0.3))
    assert rotation_error(multiply_quaternions(truth, offset), truth) == pytest.approx(0, abs=1e-3)
    wobble = axis_quaternion(2, np.radians(np.where(np.arange(24) % 2, 2.0, -2.0)))
    assert rotation_error(multiply_quaternions(truth, wobble), truth) == pytest.approx(2, abs=0.02)


def test_correlation_of_what_does_not_move_is_none():
    assert correlation(np.ones(5), np.arange(5.0)) == 0
    assert correlation(-np.arange(5.0), np.arange(5.0)) == pytest.approx(-1)


@pytest.mark.slow
def test_a_detector_of_real_faces_finds_the_made_up_one_where_it_is(tmp_path: Path):
    from spark_backend.heads.anny import load_anny
    from spark_backend.video.ingest import ingest_clip

    footage = make_footage(load_anny(), tmp_path, 7, 0.5, lambda event: None)
    info = ingest_clip(footage.video, tmp_path / "clip", report=lambda event: None)
    from spark_backend.protocol.project import load_clip

    _, frames = load_clip(tmp_path / "clip")
    assert info.coverage == 1.0
    np.testing.assert_allclose(frames.pts, footage.take.pts, atol=1e-4)
    assert clip_figures(footage.avatar, footage.take, frames).reprojection < 6
    nose = footage.avatar.faces[footage.avatar.landmark_face[1]]
    first = next(posed_frames(footage.avatar, footage.take))
    place = project_points(footage.avatar.landmark_bary[1] @ first[nose], footage.take.K)
    assert np.linalg.norm(place - frames.landmarks[0, 1, :2]) < 12
    assert np.allclose(quaternion_to_matrix(footage.take.head_rotation[0]) @ [0, -1, 0], [0, 0, -1])
