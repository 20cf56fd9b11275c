"""The colour of a person's eyes, from frames in which they are open."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from .anatomy import Anatomy
from .organs import IRIS_RADIUS, PUPIL, Colour, iris_distance
from .paint import Paint
from .sightings import Drawing, Frame, distance_to, look_up
from .texels import TexelMap

SMALLEST = 3.0
"""Pixels of an iris's radius from which its colour can be told."""
FEWEST = 8
"""Texels of both irises, or of the white, that a frame must show."""


def eye_paint(
    avatar: Avatar,
    anatomy: Anatomy,
    texels: TexelMap,
    views: Sequence[tuple[Frame, Drawing]],
    levels: Sequence[Float[np.ndarray, "3"]],
    default: Paint,
) -> tuple[Colour, Colour]:
    """Linear albedo of the irises and of the white around them; the default's where no frame shows them well.

    `texels` are those of the eyes; `levels` is what a white surface shows in the face in each frame. What lids and
    lashes take of the light is left in the white; the iris is brought up by the root of it.
    """
    points = texels.at(avatar.neutral, avatar.faces)
    distance, angle = iris_distance(points, anatomy)
    # The upper third lies in the shadow of the lid and its lashes; highlights are mostly there too.
    ring = (distance > PUPIL + 0.14) & (distance < 0.82) & (np.sin(angle) < 0.35)
    white = (distance > 1.25) & (distance < 2.0) & (np.abs(np.sin(angle)) < 0.5)
    irises, whites = [], []
    for (frame, drawing), level in zip(views, levels, strict=True):
        radius = IRIS_RADIUS * anatomy.interocular * drawing.K[0, 0] / frame.vertices[:, 2].mean()
        colour, seen = eye_colours(avatar, texels, frame, drawing)
        if radius < SMALLEST or (ring & seen).sum() < FEWEST:
            continue
        # Most of what errs (reflections, lids) is brighter than an iris.
        irises.append(np.quantile(colour[ring & seen], 0.25, axis=0) / level)
        if (white & seen).sum() >= FEWEST:
            whites.append(np.quantile(colour[white & seen], 0.7, axis=0) / level)
    if not irises:
        return default.iris, default.sclera
    sclera = np.array(default.sclera)
    if whites:
        seen_white = np.median(whites, axis=0)
        sclera = sclera**0.35 * seen_white.clip(0.35 * sclera, 1.2 * sclera) ** 0.65
    shade = np.sqrt((np.array(default.sclera) / sclera).mean())
    iris = (np.median(irises, axis=0) * shade).clip(0.006, 0.25)
    iris = iris.mean() * (iris / iris.mean()).clip(0.35, 1.9)
    # No iris is purple: what is redder and bluer than green is the reflection of a window or a lens.
    iris[1] = max(iris[1], 0.95 * np.sqrt(iris[0] * iris[2]))
    return tuple(map(float, iris)), tuple(map(float, sclera))


def eye_colours(
    avatar: Avatar, texels: TexelMap, frame: Frame, drawing: Drawing
) -> tuple[Float[np.ndarray, "N 3"], np.ndarray]:
    """Linear colours of the eyes' texels in a frame, and which of them are seen, away from the lids."""
    points = texels.at(frame.vertices, avatar.faces)
    homogeneous = points @ drawing.K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:]
    inner = distance_to(~drawing.eye)
    sampled = look_up(np.concatenate([drawing.image, inner[..., None]], 2), pixels)
    depth = look_up(np.where(np.isfinite(drawing.depth), drawing.depth, 1e3)[..., None], pixels, "nearest")[:, 0]
    seen = (np.abs(points[:, 2] - depth) < 0.002) & (sampled[:, 3] > 1.2)
    return sampled[:, :3], seen
