"""Guesses what is in front of a face (hair, hands, a microphone): what differs from the rendered face beyond doubt."""

import cv2
import numpy as np
from jaxtyping import Float

FLOOR = 0.02
"""Added to linear colours before their logarithm, so that the dark does not count as different."""
WIDE, NARROW = 0.025, 0.0025
"""Metres: over which the light may differ from the estimated one, and of the smallest thing that is seen."""
DOUBT = 0.16
"""Least spread of the difference (natural logarithm) that is put down to shading, tracking and texture."""
SURE, SURER = 3.5, 5.0
"""Spreads between which something goes from unlikely to certain."""
ROUNDS = 3


def in_front(
    picture: Float[np.ndarray, "h w 3"],
    face: Float[np.ndarray, "h w 3"],
    coverage: Float[np.ndarray, "h w"],
    scale: float,
) -> Float[np.ndarray, "h w"]:
    """In [0, 1]: how surely something is in front. Linear colours; `face` is the rendered one times its `coverage`.

    The logarithm of picture over render, blurred to `NARROW`, less its mean over `WIDE`, taken over what is held to be
    face. Spread and mean are found anew `ROUNDS` times without what differs (iteratively reweighted least squares).
    `scale` is pixels to a metre.
    """
    inside = coverage > 0.99
    if not inside.any():
        return np.zeros(coverage.shape, np.float32)
    narrow, wide = max(NARROW * scale, 0.8), WIDE * scale
    smooth = [blur(part * inside[..., None], narrow) / weight_of(inside, narrow) for part in (picture, face)]
    difference = np.log(smooth[0] + FLOOR) - np.log(smooth[1] + FLOOR)
    weight = inside.astype(np.float32)
    for _ in range(ROUNDS):
        mean = blur(difference * weight[..., None], wide) / weight_of(weight, wide)
        rest = np.linalg.norm(difference - mean, axis=-1)
        spread = max(1.4826 * weighted_median(rest, weight * inside), DOUBT)
        weight = inside / (1 + (rest / (2 * spread)) ** 4)
    certain = ((rest / spread - SURE) / (SURER - SURE)).clip(0, 1) * inside
    return grown(certain, narrow)


def blur(picture: Float[np.ndarray, "h w *c"], sigma: float) -> Float[np.ndarray, "h w *c"]:
    """Gaussian."""
    return cv2.GaussianBlur(np.ascontiguousarray(picture, np.float32), (0, 0), sigma)


def weight_of(mask: np.ndarray, sigma: float) -> Float[np.ndarray, "h w 1"]:
    """The blurred mask, to divide by."""
    return blur(mask.astype(np.float32), sigma)[..., None].clip(min=1e-3)


def weighted_median(values: Float[np.ndarray, "h w"], weight: Float[np.ndarray, "h w"]) -> float:
    """The value below which half of the weight lies."""
    order = np.argsort(values, axis=None)
    total = np.cumsum(weight.ravel()[order])
    return float(values.ravel()[order][np.searchsorted(total, total[-1] / 2)])


def grown(certain: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """Specks removed, gaps closed, the edge softened and moved outwards by about `sigma` pixels."""
    size = 2 * max(1, round(sigma)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    opened = cv2.morphologyEx(certain.astype(np.float32), cv2.MORPH_OPEN, kernel)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel, iterations=2)
    return blur(cv2.dilate(closed, kernel), sigma / 2).clip(0, 1)
