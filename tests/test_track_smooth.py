"""Smoothing and gaps: noise goes, blinks and plosives stay, nothing jumps."""

import numpy as np
import pytest

from spark_backend.track.gaps import bridge_rotations, bridge_values
from spark_backend.track.smooth import second_differences, smooth, smooth_columns
from spark_backend.track.take import LIDS, MOUTH, REST, TURN

RATE = 30.0
PTS = np.arange(150) / RATE


def blinks(pts: np.ndarray) -> np.ndarray:
    """Lids that shut within 90 ms and open again after 180, four times."""
    since = pts[:, None] - np.array([0.7, 1.9, 3.03, 4.2])
    fall, rise = np.clip(1 + since / 0.09, 0, 1), np.clip(1 - (since - 0.03) / 0.18, 0, 1)
    return np.where(since < 0, fall, rise).max(1)


def plosives(pts: np.ndarray) -> np.ndarray:
    """A jaw that speaks at four syllables a second and shuts for a tenth of a second between them."""
    return 0.35 * np.abs(np.sin(2 * np.pi * 2.0 * pts)) ** 0.7


def closed(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Values where the truth is shut."""
    return values[(truth < 0.02) & (np.arange(len(truth)) > 2)]


def test_offline_smoothing_removes_noise():
    random = np.random.default_rng(0)
    truth = 0.3 + 0.2 * np.sin(2 * np.pi * 0.8 * PTS)
    noisy = truth + random.normal(0, 0.03, len(PTS))
    calm = smooth_columns(noisy[:, None], PTS, [REST])[:, 0] - truth
    assert calm.std() < 0.6 * 0.03
    error = smooth_columns(noisy[:, None], PTS, [MOUTH])[:, 0] - truth
    assert error.std() < 0.75 * 0.03
    assert np.abs(np.diff(error, 2)).mean() < 0.5 * np.abs(np.diff(noisy - truth, 2)).mean()


def test_offline_smoothing_keeps_blinks():
    truth = blinks(PTS)
    found = smooth_columns(truth[:, None], PTS, [LIDS])[:, 0]
    peaks = np.flatnonzero(truth == truth.max())
    assert (truth[peaks] - found[peaks]).max() < 0.05


def test_offline_smoothing_lets_lips_meet():
    truth = plosives(PTS)
    found = smooth_columns(truth[:, None], PTS, [MOUTH])[:, 0]
    assert closed(found, truth).max() < 0.03
    assert found.max() > 0.95 * truth.max()


def test_offline_smoothing_does_not_delay():
    ramp = np.clip((PTS - 2) / 0.4, 0, 1)
    found = smooth_columns(ramp[:, None], PTS, [MOUTH])[:, 0]
    delays = np.interp([0.2, 0.5, 0.8], found, PTS) - np.interp([0.2, 0.5, 0.8], ramp, PTS)
    assert np.abs(delays).max() < 0.005


def test_smoothing_knows_true_times():
    """A straight line stays straight when a frame is missing."""
    pts = np.delete(PTS, [40, 41, 77])
    line = 2 * pts - 1
    found = smooth(line, second_differences(pts), TURN)
    np.testing.assert_allclose(found, line, atol=1e-9)


def test_smoothing_does_not_cross_gaps():
    pts = np.concatenate([PTS[:50], PTS[:50] + 4])
    values = np.concatenate([np.zeros(50), np.ones(50)])
    np.testing.assert_allclose(smooth_columns(values[:, None], pts, [MOUTH])[:, 0], values, atol=1e-12)


@pytest.mark.parametrize("fill", [False, True])
def test_face_is_lost_and_found_without_a_jump(fill):
    valid = np.ones(len(PTS), bool)
    valid[40:70] = False
    truth = np.stack([np.where(PTS < 1.5, 0.1, 0.8), PTS], 1)[valid]
    found = bridge_values(truth, PTS, valid, fill)
    np.testing.assert_array_equal(found[valid], truth)
    assert np.abs(np.diff(found[:, 0])).max() < 0.7 / 4
    held = np.flatnonzero(~valid)[:15]
    assert (found[held, 0] == 0.1).all() != fill


def test_rotations_bridge_the_short_way():
    valid = np.ones(len(PTS), bool)
    valid[:5] = valid[40:70] = valid[140:] = False
    angle = np.where(PTS < 1.5, 0.2, -0.3)[valid]
    quaternions = np.stack([np.cos(angle / 2), 0 * angle, np.sin(angle / 2), 0 * angle], 1)
    quaternions[60:] *= -1
    found = bridge_rotations(quaternions, PTS, valid, True)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1)
    turns = 2 * np.arccos(np.clip(np.abs((found[1:] * found[:-1]).sum(1)), 0, 1))
    assert turns.max() < 0.06
    assert (found[1:] * found[:-1]).sum(1).min() > 0.9
    np.testing.assert_allclose(found[0], found[5])
