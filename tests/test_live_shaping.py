"""Smoothing, calibration and strength: known answers."""

import numpy as np
import pytest
from toy_avatar import toy_avatar

from spark_backend.live.one_euro import OneEuro, OneEuroOptions, smoothing_factor
from spark_backend.live.shaping import FACING, Shaper, relative_weights
from spark_backend.live.tracker import Tracked
from spark_backend.protocol import posing
from spark_backend.protocol.live_commands import Adjust
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import multiply_quaternions, quaternion_to_matrix

RATE = 30.0


def axis_quaternion(axis: int, angle: float) -> np.ndarray:
    return posing.axis_quaternion(axis, np.array(angle))


def test_one_euro_is_the_papers_filter():
    """The first steps by hand: alpha = 1 / (1 + tau / T), tau = 1 / (2 pi f)."""
    smooth = OneEuro(OneEuroOptions(least_cutoff=1.0, speed_factor=0.5))
    assert smooth(np.array([0.0]), 0.0) == [0.0]
    period = 1 / RATE
    alpha = 1 / (1 + (1 / (2 * np.pi * 1.0)) / period)
    speed = alpha * (1.0 / period)
    cutoff = 1.0 + 0.5 * speed
    expected = 1 / (1 + (1 / (2 * np.pi * cutoff)) / period)
    np.testing.assert_allclose(smooth(np.array([1.0]), period), [expected])


def test_a_constant_stays_and_noise_shrinks():
    smooth, generator = OneEuro(OneEuroOptions(1.0, 0.0)), np.random.default_rng(0)
    noise = generator.normal(0, 0.1, 600)
    out = np.array([smooth(np.array([2.0 + n]), i / RATE)[0] for i, n in enumerate(noise)])[100:]
    assert abs(out.mean() - 2) < 0.02
    factor = float(smoothing_factor(1 / RATE, np.array([1.0]))[0])
    assert out.std() / 0.1 == pytest.approx(np.sqrt(factor / (2 - factor)), rel=0.2)


def test_motion_lags_less_with_the_speed_term():
    def lag(speed_factor: float) -> float:
        smooth = OneEuro(OneEuroOptions(0.5, speed_factor))
        return max(abs(smooth(np.array([i / RATE * 4]), i / RATE)[0] - i / RATE * 4) for i in range(30))

    assert lag(4.0) < 0.25 * lag(0.0)


def test_a_repeated_or_earlier_time_changes_nothing():
    smooth = OneEuro(OneEuroOptions(1.0, 0.0))
    smooth(np.array([1.0]), 1.0)
    assert smooth(np.array([9.0]), 1.0) == [1.0]
    assert smooth(np.array([9.0]), 0.5) == [1.0]


def tracked(weights=None, turn=None, place=(0.01, 0.02, 0.7)) -> Tracked:
    """A moment; `turn` in the avatar's axes."""
    full = np.zeros(52)
    for name, value in (weights or {}).items():
        full[ARKIT_52.index(name)] = value
    rotation = FACING if turn is None else multiply_quaternions(FACING, turn)
    return Tracked(full, rotation, np.array(place), 1.0)


def shaper(smoothing: float = 0.0) -> Shaper:
    result = Shaper(toy_avatar())
    result.adjust(Adjust(smoothing=smoothing))
    return result


def weight(pose, name: str) -> float:
    return float(pose.weights[ARKIT_52.index(name)])


def test_calibration_takes_the_resting_face_and_pose_off():
    shape, rest = shaper(), tracked({"mouthSmileLeft": 0.3, "eyeLookDownLeft": 0.2}, axis_quaternion(2, 0.4))
    shape.calibrate(1.0)
    for index in range(40):
        pose = shape(rest, index / RATE)
    assert shape.rest is not None
    assert weight(pose, "mouthSmileLeft") == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(np.abs(pose.head_rotation @ FACING), 1, atol=1e-9)
    np.testing.assert_allclose(np.abs(pose.neck), [1, 0, 0, 0], atol=1e-9)
    seen = quaternion_to_matrix(pose.head_rotation) @ shape.pivot + pose.head_translation
    np.testing.assert_allclose(seen[:2], 0, atol=1e-9)
    moved = tracked({"mouthSmileLeft": 1.0}, multiply_quaternions(axis_quaternion(2, 0.4), axis_quaternion(0, 0.2)))
    pose = shape(moved, 3.0)
    assert weight(pose, "mouthSmileLeft") == pytest.approx(1)
    assert weight(pose, "eyeLookUpLeft") == pytest.approx(0.2)  # the gaze is straight again, higher than at rest
    np.testing.assert_allclose(pose.neck, axis_quaternion(0, 0.2), atol=1e-9)


def test_calibration_waits_for_its_second_of_faces():
    shape = shaper()
    shape.calibrate(1.0)
    for index in range(29):
        shape(tracked({"jawOpen": 0.1}), index / RATE)
    assert shape.rest is None
    shape(tracked({"jawOpen": 0.1}), 1.0)
    assert shape.rest.weights[ARKIT_52.index("jawOpen")] == pytest.approx(0.1)


def test_one_odd_moment_does_not_spoil_the_calibration():
    shape = shaper()
    shape.calibrate(1.0)
    for index in range(31):
        shape(tracked({"eyeBlinkLeft": 1.0 if index in (9, 10, 11) else 0.05}), index / RATE)
    assert shape.rest.weights[ARKIT_52.index("eyeBlinkLeft")] == pytest.approx(0.05)


def test_relative_weights_reach_both_ends():
    generator = np.random.default_rng(2)
    rest = np.zeros(52)
    rest[ARKIT_52.index("browInnerUp")] = 0.4
    weights = generator.uniform(0, 1, 52)
    weights[ARKIT_52.index("browInnerUp")] = 1.0
    result = relative_weights(weights, rest)
    assert result[ARKIT_52.index("browInnerUp")] == 1.0
    assert relative_weights(rest, rest).max() == 0


def test_strength_acts_on_all_and_on_one():
    shape = shaper()
    shape.adjust(Adjust(strength=0.5, strengths={"jawOpen": 3.0}, smoothing=0.0))
    pose = shape(tracked({"jawOpen": 0.4, "mouthPucker": 0.4}), 0.0)
    assert weight(pose, "jawOpen") == pytest.approx(0.6)
    assert weight(pose, "mouthPucker") == pytest.approx(0.2)
    angle = 2 * np.arccos(pose.jaw[0])
    assert angle == pytest.approx(toy_avatar().rig.jaw_open * 0.6)


def test_smoothing_calms_and_keeps_rotations_unit_across_their_sign():
    shape, generator = shaper(1.0), np.random.default_rng(0)
    rotations = []
    for index in range(60):
        turn = axis_quaternion(2, 0.3 + generator.normal(0, 0.02)) * (-1) ** index
        rotations.append(shape(tracked(turn=turn), index / RATE).head_rotation)
    rotations = np.array(rotations)[20:]
    np.testing.assert_allclose(np.linalg.norm(rotations, axis=1), 1)
    angles = 2 * np.arccos(np.clip(np.abs(rotations @ multiply_quaternions(FACING, axis_quaternion(2, 0.3))), 0, 1))
    assert angles.max() < 0.025
