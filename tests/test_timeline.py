"""Times to frames, and curves that do not jump."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_backend.protocol.posing import quaternion_to_matrix
from spark_backend.protocol.timeline import (
    COMMON_RATES,
    Rate,
    frame_numbers,
    frame_range,
    nearest_rate,
    sign_continuous,
)


@pytest.mark.parametrize("rate", [Rate(*rate) for rate in COMMON_RATES])
def test_a_steady_clip_has_its_own_rate(rate: Rate):
    assert nearest_rate(np.arange(300) / rate.per_second) == rate


@pytest.mark.parametrize("rate", [Rate(24, 1.001), Rate(25), Rate(30, 1.001), Rate(30), Rate(60, 1.001), Rate(120)])
def test_times_rounded_to_milliseconds_do_not_disturb(rate: Rate):
    assert nearest_rate(np.round(np.arange(600) / rate.per_second, 3) + 0.7) == rate


def test_dropped_frames_do_not_disturb():
    kept = np.random.default_rng(0).random(200) < 0.65
    assert nearest_rate((np.arange(200) / 30)[kept]) == Rate(30)


def test_an_unusual_rate_becomes_a_whole_number():
    assert nearest_rate(np.arange(50) / 17.4) == Rate(17)
    assert nearest_rate(np.arange(5) * 3.0) == Rate(1)


@pytest.mark.parametrize("pts", [np.array([]), np.array([0.5])])
def test_too_few_times_for_a_rate(pts: np.ndarray):
    assert nearest_rate(pts) == Rate(24)


def test_fps_base_divides():
    assert frame_numbers(np.array([1.001]), Rate(30, 1.001), start=101)[0] == pytest.approx(131)


def test_frame_range_ends_with_the_last_time():
    assert frame_range(np.arange(24) / 30, Rate(30), 1) == (1, 24)
    assert frame_range(np.array([0.0]), Rate(30), 7) == (7, 7)
    assert frame_range(np.array([]), Rate(30), 7) == (7, 7)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(0, 1000))
def test_signs_become_continuous_and_rotations_stay(flips: list[bool], seed: int):
    generator = np.random.default_rng(seed)
    smooth = np.cumsum(generator.normal(size=(len(flips), 4)) * 0.05, axis=0) + generator.normal(size=4)
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    flipped = smooth * np.where(flips, -1.0, 1.0)[:, None]
    result = sign_continuous(flipped)
    assert np.all(np.sum(result[1:] * result[:-1], axis=1) >= 0)
    assert result[0, 0] >= 0
    np.testing.assert_allclose(quaternion_to_matrix(result), quaternion_to_matrix(smooth), atol=1e-12)
