"""The Live Link Face recording: layout, times, weights, signs of the angles."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import RIG, toy_take

from spark_backend.pipeline.livelink import livelink_csv, timecodes
from spark_backend.protocol.livelink import livelink_angles, yaw_pitch_roll
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.placement import WORLD_FROM_CAMERA_QUATERNION
from spark_backend.protocol.posing import (
    axis_quaternion,
    joints_from_weights,
    multiply_quaternions,
    quaternion_to_matrix,
)
from spark_backend.protocol.take import Take
from spark_backend.protocol.timeline import Rate


def rows_of(take: Take) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(livelink_csv(take))))


def test_weights_come_back():
    take = toy_take()
    rows = rows_of(take)
    read = np.array([[float(row[name[0].upper() + name[1:]]) for name in ARKIT_52] for row in rows])
    np.testing.assert_allclose(read, take.weights, atol=1e-9)
    assert {row["BlendShapeCount"] for row in rows} == {"61"}


def test_an_expression_that_is_not_tracked_is_zero():
    take = toy_take()
    fewer = replace(take, names=take.names[:-1], weights=take.weights[:, :-1])
    assert {float(row["TongueOut"]) for row in rows_of(fewer)} == {0.0}


@pytest.mark.shared
def test_columns_are_those_of_a_real_recording(shared_data: Path):
    with open(shared_data / "expressions" / "livelinkface_alex_rom_3.csv", encoding="utf-8") as file:
        header = file.readline().strip()
    assert livelink_csv(toy_take(1)).splitlines()[0] == header


def test_timecode_counts_frames_of_the_clips_rate():
    assert timecodes(np.array([0, 1 / 30, 1.0, 3661.5]), Rate(30)) == [
        "00:00:00:00.000",
        "00:00:00:01.000",
        "00:00:01:00.000",
        "01:01:01:15.000",
    ]
    assert timecodes(np.array([1.001, 0.05]), Rate(24, 1.001)) == ["00:00:01:00.000", "00:00:00:01.199"]


def facing(turn: np.ndarray) -> np.ndarray:
    """(4,) head rotation of a face that looks into the camera and is then turned in its own axes."""
    to_camera = WORLD_FROM_CAMERA_QUATERNION * np.array([1, -1, -1, -1])
    return multiply_quaternions(to_camera, turn)


@pytest.mark.parametrize(
    ("axis", "angle", "expected"),
    [
        (2, 0.3, (0.3, 0, 0)),  # the nose goes to the subject's left
        (0, 0.2, (0, -0.2, 0)),  # down
        (1, 0.1, (0, 0, -0.1)),  # the crown leans to the subject's left
    ],
)
def test_head_angles(axis: int, angle: float, expected: tuple[float, float, float]):
    take = toy_take(1)
    turned = replace(take, head_rotation=facing(axis_quaternion(axis, np.array([angle]))))
    np.testing.assert_allclose(livelink_angles(turned)[0, :3], expected, atol=1e-12)


def test_eyes_look_to_the_subjects_right_and_down_at_positive_angles():
    take = toy_take(1)
    right = axis_quaternion(2, np.array([-0.25]))
    down = axis_quaternion(0, np.array([0.15]))
    angles = livelink_angles(replace(take, eye_left=right, eye_right=down))[0]
    np.testing.assert_allclose(angles[3:], [0.25, 0, 0, 0, 0.15, 0], atol=1e-12)


def test_yaw_pitch_roll_rebuild_the_rotation():
    rotation = toy_take(20).jaw
    yaw, pitch, roll = yaw_pitch_roll(rotation).T
    again = multiply_quaternions(
        axis_quaternion(2, yaw), multiply_quaternions(axis_quaternion(0, pitch), axis_quaternion(1, roll))
    )
    np.testing.assert_allclose(quaternion_to_matrix(again), quaternion_to_matrix(rotation), atol=1e-12)


@pytest.mark.shared
def test_eye_angles_have_the_signs_of_a_real_recording(shared_data: Path):
    """Our eyes, turned as the recording's look weights say, correlate with the recording's eye angles."""
    with open(shared_data / "expressions" / "livelinkface_alex_rom_3.csv", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["RightEyeRoll"]][::10]
    weights = np.array([[float(row[name[0].upper() + name[1:]]) for name in ARKIT_52] for row in rows])
    take = toy_take(len(rows))
    eyes = joints_from_weights(RIG, ARKIT_52, weights)
    ours = livelink_angles(replace(take, eye_left=eyes["eye_left"], eye_right=eyes["eye_right"]))
    for column, name in ((3, "LeftEyeYaw"), (4, "LeftEyePitch"), (6, "RightEyeYaw"), (7, "RightEyePitch")):
        theirs = np.array([float(row[name]) for row in rows])
        assert np.corrcoef(ours[:, column], theirs)[0, 1] > 0.95, name
