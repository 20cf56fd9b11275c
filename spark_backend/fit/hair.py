"""Where hair grows on a head at rest and how its strands lie: brows, lashes, beard, short hair on the scalp."""

import cv2
import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

from .anatomy import Anatomy
from .fields import fractal, noise, ramp

BROW_HALF_WIDTH = 0.0052
"""Metres, at its widest, for a person whose eyeballs' centres are 60 mm apart."""
# Relative half width and density of a brow from its inner to its outer end.
BROW_SHAPE = ((0.0, 0.08, 0.25, 0.5, 0.7, 0.9, 1.0), (0.55, 0.85, 1.0, 0.88, 0.66, 0.34, 0.10))
BROW_DENSITY = ((0.0, 0.06, 0.2, 0.6, 0.9, 1.0), (0.3, 0.65, 0.95, 1.0, 0.9, 0.5))
LASH_SPAN = 1.45
"""Radians from the middle of the eye to where the drawing of its lashes ends."""
PATCH = (512, 128)
"""Pixels along and across the drawing of a brow; half its height is twice the brow's half width."""


def brow_cover(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, width: float, spacing: float, seed: int
) -> Float[np.ndarray, "N"]:
    """How much of the skin under a point is hidden by hairs of a brow, 0 to 1; `spacing` is the texels' in metres."""
    cover = np.zeros(len(points), np.float32)
    half = BROW_HALF_WIDTH * anatomy.unit * width
    for side in (0, 1):
        along, across, near = brow_coordinates(points, anatomy.brows[side], 2 * half)
        patch = draw_brow(np.random.default_rng(seed + 100 + side))
        # A drawing finer than the texels would come out as grain.
        length = np.linalg.norm(np.diff(anatomy.brows[side], axis=0), axis=1).sum()
        blur = 0.4 * spacing * np.array([PATCH[1] / (4 * half), PATCH[0] / (1.12 * length)])
        patch = gaussian_filter(patch, blur)
        column = np.clip(along, -0.06, 1.06) * PATCH[0] / 1.12 + 0.06 / 1.12 * PATCH[0]
        row = (across / (2 * half) + 1) / 2 * PATCH[1]
        sampled = map_coordinates(patch, np.stack([row, column]) - 0.5, order=1, mode="constant")
        cover[near] = np.maximum(cover[near], sampled)
    return cover


