"""What may be changed of a performance: known answers, and what must not change."""

from dataclasses import replace

import numpy as np
import pytest

from spark_backend.protocol.names import ARKIT_52, mirrored
from spark_backend.protocol.posing import axis_quaternion
from spark_blender.scene.performance import (
    REGIONS,
    Adjustments,
    Performance,
    RestFace,
    adjusted,
    mean_rotation,
    region_of,
    rest_face,
)

TIMES = np.arange(90) / 30


def turn(axis: int, angles: np.ndarray) -> np.ndarray:
    """(T, 4)"""
    return axis_quaternion(axis, angles)


@pytest.fixture
def captured() -> Performance:
    """Three seconds in which everything moves."""
    phase = np.linspace(0, 6, len(ARKIT_52))
    weights = 0.5 + 0.5 * np.sin(3 * TIMES[:, None] + phase)
    waves = {
        "root": turn(2, 0.5 + 0.2 * np.sin(TIMES)),
        "neck": turn(0, 0.1 * TIMES),
        "jaw": turn(0, 0.3 * np.sin(TIMES) ** 2),
        "eye_left": turn(2, 0.2 * np.sin(5 * TIMES)),
        "eye_right": turn(2, 0.3 * np.sin(5 * TIMES)),
    }
    place = np.stack([0.1 * TIMES, 0.3 + 0 * TIMES, np.sin(TIMES)], axis=1)
    return Performance(TIMES, ARKIT_52, weights, waves, {"root": place})


def angles(rotation: np.ndarray, axis: int) -> np.ndarray:
    """(T,) about one axis, for rotations about that axis."""
    return 2 * np.arctan2(rotation[:, 1 + axis], rotation[:, 0])


def assert_same(a: Performance, b: Performance) -> None:
    np.testing.assert_allclose(a.seconds, b.seconds, atol=1e-12)
    np.testing.assert_allclose(a.weights, b.weights, atol=1e-12)
    for ours, theirs in ((a.rotations, b.rotations), (a.locations, b.locations)):
        assert set(ours) == set(theirs)
        for bone, values in ours.items():
            np.testing.assert_allclose(values, theirs[bone], atol=1e-12)


def test_no_adjustment_changes_nothing(captured):
    assert_same(adjusted(captured, Adjustments()), captured)


def test_every_expression_has_a_region():
    assert {region_of(name) for name in ARKIT_52} == set(REGIONS) - {"head"}
    expected = {"browInnerUp": "brows", "eyeBlinkLeft": "eyes", "jawOpen": "jaw", "cheekPuff": "mouth"}
    assert {name: region_of(name) for name in expected} == expected


def test_strength_scales_one_region_and_no_other(captured):
    strong = adjusted(captured, Adjustments(strengths={"jaw": 1.5}, key_strengths={"jawOpen": 0.5, "tongueOut": 0}))
    for index, name in enumerate(ARKIT_52):
        factor = {"jawOpen": 0.75, "tongueOut": 0.0}.get(name, 1.5 if name.startswith("jaw") else 1.0)
        np.testing.assert_allclose(strong.weights[:, index], factor * captured.weights[:, index])
    np.testing.assert_allclose(angles(strong.rotations["jaw"], 0), 0.45 * np.sin(TIMES) ** 2, atol=1e-12)
    np.testing.assert_array_equal(strong.rotations["neck"], captured.rotations["neck"])


def test_no_head_strength_leaves_the_head_in_its_mean_pose(captured):
    still = adjusted(captured, Adjustments(strengths={"head": 0.0}))
    mean = mean_rotation(captured.rotations["root"])
    np.testing.assert_allclose(still.rotations["root"], np.tile(mean, (90, 1)), atol=1e-12)
    np.testing.assert_allclose(still.locations["root"], np.tile(captured.locations["root"].mean(0), (90, 1)))
    double = adjusted(captured, Adjustments(strengths={"head": 2.0}))
    middle = angles(mean[None], 2)
    expected = middle + 2 * (angles(captured.rotations["root"], 2) - middle)
    np.testing.assert_allclose(angles(double.rotations["root"], 2), expected, atol=1e-9)


