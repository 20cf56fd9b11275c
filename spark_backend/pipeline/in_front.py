"""Guesses what is in front of a face: things that differ from the rendered face beyond doubt, and dark hair on skin."""

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
EDGE = 0.004
"""Metres within which the border of what was found is moved to the picture's own edges."""
HAIR = (0.3, 0.5)
"""Brightness relative to bare skin: below the first certainly hair, above the second certainly not."""


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
    return snapped(certain, picture, narrow, EDGE * scale)


def dark_hair(
    seen: Float[np.ndarray, "h w"], skin: Float[np.ndarray, "h w"], coverage: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "h w"]:
    """In [0, 1], to the pixel: how surely something dark lies on the skin. Brightness `seen`, and that of bare skin.

    Nostrils and the line between the lips are as dark, and no place for paint either.
    """
    low, high = HAIR
    ratio = (seen + 1e-4) / (skin + 1e-4)
    return ((high - ratio) / (high - low)).clip(0, 1) * (coverage > 0)


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


def snapped(
    certain: Float[np.ndarray, "h w"], picture: Float[np.ndarray, "h w 3"], narrow: float, edge: float
) -> Float[np.ndarray, "h w"]:
    """Specks removed, gaps closed, the border moved to edges of the picture (guided filter, He et al. 2013)."""
    size = 2 * max(1, round(narrow)) + 1
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    opened = cv2.morphologyEx(certain.astype(np.float32), cv2.MORPH_OPEN, kernel)
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, kernel)
    # Square roots are near to what the eye sees, so that edges in the dark count.
    guide = np.sqrt(picture.astype(np.float32))
    soft = cv2.ximgproc.guidedFilter(guide, closed, max(2, round(edge)), 1e-4)
    return ((soft - 0.2) / 0.6).clip(0, 1)
