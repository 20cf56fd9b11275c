"""Painted eyes, teeth and tongue, as functions of the place at rest. Colours are linear albedo."""

import numpy as np
from jaxtyping import Float

from .anatomy import Anatomy
from .fields import fractal, mix, noise, ramp

Colour = tuple[float, float, float]

IRIS_RADIUS = 0.093
"""In distances between the eyeballs' centres: 5.9 mm of 63 in a grown person, whose size hardly varies."""
PUPIL = 0.38
"""Radius of the pupil in radii of the iris, in a lit room."""
LIMBUS = (0.016, 0.013, 0.012)
TEETH = (0.58, 0.50, 0.40)
GUM = (0.38, 0.12, 0.11)
TONGUE = (0.36, 0.115, 0.105)


def iris_distance(points: Float[np.ndarray, "N 3"], anatomy: Anatomy) -> tuple[np.ndarray, np.ndarray]:
    """Distance (N,) from the eyes' axes, in radii of the iris, and the angle (N,) about them. Behind it is large.

    An eye at rest looks along -Y.
    """
    side = np.where(points[:, 0] > anatomy.eyes[:, 0].mean(), 0, 1)
    offset = points - anatomy.eyes[side]
    distance = np.hypot(offset[:, 0], offset[:, 2]) / (IRIS_RADIUS * anatomy.interocular)
    return np.where(offset[:, 1] < 0, distance, 10.0), np.arctan2(offset[:, 2], offset[:, 0])


def paint_eyes(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, iris: Colour, white: Colour, seed: int
) -> Float[np.ndarray, "N 3"]:
    """Sclera with veins, limbal ring, iris with fibres and a lighter collarette, pupil."""
    distance, angle = iris_distance(points, anatomy)
    colour = sclera(points, distance, angle, white, seed)
    wheel = np.stack([np.cos(angle), np.sin(angle), 0.12 * distance], 1)
    fibres = 1 + 0.45 * fractal(wheel, 0.11, seed + 40, 2) + 0.25 * fractal(wheel, 0.5, seed + 44)
    rim = ramp(distance, 0.68, 0.98)
    collarette = np.exp(-(((distance - PUPIL - 0.14) / 0.12) ** 2))
    base = np.array(iris) * (fibres * (1 + 0.7 * collarette) * (1 - 0.65 * rim))[:, None]
    base = base + np.array([0.030, 0.014, 0.004]) * min(1, np.mean(iris) / 0.05) * (collarette * 0.6)[:, None]
    colour = mix(colour, base, ramp(distance, 1.07, 0.97))
    ring = np.exp(-(((distance - 0.985) / 0.075) ** 2))
    colour = mix(colour, np.array(LIMBUS) + 0.25 * np.array(iris), 0.55 * ring)
    colour = mix(colour, np.full(3, 0.004), ramp(distance, PUPIL * 1.06, PUPIL * 0.94))
    # The lids shade the eyeball; painted, because it makes an eye sit in its socket under any light.
    side = np.where(points[:, 0] > anatomy.eyes[:, 0].mean(), 0, 1)
    height = (points[:, 2] - anatomy.eyes[side, 2]) / (IRIS_RADIUS * anatomy.interocular)
    return colour * (1 - 0.5 * ramp(height, 0.45, 1.5) - 0.2 * ramp(height, -0.7, -1.6))[:, None]


def sclera(
    points: np.ndarray, distance: np.ndarray, angle: np.ndarray, white: Colour, seed: int
) -> Float[np.ndarray, "N 3"]:
    """Off-white, pinker towards the corners, with a few thin veins that run towards the iris and stop before it."""
    colour = np.tile(np.array(white), (len(points), 1))
    away = ramp(distance, 1.1, 2.6)
    sideways = np.abs(np.cos(angle)) ** 2
    colour *= 1 - (away * (0.35 + 0.65 * sideways))[:, None] * np.array([0.04, 0.15, 0.17])
    wheel = np.stack([np.cos(angle), np.sin(angle), 0.35 * distance], 1)
    vein = ramp(1 - np.abs(fractal(wheel, 0.16, seed + 50, 2)) * 6, 0.0, 1.0) * away * (0.4 + 0.6 * sideways)
    return colour * (1 - vein[:, None] * np.array([0.05, 0.30, 0.28]))


def paint_teeth(points: Float[np.ndarray, "N 3"], anatomy: Anatomy, seed: int) -> Float[np.ndarray, "N 3"]:
    """Ivory with a trace of gaps between the teeth, gums towards the roots, darker towards the back."""
    unit = anatomy.unit
    low, high = points[:, 2].min(), points[:, 2].max()
    middle = (low + high) / 2
    # The two rows meet in the middle of the box; their roots are at its top and bottom.
    root = np.abs(points[:, 2] - middle) / max(0.5 * (high - low), 1e-6)
    front = points[:, 1].min()
    depth = np.clip((points[:, 1] - front) / (0.030 * unit), 0, 1)
    arc = np.arctan2(points[:, 0], points[:, 1] - front + -0.030 * unit) * 0.030 * unit
    gap = np.exp(-(((np.abs((arc / (0.0075 * unit)) % 1 - 0.5)) / 0.06) ** 2))
    colour = np.tile(np.array(TEETH), (len(points), 1)) * (1 + 0.05 * noise(points, 0.002 * unit, seed + 60))[:, None]
    colour *= 1 - 0.35 * gap[:, None]
    colour = mix(colour, np.array(GUM), ramp(root + 0.12 * (gap - 0.5), 0.66, 0.80))
    return colour * (1 - 0.5 * depth)[:, None]


def paint_tongue(points: Float[np.ndarray, "N 3"], seed: int) -> Float[np.ndarray, "N 3"]:
    """Pink with a fine grain and a groove along the middle, dark towards the throat."""
    colour = np.tile(np.array(TONGUE), (len(points), 1)) * (1 + 0.14 * fractal(points, 0.0016, seed + 70, 2))[:, None]
    groove = np.exp(-((points[:, 0] / 0.0016) ** 2))
    back = (points[:, 1] - points[:, 1].min()) / max(float(np.ptp(points[:, 1])), 1e-6)
    return colour * (1 - 0.25 * groove - 0.5 * ramp(back, 0.25, 1.0))[:, None]
