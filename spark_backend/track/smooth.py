"""Smoothing of whole takes without delay, that keeps blinks and plosives.

Least squares to what was measured and to small second differences over the true times, in which large
second differences cost less and less (Cauchy's loss, reached from a convex start). Noise has many small ones, but a
blink, a saccade or lips that meet have a few large ones.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.linalg import solveh_banded

RATE = 30.0
"""Frames a second for which the deviations of second differences are given."""
LONGEST_GAP = 0.25
"""Seconds; frames farther apart do not know each other."""
CONVEX_ROUNDS, ROBUST_ROUNDS = 3, 4


@dataclass(frozen=True)
class Steadiness:
    """How one quantity behaves."""

    noise: float
    """Standard deviation of a measurement."""
    jerk: float
    """Standard deviation of a second difference at `RATE`."""
    tolerance: float = 2.0
    """Second differences beyond so many deviations are motion."""


def smooth_columns(
    values: Float[np.ndarray, "T C"], pts: Float[np.ndarray, "T"], how: list[Steadiness]
) -> Float[np.ndarray, "T C"]:
    """Each column by its own `how`; `pts` are seconds, increasing."""
    parts = np.split(np.arange(len(pts)), np.flatnonzero(np.diff(pts) > LONGEST_GAP) + 1)
    result = values.astype(float).copy()
    for part in parts:
        if len(part) < 3:
            continue
        second = second_differences(pts[part])
        for column, steadiness in enumerate(how):
            result[part, column] = smooth(values[part, column].astype(float), second, steadiness)
    return result


def second_differences(pts: Float[np.ndarray, "T"]) -> Float[np.ndarray, "N 3"]:
    """Factors of three neighbours each: a plain second difference where frames are 1 / `RATE` apart."""
    step = np.diff(pts) * RATE
    scale = 2 / (step[:-1] + step[1:])
    left, right = scale / step[:-1], scale / step[1:]
    return np.stack([left, -(left + right), right], 1)


def smooth(values: Float[np.ndarray, "T"], second: Float[np.ndarray, "N 3"], how: Steadiness) -> Float[np.ndarray, "T"]:
    """One quantity, by iteratively reweighted least squares."""
    weight, result = np.ones(len(second)), values
    for number in range(CONVEX_ROUNDS + ROBUST_ROUNDS):
        result = penalised(values, second, weight * (how.noise / how.jerk) ** 2)
        size = np.abs(second[:, 0] * result[:-2] + second[:, 1] * result[1:-1] + second[:, 2] * result[2:])
        relative = size / (how.tolerance * how.jerk)
        robust = number >= CONVEX_ROUNDS - 1
        weight = 1 / (1 + relative**2) if robust else 1 / np.maximum(relative, 1)
    return result


def penalised(
    values: Float[np.ndarray, "T"], second: Float[np.ndarray, "N 3"], strength: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "T"]:
    """The least of |x - values|^2 + sum of strength (second differences of x)^2."""
    count = len(values)
    band = np.zeros((3, count))
    band[2] = 1
    for i in range(3):
        band[2, i : count - 2 + i] += strength * second[:, i] ** 2
    for i in range(2):
        band[1, 1 + i : count - 1 + i] += strength * second[:, i] * second[:, i + 1]
    band[0, 2:] += strength * second[:, 0] * second[:, 2]
    return solveh_banded(band, values, check_finite=False)
