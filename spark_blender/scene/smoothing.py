"""Smoothing of curves whose keys need not be evenly spaced. Plain numpy, no bpy."""

from collections.abc import Iterator

import numpy as np

REACH = 3.0
"""How many widths away a key still counts."""
ACCENT = 0.2
"""Rise above both sides from which a peak is meant, in weights: a blink or a lip closure, not noise."""


def smooth(times: np.ndarray, values: np.ndarray, width: float) -> np.ndarray:
    """Values (T, C) at rising times (T,), each replaced by a line fitted to its neighbours at that time.

    The neighbours weigh as a Gaussian of standard deviation `width` says, in the unit of the times. It looks equally
    far back and ahead, so nothing is delayed, and a straight line stays what it is, up to both ends and with uneven
    keys (local linear regression: Cleveland, 1979).
    """
    if width <= 0 or len(times) < 3:
        return values
    total, ahead, square = (np.zeros(len(times)) for _ in range(3))
    mean, slope = np.zeros(values.shape), np.zeros(values.shape)
    for distance, near, far in neighbours(times, REACH * width):
        weight = np.exp(-0.5 * (distance / width) ** 2)
        total[near] += weight
        ahead[near] += weight * distance
        square[near] += weight * distance**2
        mean[near] += weight[:, None] * values[far]
        slope[near] += (weight * distance)[:, None] * values[far]
    spread = total * square - ahead**2
    alone = spread < 1e-9 * (total * width) ** 2
    spread = np.where(alone, 1.0, spread)
    line = (square[:, None] * mean - ahead[:, None] * slope) / spread[:, None]
    return np.where(alone[:, None], mean / total[:, None], line)


def neighbours(times: np.ndarray, reach: float) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """For each step k: the distances from keys to their k-th neighbours within reach, and both keys' indices."""
    count = len(times)
    yield np.zeros(count), np.arange(count), np.arange(count)
    for step in range(1, count):
        distance = times[step:] - times[:-step]
        (first,) = np.nonzero(distance <= reach * (1 + 1e-9))  # as many behind as ahead, in spite of rounding
        if len(first) == 0:
            return
        yield distance[first], first, first + step
        yield -distance[first], first + step, first


def smooth_weights(times: np.ndarray, weights: np.ndarray, width: float) -> np.ndarray:
    """Weights (T, E) smoothed, except where an accent would lose height: there the curve stays as it was.

    From an accent's top to its feet the original fades into the smooth curve, so that every blink shuts the eye.
    """
    calm = smooth(times, weights, width)
    if calm is weights:
        return weights
    kept = np.stack([accents(column) for column in weights.T], axis=1) if weights.shape[1] else weights
    return calm + kept * (weights - calm)


def accents(values: np.ndarray, rise: float = ACCENT) -> np.ndarray:
    """(T,) 1 in the upper half of every peak that rises by `rise` above both sides, falling to 0 at its feet."""
    kept = np.zeros(len(values))
    for top, height in peaks(values, rise):
        over = np.clip((values - (values[top] - height)) / height, 0, 1)
        left, right = foot(over[top::-1]), foot(over[top:])
        part = slice(top - left, top + right + 1)
        kept[part] = np.maximum(kept[part], np.minimum(2 * over[part], 1))
    return kept


def foot(falling: np.ndarray) -> int:
    """How many steps from a peak's top the curve first reaches the height of its feet."""
    (ends,) = np.nonzero(falling <= 0)
    return int(ends[0]) if len(ends) else len(falling) - 1


def peaks(values: np.ndarray, rise: float) -> list[tuple[int, float]]:
    """Index and prominence of every top of at least that prominence; a flat top counts once, by its middle."""
    if len(values) < 3:
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(values)) + 1])
    ends = np.concatenate([starts[1:], [len(values)]]) - 1
    level = values[starts]
    inner = np.flatnonzero((level[1:-1] > level[:-2]) & (level[1:-1] > level[2:])) + 1
    found = []
    for run in inner[level[inner] - level.min() >= rise]:
        higher = np.flatnonzero(level > level[run])
        before = higher[higher < run].max(initial=-1) + 1
        after = higher[higher > run].min(initial=len(level))
        height = level[run] - max(level[before:run].min(), level[run + 1 : after].min())
        if height >= rise:
            found.append((int(starts[run] + ends[run]) // 2, float(height)))
    return found
