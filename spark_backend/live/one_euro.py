"""The one-euro filter: Casiez, Roussel and Vogel, "1 € Filter", CHI 2012. Calm when still, quick when moving."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

DERIVATIVE_CUTOFF = 1.0
"""Hz, as in the paper."""


@dataclass(frozen=True)
class OneEuroOptions:
    """How much is smoothed."""

    least_cutoff: float
    """Hz, for a value that rests: lower is calmer."""
    speed_factor: float
    """Hz more for each unit a second: higher lags less in motion."""


class OneEuro:
    """Smooths vectors that come one after the other, each number by itself."""

    def __init__(self, options: OneEuroOptions) -> None:
        self.options = options
        self.forget()

    def forget(self) -> None:
        """The next value is taken as it is."""
        self.value: np.ndarray | None = None
        self.speed: np.ndarray | None = None
        self.seconds = 0.0

    def __call__(self, value: Float[np.ndarray, "N"], seconds: float) -> Float[np.ndarray, "N"]:
        """The smoothed value at a time, which must not lie before the last."""
        elapsed = seconds - self.seconds
        if self.value is None or elapsed <= 0:
            self.value = np.array(value, float) if self.value is None else self.value
            self.speed = np.zeros(len(value)) if self.speed is None else self.speed
            self.seconds = seconds
            return self.value
        speed = (value - self.value) / elapsed
        self.speed = blend(self.speed, speed, smoothing_factor(elapsed, np.array([DERIVATIVE_CUTOFF])))
        cutoff = self.options.least_cutoff + self.options.speed_factor * np.abs(self.speed)
        self.value = blend(self.value, value, smoothing_factor(elapsed, cutoff))
        self.seconds = seconds
        return self.value


def smoothing_factor(elapsed: float, cutoff: np.ndarray) -> np.ndarray:
    """Part of the new value in an exponential filter of `cutoff` Hz after `elapsed` seconds."""
    ratio = 2 * np.pi * cutoff * elapsed
    return ratio / (ratio + 1)


def blend(old: np.ndarray, new: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """`factor` of the new value, the rest of the old."""
    return old + factor * (new - old)
