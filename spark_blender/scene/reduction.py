"""Fewer keys with a bound on the error. Plain numpy, no bpy."""

import numpy as np

from .stepwise import Steps, finished

KEYS_AT_ONCE = 40_000
"""So many fit into a processor's cache; a thousand alone take longer to ask for than to work out."""


def reduce_keys(times: np.ndarray, values: np.ndarray, tolerance: float) -> np.ndarray:
    """Indices (K,) of the keys to keep of a vector's curves (T, C) at rising times (T,), first and last among them.

    Straight lines between the kept keys differ from straight lines between all of them by at most `tolerance`, at any
    time, as the length of the vector of the C differences: both are straight between neighbouring keys, so the largest
    difference lies at a key.
    """
    return reduce_each(times, values[None], tolerance)[0]


def reduce_each(times: np.ndarray, vectors: np.ndarray, tolerance: float) -> list[np.ndarray]:
    """`reduce_keys` of each of the vectors (N, T, C) by itself, many at once: curves are laid end to end."""
    return finished(reduce_steps(times, vectors, tolerance))


def reduce_steps(times: np.ndarray, vectors: np.ndarray, tolerance: float) -> Steps[list[np.ndarray]]:
    """`reduce_each`, step by step."""
    number, count, width = vectors.shape
    if tolerance <= 0 or count < 3:
        return [np.arange(count)] * number
    kept = np.zeros((number, count), bool)
    kept[:, [0, -1]] = True
    together = curves_at_once(count)
    for first in range(0, number, together):
        part = slice(first, first + together)
        values = vectors[part].reshape(-1, width)
        yield from keep_worst(np.resize(times, len(values)), values, kept[part].reshape(-1), tolerance)
    return [np.flatnonzero(row) for row in kept]


def curves_at_once(keys: int) -> int:
    """How many curves of so many keys are worked on together."""
    return max(1, KEYS_AT_ONCE // keys)


def keep_worst(times: np.ndarray, values: np.ndarray, kept: np.ndarray, tolerance: float) -> Steps[None]:
    """Marks in `kept` (T,), where ends are marked, the keys of the curves (T, C) without which lines are too far off.

    Every round, a step, keeps the worst key of each line between kept keys that is too far off (Ramer, 1972).
    """
    columns, knots, unsure = [*np.ascontiguousarray(values.T)], np.flatnonzero(kept), np.flatnonzero(~kept)
    line = np.searchsorted(knots, unsure)
    left, right = knots[line - 1], knots[line]
    while len(unsure):
        share = (times[unsure] - times[left]) / (times[right] - times[left])
        missed = (column[unsure] - column[left] - share * (column[right] - column[left]) for column in columns)
        error = np.sqrt(sum(part**2 for part in missed))
        first = np.flatnonzero(np.diff(left, prepend=-1))
        sizes, worst = np.diff(first, append=len(left)), np.maximum.reduceat(error, first)
        (candidates,) = np.nonzero(error == np.repeat(worst, sizes))
        new = unsure[candidates[np.flatnonzero(np.diff(left[candidates], prepend=-1))]]
        wrong = worst > tolerance  # a line that is near enough stays as it is
        kept[new[wrong]] = True
        new = np.repeat(new, sizes)
        rest = np.repeat(wrong, sizes) & (unsure != new)
        unsure, new = unsure[rest], new[rest]
        left, right = np.where(unsure > new, new, left[rest]), np.where(unsure < new, new, right[rest])
        yield