def brow_coordinates(
    points: Float[np.ndarray, "N 3"], line: Float[np.ndarray, "K 3"], reach: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Place along the brow (0 inner, 1 outer end), metres above its middle line, and which points these are.

    Points further than `reach` from the line are left out.
    """
    fine = np.linspace(-0.06, 1.06, 240)
    position = np.linspace(0, 1, len(line))
    dense = np.stack([np.polynomial.Polynomial.fit(position, line[:, axis], 3)(fine) for axis in range(3)], 1)
    distance, nearest = cKDTree(dense).query(points, distance_upper_bound=1.5 * reach)
    near = np.flatnonzero(np.isfinite(distance))
    above = np.sign(points[near, 2] - dense[nearest[near], 2])
    return fine[nearest[near]], above * distance[near], near


def draw_brow(random: np.random.Generator, hairs: int = 560) -> Float[np.ndarray, "H W"]:
    """A brow hair by hair: rising at its inner end, lying down along it further out, converging on the middle line."""
    width, height = PATCH
    scale = 4
    drawing = np.zeros((height * scale // 2, width * scale // 2), np.float32)
    rows, columns = drawing.shape
    for along in np.sort(random.uniform(0, 0.985, hairs) ** 0.9):
        if random.uniform() > np.interp(along, *BROW_DENSITY):
            continue
        half = np.interp(along, *BROW_SHAPE) / 2  # of the patch's half height
        root = random.uniform(-1, 1)
        angle = np.interp(along, (0, 0.15, 0.4, 1), (1.25, 0.85, 0.38, 0.12)) - 0.45 * max(root, 0) * min(1, along * 4)
        angle += random.normal() * 0.16
        length = random.uniform(0.5, 1.0) * np.interp(along, (0, 0.2, 1), (0.85, 1.1, 0.7)) * rows * 0.30
        start = np.array([(along * 0.89 + 0.055) * columns, (0.5 - half * root * 0.5) * rows])
        bend = angle - np.linspace(0, 0.45, 6)
        path = start + np.cumsum(np.stack([np.cos(bend), -np.sin(bend)], 1) * length / 6, 0)
        path = np.concatenate([start[None], path])
        layer = random.uniform(0.55, 1.0)
        cv2.polylines(drawing, [np.round(path * 16).astype(np.int32)], False, layer, 3, cv2.LINE_AA, 4)
    soft = cv2.GaussianBlur(drawing, (0, 0), 9)
    both = np.clip(0.75 * drawing + 0.85 * soft, 0, 1)
    return cv2.resize(both, PATCH, interpolation=cv2.INTER_AREA)


def lash_cover(points: Float[np.ndarray, "N 3"], anatomy: Anatomy, seed: int) -> Float[np.ndarray, "N"]:
    """Opacity of the lashes: tapering strands in small tufts that leave the lid's edge; weaker on the lower lid."""
    side = np.where(points[:, 0] > anatomy.eyes[:, 0].mean(), 0, 1)
    offset = points - anatomy.eyes[side]
    upper = offset[:, 2] > 0
    opacity = np.zeros(len(points), np.float32)
    for number, (lid, hairs, reach) in enumerate(((upper, 95, 1.0), (~upper, 55, 0.62))):
        if not lid.any():
            continue
        # The lash's tip is further from the eyeball's centre than its root.
        distance = np.linalg.norm(offset[lid], axis=1)
        low, high = np.quantile(distance, (0.005, 0.995))
        out = (distance - low) / max(high - low, 1e-6)
        angle = np.arctan2(np.sign(points[lid, 0] - anatomy.eyes[:, 0].mean()) * offset[lid, 0], -offset[lid, 1])
        drawing = draw_lashes(np.random.default_rng(seed + 80 + number), hairs, reach)
        column = (angle / LASH_SPAN + 1) / 2 * drawing.shape[1]
        opacity[lid] = map_coordinates(drawing, np.stack([out * drawing.shape[0], column]) - 0.5, order=1)
    return opacity.clip(0, 1)


def draw_lashes(random: np.random.Generator, hairs: int, reach: float) -> Float[np.ndarray, "H W"]:
    """Opacity by the way from root to tip (down) and by the angle about the eye (across), the outer corner right."""
    drawing = np.zeros((256, 1024), np.float32)
    for start in np.linspace(40, 984, hairs) + random.normal(size=hairs) * 4:
        # Towards the corners lashes lean away from the middle; neighbours lean together.
        lean = (start - 512) / 512 * 60 + 14 * np.sin(start / 17 + random.normal() * 0.5) + random.normal() * 5
        length = reach * random.uniform(0.7, 1.0) * 250
        t = np.linspace(0, 1, 8)
        path = np.stack([start + lean * t**1.4, length * t], 1)
        for k in range(7):
            width = 5 if t[k] < 0.35 else 4 if t[k] < 0.65 else 2
            ends = np.round(path[k : k + 2] * 16).astype(np.int32)
            cv2.polylines(drawing, [ends], False, float(0.95 - 0.35 * t[k]), width, cv2.LINE_AA, 4)
    root = np.exp(-np.arange(256) / 9)[:, None] * (0.8 if reach == 1 else 0.2)  # the lash line itself
    return cv2.GaussianBlur(np.maximum(drawing, root.astype(np.float32)), (0, 0), 1.2)


def beard_cover(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, masks: dict[str, np.ndarray], seed: int
) -> Float[np.ndarray, "N"]:
    """Where a beard grows, with its grain: moustache, chin and jaw up to the sideburns, not the lips."""
    unit = anatomy.unit
    mouth = anatomy.lips.mean(0)
    aside = np.abs(points[:, 0] - mouth[0])
    ear = anatomy.ears[:, 0].mean(0)
    # The upper border runs from under the nose past the mouth's corner up to the middle of the ear.
    border = np.interp(
        aside / unit,
        (0.0, 0.017, 0.030, 0.048, 0.064),
        np.array([0.0, -0.001, -0.012, -0.004, 0.030]) * unit + anatomy.nose_base,
    )
    edge = 0.004 * unit * fractal(points, 0.006 * unit, seed + 30)
    low = ramp(points[:, 2] + edge, border + 0.004 * unit, border - 0.007 * unit)
    throat = ramp(
        points[:, 2] - 0.25 * points[:, 1] * 0, anatomy.chin[2] - 0.045 * unit, anatomy.chin[2] - 0.020 * unit
    )
    front = ramp(points[:, 1], ear[1] + 0.006 * unit, ear[1] - 0.016 * unit)
    philtrum = 1 - 0.5 * np.exp(-((aside / (0.0035 * unit)) ** 2)) * (points[:, 2] > anatomy.lips[1, 2] - 0.004 * unit)
    under_lip = np.hypot(aside - 0.012 * unit, points[:, 2] - anatomy.lips[0, 2] + 0.004 * unit)
    bare = 1 - 0.75 * np.exp(-((under_lip / (0.006 * unit)) ** 2))
    grain = np.clip(0.8 + 0.55 * fractal(points, 0.0011 * unit, seed + 33, 2), 0, 1.3)
    skin = (1 - masks["lips"]).clip(0, 1) ** 2 * (1 - masks["ears"]) * (1 - masks["mouth_interior"]).clip(0, 1)
    return np.clip(low * throat * front * philtrum * bare * grain * skin, 0, 1)


def hairline_height(azimuth: Float[np.ndarray, "N"], anatomy: Anatomy) -> Float[np.ndarray, "N"]:
    """Lowest height (metres) at which the scalp's hair grows, by the angle about the head from the front (0) to the
    back (pi): the forehead, the corner at the temple, the sideburn, over the ear, down to the nape."""
    unit = anatomy.unit
    brow = anatomy.brows[:, :, 2].mean()
    top = brow + 0.80 * (brow - anatomy.nose_base)
    ear_low, ear_high = anatomy.ears[:, 0, 2].mean(), anatomy.ears[:, 1, 2].mean()
    ear = 0.5 * (ear_low + ear_high)
    degrees = np.array([0, 20, 33, 44, 53, 60, 67, 74, 84, 92, 104, 120, 150, 180])
    heights = np.array(
        [
            *(top, top + 0.001 * unit, top + 0.004 * unit, top - 0.001 * unit, brow + 0.022 * unit),
            *(brow + 0.006 * unit, brow - 0.008 * unit, ear + 0.004 * unit, ear - 0.001 * unit, ear + 0.012 * unit),
            *(ear, ear_low, ear_low - 0.022 * unit, ear_low - 0.026 * unit),
        ]
    )
    return np.interp(np.degrees(np.abs(azimuth)), degrees, heights)


def head_azimuth(points: Float[np.ndarray, "N 3"], anatomy: Anatomy) -> Float[np.ndarray, "N"]:
    """Angle (radians) about the vertical axis between the ears; 0 in front, positive to the subject's left."""
    axis = anatomy.ears.mean((0, 1))
    return np.arctan2(points[:, 0] - axis[0], -(points[:, 1] - axis[1]))


def above_hairline(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, slope: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N"]:
    """Metres along the skin from the usual hairline, positive where hair grows.

    Heights change slowly along the flat top of the head; the slope (1 on a wall, 0 on a floor) turns them into a way.
    """
    height = points[:, 2] - hairline_height(head_azimuth(points, anatomy), anatomy)
    return height / slope.clip(0.3, 1)


def scalp_cover(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, masks: dict[str, np.ndarray], seed: int
) -> Float[np.ndarray, "N"]:
    """How much of the skin the scalp's hair hides; soft and uneven along the hairline."""
    unit = anatomy.unit
    above = above_hairline(points, anatomy, masks["slope"])
    ragged = 0.0035 * fractal(points, 0.006 * unit, seed + 90) + 0.003 * noise(points, 0.0016 * unit, seed + 94)
    above += ragged * unit
    growth = ramp(above, -0.006 * unit, 0.014 * unit)
    return growth * (1 - ramp(masks["ears"], 0.05, 0.5)) * 0.97


def scalp_strands(points: Float[np.ndarray, "N 3"], anatomy: Anatomy, seed: int) -> Float[np.ndarray, "N"]:
    """A factor about 1 for the hair's colour: strands that run away from the whorl at the crown."""
    whorl = anatomy.crown + np.array([0.010, 0.045, -0.012]) * anatomy.unit
    offset = points - whorl
    radius = np.linalg.norm(offset, axis=1)
    angle = np.arctan2(offset[:, 0], -offset[:, 1]) + 4.0 * radius
    across = np.stack([np.cos(angle), np.sin(angle), 1.5 * radius / anatomy.unit], 1)
    fine = fractal(across, 0.035, seed + 96, 2)
    locks = fractal(across * (1, 1, 2), 0.16, seed + 98, 2)
    return np.clip(1 + 0.55 * fine + 0.35 * locks, 0.25, 2.2)
