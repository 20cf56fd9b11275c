"""The colour of a person's eyes, from frames in which they are open."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from .anatomy import Anatomy
from .organs import IRIS_RADIUS, PUPIL, SCLERA, iris_distance
from .sightings import Drawing, Frame, distance_to, look_up
from .texels import TexelMap

SMALLEST = 3.5
"""Pixels of an iris's radius from which its colour can be told."""


def iris_colour(
    avatar: Avatar,
    anatomy: Anatomy,
    texels: TexelMap,
    views: Sequence[tuple[Frame, Drawing]],
    shading: Sequence[Float[np.ndarray, "3"]],
) -> tuple[float, float, float] | None:
    """Linear albedo of the irises, None when no frame shows them well.

    `texels` are those of the eyes; `shading` is what a white surface shows in front of the face in each frame. Lids and
    lashes darken an eye as a whole, so the iris is measured against the white beside it where that is seen.
    """
    points = texels.at(avatar.neutral, avatar.faces)
    distance, angle = iris_distance(points, anatomy)
    # The upper third lies in the shadow of the lid and its lashes; highlights are mostly there too.
    ring = (distance > PUPIL + 0.14) & (distance < 0.82) & (np.sin(angle) < 0.35)
    white = (distance > 1.25) & (distance < 2.0) & (np.abs(np.sin(angle)) < 0.5)
    found = []
    for (frame, drawing), light in zip(views, shading, strict=True):
        radius = IRIS_RADIUS * anatomy.interocular * drawing.K[0, 0] / frame.vertices[:, 2].mean()
        if radius < SMALLEST:
            continue
        colour, seen = eye_colours(avatar, texels, frame, drawing)
        iris, sclera = colour[ring & seen], colour[white & seen]
        if len(iris) < 30:
            continue
        level = np.array(light)
        if len(sclera) >= 30:
            level = np.minimum(np.quantile(sclera, 0.7, axis=0) / SCLERA, level * 1.3)
        # Most of what errs (reflections) is brighter.
        found.append(np.quantile(iris, 0.4, axis=0) / level.clip(0.02))
    if not found:
        return None
    albedo = np.median(found, axis=0).clip(0.006, 0.30)
    return tuple(float(x) for x in albedo)


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
