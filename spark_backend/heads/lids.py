"""Eyelids that just meet: how far a blink must go on a given face."""

import numpy as np


def closing_weight(neutral: np.ndarray, blink: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> float:
    """The weight of a blink (V, 3) at which the margins (vertex indices) of the lids meet on a head (V, 3).

    MakeHuman made its blink for eyes more open than the average person's, where it drives one lid through the other.
    """
    order = lower[np.argsort(neutral[lower, 0])]
    x = neutral[upper, 0]
    gap = neutral[upper, 2] - np.interp(x, neutral[order, 0], neutral[order, 2])
    closing = np.interp(x, neutral[order, 0], blink[order, 2]) - blink[upper, 2]
    return float(np.median(gap / closing))