def test_mirror_exchanges_sides_and_twice_is_nothing(captured):
    once = adjusted(captured, Adjustments(mirror=True))
    for index, name in enumerate(ARKIT_52):
        np.testing.assert_array_equal(once.weights[:, index], captured.weights[:, ARKIT_52.index(mirrored(name))])
    np.testing.assert_allclose(angles(once.rotations["eye_left"], 2), -angles(captured.rotations["eye_right"], 2))
    np.testing.assert_allclose(once.rotations["jaw"], captured.rotations["jaw"], atol=0)
    np.testing.assert_allclose(once.locations["root"][:, 0], -captured.locations["root"][:, 0])
    assert_same(adjusted(once, Adjustments(mirror=True)), captured)


def test_the_rest_face_becomes_neutral(captured):
    rest = rest_face(captured, 1.0, 1.0)
    calm = adjusted(captured, Adjustments(rest=rest))
    np.testing.assert_allclose(calm.weights[30], 0, atol=1e-12)
    assert calm.weights.min() == 0
    expected = np.maximum(captured.weights - captured.weights[30], 0)
    np.testing.assert_allclose(calm.weights, expected, atol=1e-12)
    np.testing.assert_allclose(calm.rotations["jaw"][30], [1, 0, 0, 0], atol=1e-12)
    np.testing.assert_allclose(angles(calm.rotations["jaw"], 0), 0.3 * (np.sin(TIMES) ** 2 - np.sin(1) ** 2), atol=1e-9)


def test_the_rest_face_is_the_median_and_needs_no_key_at_the_frame(captured):
    rest = rest_face(captured, 0.5, 1.5)
    assert rest.weights["jawOpen"] == pytest.approx(np.median(captured.weights[15:46, ARKIT_52.index("jawOpen")]))
    between = rest_face(captured, 1.01, 1.01)
    assert between.weights["jawOpen"] == captured.weights[30, ARKIT_52.index("jawOpen")]


def test_weights_below_zero_stay_where_nothing_is_subtracted(captured):
    below = replace(captured, weights=captured.weights - 0.6)
    np.testing.assert_array_equal(adjusted(below, Adjustments(rest=RestFace())).weights, below.weights)


def test_trim_makes_keys_at_both_ends(captured):
    part = adjusted(captured, Adjustments(trim=(0.51, 2.0)))
    assert part.seconds[0] == 0.51
    assert part.seconds[-1] == 2.0
    np.testing.assert_allclose(part.weights[0], 0.7 * captured.weights[15] + 0.3 * captured.weights[16], atol=1e-9)
    np.testing.assert_allclose(part.weights[1:], captured.weights[16:61], atol=1e-12)
    assert_same(adjusted(captured, Adjustments(trim=(2.0, 1.0))), captured)


@pytest.mark.parametrize("blend", [0.5, 99.0])
def test_a_loop_ends_as_it_begins(captured, blend: float):
    loop = adjusted(captured, Adjustments(loop=blend))
    np.testing.assert_allclose(loop.weights[-1], loop.weights[0], atol=1e-12)
    np.testing.assert_allclose(loop.locations["root"][-1], loop.locations["root"][0], atol=1e-12)
    for rotation in loop.rotations.values():
        assert abs(rotation[0] @ rotation[-1]) == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(np.linalg.norm(rotation, axis=1), 1)
    if blend < 1:
        np.testing.assert_array_equal(loop.weights[:70], captured.weights[:70])


def test_smoothing_keeps_quaternions_whole_and_calms_noise(captured):
    generator = np.random.default_rng(0)
    rough = turn(0, 0.3 + 0.02 * generator.normal(size=90))
    noisy = replace(captured, rotations={**captured.rotations, "jaw": rough})
    calm = adjusted(noisy, Adjustments(smoothing=0.1)).rotations["jaw"]
    np.testing.assert_allclose(np.linalg.norm(calm, axis=1), 1)
    assert angles(calm, 0).std() < 0.5 * angles(rough, 0).std()
