"""Smooth functions to paint with: soft steps, noise in space, mixing of colours. All work on arrays of points."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

PERIOD = 64
"""Cells of the noise's lattice along each axis."""


def ramp(value: np.ndarray, zero: float | np.ndarray, one: float | np.ndarray) -> np.ndarray:
    """0 at `zero` and before, 1 at `one` and beyond, Hermite's cubic in between; `one` may be the smaller."""
    t = np.clip((value - zero) / (one - zero), 0, 1)
    return t * t * (3 - 2 * t)


def bump(distance: np.ndarray, radius: float | np.ndarray) -> np.ndarray:
    """A bell of height 1; 0.37 at `radius`."""
    return np.exp(-((distance / radius) ** 2))


def mix(below: Float[np.ndarray, "N C"], above: np.ndarray, amount: Float[np.ndarray, "N"]) -> Float[np.ndarray, "N C"]:
    """`above`, one colour or (N, C), over `below`."""
    return below + (above - below) * amount[:, None]


def noise(points: Float[np.ndarray, "N 3"], scale: float, seed: int) -> Float[np.ndarray, "N"]:
    """Smooth noise in [-1, 1] about zero whose features measure about `scale`, in the unit of `points`.

    Random values on a cubic lattice, blended by the fade of Perlin (2002); it repeats after `PERIOD` features.
    """
    scaled = torch.as_tensor(np.ascontiguousarray(points, np.float32)) / scale
    cell = scaled.floor()
    fade = scaled - cell
    fade = fade * fade * fade * (fade * (fade * 6 - 15) + 10)
    place = (cell.remainder(PERIOD) + fade) * (2 / PERIOD) - 1
    sampled = grid_sample(lattice(seed), place[None, None, None], mode="bilinear", align_corners=True)
    return sampled[0, 0, 0, 0].numpy()


def lattice(seed: int) -> Float[Tensor, "1 1 P P P"]:
    """Random values in [-1, 1], the first of each axis again at its end."""
    values = np.random.default_rng(seed).uniform(-1, 1, (PERIOD, PERIOD, PERIOD)).astype(np.float32)
    return torch.from_numpy(np.pad(values, (0, 1), mode="wrap"))[None, None]


def fractal(points: Float[np.ndarray, "N 3"], scale: float, seed: int, octaves: int = 3) -> Float[np.ndarray, "N"]:
    """Noise of several scales, each half as large and half as strong as the one before; mostly in [-1, 1]."""
    return sum(0.5**k * noise(points, scale * 0.5**k, seed + k) for k in range(octaves))
