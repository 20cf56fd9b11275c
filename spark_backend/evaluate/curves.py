"""How alike two takes of one performance are, curve by curve."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..protocol.take import Take

MOVES = 0.1
"""Range of a weight in the reference from which on it moves."""


@dataclass(frozen=True)
class Agreement:
    """Pearson's correlations of a take's weights with a reference's, of those that move."""

    names: tuple[str, ...]
    correlations: Float[np.ndarray, "N"]
    """0 for a weight that stands still in the take."""
    pooled: float
    """Of all of them together, each about its own mean: what moves most counts most."""


def agreement(take: Take, reference: Take, delay: float = 0.0) -> Agreement:
    """Compares at the times of the take's valid frames; with a `delay` (seconds) the take is that much late.

    `ValueError` when nothing moves or the two share no time.
    """
    names = tuple(n for n in reference.names if n in take.names and np.ptp(reference.weight(n)) > MOVES)
    values = take.weights[take.valid][:, [take.names.index(name) for name in names]]
    return compare(names, take.pts[take.valid] - delay, values, reference)


def compare(
    names: tuple[str, ...], times: Float[np.ndarray, "T"], values: Float[np.ndarray, "T N"], reference: Take
) -> Agreement:
    """The same for weights by name at times that the reference, interpolated there, need not cover."""
    inside = (times >= reference.pts[0]) & (times <= reference.pts[-1])
    if not names or inside.sum() < 2:
        raise ValueError("the takes have nothing in common that moves")
    theirs = np.stack([np.interp(times[inside], reference.pts, reference.weight(name)) for name in names], 1)
    ours, theirs = values[inside] - values[inside].mean(0), theirs - theirs.mean(0)
    correlations = np.array([correlation(*pair) for pair in zip(ours.T, theirs.T, strict=True)])
    return Agreement(names, correlations, correlation(ours.ravel(), theirs.ravel()))


def correlation(a: Float[np.ndarray, "T"], b: Float[np.ndarray, "T"]) -> float:
    """Pearson's, 0 when one of the two does not move."""
    a, b = a - a.mean(), b - b.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 1e-12 else 0.0
