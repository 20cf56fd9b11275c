"""Fewer keys with a bound on the error. Plain numpy, no bpy."""

import numpy as np


def reduce_keys(times: np.ndarray, values: np.ndarray, tolerance: float) -> np.ndarray:
    """Indices (K,) of the keys to keep of curves (T, C) at rising times (T,), first and last among them.

    Straight lines between the kept keys differ from straight lines between all of them by at most `tolerance`, at any
    time, as the length of the vector of the C differences: both are straight between neighbouring keys, so the largest
    difference lies at a key. Every round keeps the worst key of each line that is too far off (Ramer, 1972).
    """
    count = len(times)
    if tolerance <= 0 or count < 3:
        return np.arange(count)
    kept = np.zeros(count, bool)
    kept[[0, -1]] = True
    while True:
        knots = np.flatnonzero(kept)
        lines = np.stack([np.interp(times, times[knots], column[knots]) for column in values.T], axis=1)
        error = np.linalg.norm(values - lines, axis=1)
        worst = np.maximum.reduceat(error, knots[:-1])
        segment = np.cumsum(kept) - 1
        segment[-1] -= 1
        (candidates,) = np.nonzero((error == worst[segment]) & (error > tolerance) & ~kept)
        if len(candidates) == 0:
            return knots
        _, first = np.unique(segment[candidates], return_index=True)
        kept[candidates[first]] = True
