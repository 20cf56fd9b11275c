"""Smoothing of curves whose keys need not be evenly spaced. Plain numpy, no bpy."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .stepwise import Steps, finished

REACH = 3.0
"""How many widths away a key still counts."""
SLACK = 1 + 1e-9
"""So that as many keys count behind as ahead, in spite of rounding."""
ACCENT = 0.2
"""Rise above both sides from which a peak is meant, in weights: a blink or a lip closure, not noise."""
TERMS_AT_ONCE = 250_000
"""Products of a value and its share in one step: some milliseconds."""
SHARES = 20
"""What a neighbour's share costs, in such products."""


def smooth(times: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    """Values (T, C) at rising times (T,), each replaced by a line fitted to its neighbours at that time.

    The neighbours weigh as a Gaussian of standard deviation `width` says, in the unit of the times. It looks equally
    far back and ahead, so nothing is delayed, and a straight line stays what it is, up to both ends and with uneven
    keys (local linear regression: Cleveland, 1979).
    """
    return finished(smooth_steps(times, values, width))


def smooth_steps(times: np.ndarray, values: np.ndarray, width: float) -> Steps[np.ndarray]:
    """`smooth`, some keys at a time."""
    if width <= 0 or len(times) < 3:
        return values
    ahead = np.searchsorted(times, times + REACH * width * SLACK, side="right") - np.arange(len(times))
    reach = int(ahead.max()) - 1
    moments, neighbours = windows(times, reach, np.inf), windows(values.T, reach, 0.0)
    result = np.empty(values.shape[::-1])
    rows = max(16, TERMS_AT_ONCE // ((2 * reach + 1) * (values.shape[1] + SHARES)))
    for first in range(0, len(times), rows):
        part = slice(first, first + rows)
        distance = moments[part] - times[part, None]
        near = np.abs(distance) <= REACH * width * SLACK
        distance = np.where(near, distance, 0.0)
        share = shares(distance, np.where(near, np.exp(-0.5 * (distance / width) ** 2), 0.0), width)
        result[:, part] = np.einsum("tk,ctk->ct", share, neighbours[:, part])
        yield
    return result.T


def shares(distance: np.ndarray, weight: np.ndarray, width: float) -> np.ndarray:
    """(T, K) how much of each neighbour's value the line at a key has, from their distances and weights (T, K)."""
    total, first, second = (np.einsum("tk,tk->t", weight, distance**power)[:, None] for power in (0, 1, 2))
    spread = total * second - first**2
    alone = spread < 1e-9 * (total * width) ** 2  # no neighbour in reach: there is no line, only the mean
    return np.where(alone, weight / total, weight * (second - first * distance) / np.where(alone, 1.0, spread))


def windows(values: np.ndarray, reach: int, beyond: float) -> np.ndarray:
    """(..., T, 2 reach + 1) of each of the values (..., T) with those around it, and `beyond` outside."""
    around = [(0, 0)] * (values.ndim - 1) + [(reach, reach)]
    return sliding_window_view(np.pad(values, around, constant_values=beyond), 2 * reach + 1, axis=-1)


def smooth_weights(times: np.ndarray, weights: np.ndarray, width: float) -> np.ndarray:
    """Weights (T, E) smoothed, except where an accent would lose height: there the curve stays as it was.

    From an accent's top to its feet the original fades into the smooth curve, so that every blink shuts the eye.
    """
    calm = smooth(times, weights, width)
    return calm if calm is weights else calm + finished(accent_steps(weights)) * (weights - calm)


def accent_steps(weights: np.ndarray) -> Steps[np.ndarray]:
    """(T, E): `accents` of each column of the weights."""
    kept = np.empty(weights.shape[::-1])
    for row, column in zip(kept, weights.T, strict=True):
        row[:] = accents(column)
        yield
    return kept.T


def accents(values: np.ndarray, rise: float = ACCENT) -> np.ndarray:
    """(T,) 1 in the upper half of every peak that rises by `rise` above both sides, falling to 0 at its feet."""
    kept = np.zeros(len(values))
    for top, feet in peaks(values, rise):
        part = slice(top - foot(values[top::-1], feet), top + foot(values[top:], feet) + 1)
        over = np.clip((values[part] - feet) / (values[top] - feet), 0, 1)
        kept[part] = np.maximum(kept[part], np.minimum(2 * over, 1))
    return kept


def foot(falling: np.ndarray, feet: float) -> int:
    """How many steps from a peak's top the curve first reaches the height of its feet."""
    near = 32
    while True:  # most feet are near, and a take is long
        low = falling[:near] <= feet
        first = int(low.argmax())
        if low[first] or near >= len(falling):
            return first if low[first] else len(falling) - 1
        near *= 4


def peaks(values: np.ndarray, rise: float) -> list[tuple[int, float]]:
    """Index of every top that rises by `rise` above both sides, and the height of its feet, from which its prominence
    counts; a flat top counts once, by its middle.
    """
    if len(values) < 3:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
    ends = np.concatenate([starts[1:], [len(values)]]) - 1
    at = turns(values[starts], rise)
    level, found = values[starts[at]], []
    before, after = lowest_before(level), lowest_before(level[::-1])[::-1]
    for turn in np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1:
        feet = max(before[turn], after[turn])
        if level[turn] - feet >= rise:
            found.append((int(starts[at[turn]] + ends[at[turn]]) // 2, float(feet)))
    return found


def lowest_before(level: np.ndarray) -> list[float]:
    """The lowest level between each one and the next higher one before it, or the beginning."""
    lowest, higher = [], []
    for value in level.tolist():
        low = value
        while higher and higher[-1][0] <= value:
            low = min(low, higher.pop()[1])
        higher.append((value, low))
        lowest.append(low)
    return lowest


def turns(level: np.ndarray, rise: float) -> np.ndarray:
    """Indices of both ends and of tops and bottoms in turn, without those pairs of neighbours that are closer than
    `rise` and than either is to its other neighbour: no prominence of the rest depends on them.
    """
    way = np.sign(np.diff(level))
    at = np.concatenate([[0], np.flatnonzero(way[1:] != way[:-1]) + 1, [len(level) - 1]])
    while len(at) > 3:
        step = np.abs(np.diff(level[at]))
        small = (step[1:-1] < rise) & (step[1:-1] <= step[:-2]) & (step[1:-1] <= step[2:])
        first = np.flatnonzero(small) + 1
        first = first[np.diff(first, prepend=-1) > 1]  # of two pairs that share a turn, the first
        if not len(first):
            break
        at = np.delete(at, np.concatenate([first, first + 1]))
    return at
