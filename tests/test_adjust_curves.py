"""Smoothing and key reduction of curves: known answers and bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_blender.scene.reduction import reduce_each, reduce_keys
from spark_blender.scene.smoothing import ACCENT, accents, peaks, smooth, smooth_weights

STEADY = settings(max_examples=60, deadline=None, derandomize=True)


def uneven_times(count: int, seed: int = 0) -> np.ndarray:
    """Times about 1/30 s apart, some twice as far."""
    gaps = np.random.default_rng(seed).choice([1 / 30, 1 / 25, 2 / 30], count)
    return np.cumsum(gaps)


def blink(times: np.ndarray, at: float, width: float = 0.06) -> np.ndarray:
    """A bump of height 1."""
    return np.exp(-0.5 * ((times - at) / width) ** 2)


def test_a_straight_line_stays_and_an_even_wave_is_not_delayed():
    times = uneven_times(200)
    line = np.stack([2 * times - 1, np.full_like(times, 0.25)], axis=1)
    np.testing.assert_allclose(smooth(times, line, 0.1), line, atol=1e-9)
    even = np.arange(301) / 30
    bump = blink(even, 5.0, 0.3)[:, None]
    calm = smooth(even, bump, 0.2)[:, 0]
    assert calm.argmax() == 150
    np.testing.assert_allclose(calm, calm[::-1], atol=1e-12)
    # a Gaussian of 0.3 smoothed by one of 0.2 has a standard deviation of hypot(0.3, 0.2)
    assert calm.max() == pytest.approx(0.3 / np.hypot(0.3, 0.2), rel=0.01)


def test_noise_shrinks_as_the_gaussian_says():
    times = np.arange(6000) / 30
    noise = np.random.default_rng(1).normal(size=(6000, 1))
    width = 0.1
    expected = np.sqrt(1 / (2 * np.sqrt(np.pi) * width * 30))
    assert smooth(times, noise, width)[200:-200].std() == pytest.approx(expected, rel=0.05)


def test_a_lone_key_far_from_all_others_stays():
    times = np.array([0.0, 0.1, 0.2, 9.0])
    values = np.array([[0.0], [1.0], [0.0], [0.7]])
    assert smooth(times, values, 0.1)[-1, 0] == 0.7


@pytest.mark.parametrize("rate", [24, 30, 60])
def test_blinks_keep_their_height_and_time_while_noise_goes(rate: int):
    times = np.arange(10 * rate) / rate
    clean = blink(times, 3.0) + blink(times, 3.4, 0.05) + 0.8 * blink(times, 7.0, 0.04)
    noisy = clean + np.random.default_rng(2).normal(scale=0.02, size=len(times))
    calm = smooth_weights(times, noisy[:, None], 0.1)[:, 0]
    assert smooth(times, noisy[:, None], 0.1).max() < 0.7, "plain smoothing would take the blinks away"
    for at in (3.0, 3.4, 7.0):
        near = np.abs(times - at) < 0.1
        assert calm[near].max() > 0.95 * noisy[near].max()
        assert calm[near].argmax() == noisy[near].argmax()
    quiet = (times > 4.2) & (times < 6.2)
    assert calm[quiet].std() < 0.5 * noisy[quiet].std()


@STEADY
@given(st.integers(0, 10_000), st.floats(0.02, 0.3), st.floats(0.03, 0.1))
def test_any_blink_keeps_nineteen_parts_of_twenty(seed: int, width: float, length: float):
    times = uneven_times(120, seed)
    at = times[np.random.default_rng(seed).integers(20, 100)]
    values = 0.1 + 0.85 * blink(times, at, length)
    calm = smooth_weights(times, values[:, None], width)[:, 0]
    assert calm.max() >= 0.95 * values.max()
    assert calm.min() >= -1e-9


def test_peaks_tell_top_and_feet():
    values = np.array([0.0, 0.5, 0.4, 0.9, 0.9, 0.9, 0.1, 0.3, 0.2])
    assert [top for top, _ in peaks(values, 0.15)] == [4]
    tops, feet = zip(*peaks(values, 0.05), strict=True)
    assert tops == (1, 4, 7)
    assert feet == (0.4, 0.1, 0.2)
    assert peaks(np.zeros(5), 0.1) == []


@STEADY
@given(st.integers(0, 10_000), st.integers(3, 150), st.sampled_from([1, 2, 9]))
def test_accents_are_what_they_are_said_to_be(seed: int, count: int, digits: int):
    """Against the definition, peak by peak and step by step; with few digits many levels are equal."""
    values = np.round(np.random.default_rng(seed).normal(scale=0.15, size=count).cumsum(), digits)
    expected = np.zeros(count)
    for top in range(count):
        sides = [values[: top + 1][::-1], values[top:]]
        reaches = [next((i for i, value in enumerate(side) if value > values[top]), len(side)) for side in sides]
        feet = max(side[:reach].min() for side, reach in zip(sides, reaches, strict=True))
        height = values[top] - feet
        if height < ACCENT:
            continue
        left, right = (next(i for i, value in enumerate(side) if value <= feet) for side in sides)
        part = slice(top - left, top + right + 1)
        expected[part] = np.maximum(expected[part], np.clip(2 * (values[part] - feet) / height, 0, 1))
    np.testing.assert_allclose(accents(values), expected, atol=1e-9)


@STEADY
@given(st.integers(0, 10_000), st.integers(2, 60), st.floats(1e-3, 0.5))
def test_curves_reduced_together_are_reduced_as_one_by_one(seed: int, count: int, tolerance: float):
    generator = np.random.default_rng(seed)
    times, vectors = np.cumsum(generator.uniform(0.01, 1, count)), generator.normal(scale=0.1, size=(5, count, 2))
    for kept, values in zip(reduce_each(times, vectors, tolerance), vectors, strict=True):
        np.testing.assert_array_equal(kept, reduce_keys(times, values, tolerance))


@STEADY
@given(st.integers(0, 10_000), st.integers(2, 200), st.integers(1, 4), st.floats(1e-4, 0.5))
def test_reduced_curves_stay_within_the_bound(seed: int, count: int, columns: int, tolerance: float):
    generator = np.random.default_rng(seed)
    times = np.cumsum(generator.uniform(0.01, 1, count))
    values = np.cumsum(generator.normal(scale=0.1, size=(count, columns)), axis=0)
    kept = reduce_keys(times, values, tolerance)
    assert kept[0] == 0
    assert kept[-1] == count - 1
    assert (np.diff(kept) > 0).all()
    anywhere = np.sort(np.concatenate([times, generator.uniform(times[0], times[-1], 300)]))
    full = np.stack([np.interp(anywhere, times, column) for column in values.T], axis=1)
    less = np.stack([np.interp(anywhere, times[kept], column[kept]) for column in values.T], axis=1)
    assert np.linalg.norm(full - less, axis=1).max() <= tolerance + 1e-12


def test_reduction_keeps_corners_only():
    times = np.arange(101.0)
    values = np.abs(times - 40)[:, None]
    np.testing.assert_array_equal(reduce_keys(times, values, 0.01), [0, 40, 100])
    np.testing.assert_array_equal(reduce_keys(times, np.full((101, 3), 0.3), 0.01), [0, 100])
    np.testing.assert_array_equal(reduce_keys(times, values, 0), np.arange(101))
    smoothly = np.sin(times / 10)[:, None]
    # chords of length h miss a sine of 10 frames a radian by h^2 / 800: at best one key in 6
    assert 16 <= len(reduce_keys(times, smoothly, 0.05)) < 26
