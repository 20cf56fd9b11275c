"""Many sightings of the same texels to one colour: robust, seamless in the large, sharp in the small."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from .texels import TexelMap

COARSE = 9 / 1024
"""Standard deviation of the filter that parts tone from detail, in widths of the map: about 5 mm on a face."""
OUTLIER = 0.12
"""Relative difference of a colour from the others' at which it counts half."""
PARTS = 8
"""In which the map is worked through, so that memory stays small and whoever waits can stop it."""
SELECTIVE = 4
"""Power by which detail prefers the best frame."""


@dataclass(frozen=True)
class Blend:
    """The colour of each texel and how much it is worth."""

    colour: Float[np.ndarray, "N C"]
    weight: Float[np.ndarray, "N"]
    """Root of the sum of the frames' squared weights: many poor sights do not make a good one. 0 where not seen."""

    @property
    def confidence(self) -> Float[np.ndarray, "N"]:
        """In [0, 1)."""
        return 1 - np.exp(-self.weight / 0.25)


def blend(
    texels: TexelMap,
    colours: Float[np.ndarray, "M N C"],
    weights: Float[np.ndarray, "M N"],
    sharpness: Float[np.ndarray, "M"],
    told: Callable[[float], None] = lambda done: None,
) -> Blend:
    """Blends tone and detail apart (Burt and Adelson 1983): tone as a robust mean of all frames, detail from the best.

    `sharpness` tells frames of equal size and angle apart. `told` hears now and then how much is done.
    """
    robust = np.empty_like(weights)
    for number in range(PARTS):
        told(0.5 * number / PARTS)
        part = slice(number * len(weights[0]) // PARTS, (number + 1) * len(weights[0]) // PARTS)
        robust[:, part] = weights[:, part] * agreement(colours[:, part], weights[:, part])
    tone, detail = np.zeros_like(colours[0]), np.zeros_like(colours[0])
    tone_sum, detail_sum = np.zeros(len(texels.texel), np.float32), np.zeros(len(texels.texel), np.float32)
    best = (robust * sharpness[:, None]).max(0).clip(1e-6)
    sigma = COARSE * texels.size
    for number, (colour, weight, crispness) in enumerate(zip(colours, robust, sharpness, strict=True)):
        told(0.5 + 0.5 * number / len(colours))
        low = smooth_over_map(texels, colour, weight > 1e-4, sigma)
        share = smooth_over_map(texels, weight[:, None], np.ones(len(weight), bool), sigma / 2)[:, 0] * (weight > 1e-4)
        tone += share[:, None] * low
        tone_sum += share
        pick = (weight * crispness / best) ** SELECTIVE * (weight > 1e-4)
        detail += pick[:, None] * (colour - low)
        detail_sum += pick
    colour = tone / tone_sum.clip(1e-6)[:, None] + detail / detail_sum.clip(1e-6)[:, None]
    return Blend(colour.clip(0), np.where(tone_sum > 1e-6, np.sqrt((robust**2).sum(0)), 0))


def agreement(
    colours: Float[np.ndarray, "M N C"], weights: Float[np.ndarray, "M N"], rounds: int = 4
) -> Float[np.ndarray, "M N"]:
    """In [0, 1]: how well each colour agrees with the others of its texel (Cauchy weights about their median)."""
    centre = weighted_median(colours, weights)
    for _ in range(rounds):
        scale = OUTLIER * (centre.sum(1) + 0.03)
        residual = np.abs(colours - centre).sum(2) / scale
        agrees = 1 / (1 + residual**2)
        total = (weights * agrees)[..., None]
        centre = (total * colours).sum(0) / total.sum(0).clip(1e-9)
    return agrees.astype(np.float32)


def weighted_median(colours: Float[np.ndarray, "M N C"], weights: Float[np.ndarray, "M N"]) -> Float[np.ndarray, "N C"]:
    """The colour whose brightness is the weighted median of its texel."""
    order = np.argsort(colours.sum(2), axis=0)
    running = np.cumsum(np.take_along_axis(weights, order, 0), axis=0)
    middle = (running < 0.5 * running[-1]).sum(0).clip(max=len(colours) - 1)
    chosen = np.take_along_axis(order, middle[None], 0)[0]
    return colours[chosen, np.arange(colours.shape[1])]


def smooth_over_map(
    texels: TexelMap, values: Float[np.ndarray, "N C"], known: np.ndarray, sigma: float
) -> Float[np.ndarray, "N C"]:
    """Gaussian mean over the map of the known texels' values; `sigma` in texels. Zero far from any."""
    size = texels.size
    picture = np.zeros((size * size, values.shape[1] + 1), np.float32)
    picture[texels.texel, :-1] = values * known[:, None]
    picture[texels.texel, -1] = known
    # A wide Gaussian is as good on a coarser map, and many times faster.
    step = int(max(1, min(8, sigma // 2)))
    picture = picture.reshape(size, size, -1)
    if step > 1:
        small = (-(-size // step),) * 2
        picture = cv2.resize(picture, small, interpolation=cv2.INTER_AREA)
    picture = cv2.GaussianBlur(picture, (0, 0), sigma / step)
    if step > 1:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_LINEAR)
    picture = picture.reshape(size * size, -1)[texels.texel]
    return picture[:, :-1] / picture[:, -1:].clip(1e-5)
