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
    unsure = np.arange(count)
    while True:
        knots = np.flatnonzero(kept)
        lines = [np.interp(times[unsure], times[knots], column[knots]) for column in values.T]
        error = np.linalg.norm(values[unsure] - np.stack(lines, axis=1), axis=1)
        segment = np.searchsorted(knots, unsure, side="right")
        _, first, sizes = np.unique(segment, return_index=True, return_counts=True)
        worst = np.repeat(np.maximum.reduceat(error, first), sizes)
        wrong = worst > tolerance
        if not wrong.any():
            return knots
        (candidates,) = np.nonzero(wrong & (error == worst))
        _, first = np.unique(segment[candidates], return_index=True)
        kept[unsure[candidates[first]]] = True
        unsure = unsure[wrong]  # a line that is near enough stays as it is
