"""Paint on a face in a picture: lit as the face is, with the face's own grain and wrinkles, under what is before it."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from ..protocol.avatar import Avatar
from ..render.colour import bytes_from_linear, linear_from_bytes
from ..render.draw import render_linear, visible_window
from ..render.shading import Light
from ..render.surface import Surface
from .in_front import in_front
from .look import avatar_surface, paint_surface, part_of_surface
from .views import head_faces

LUMINANCE = np.float32([0.2126, 0.7152, 0.0722])
SHADE, GRAIN = 0.008, 0.0012
"""Metres over which the skin is blurred: where the light's error is read off, and what is grain and wrinkle."""
SHADE_RANGE = (0.55, 1.8)
"""How far the estimated light is corrected by what the picture shows."""
GRAIN_RANGE = (0.75, 1.3)


@dataclass(frozen=True)
class Paint:
    """What is painted, on whom, in which light."""

    faces: np.ndarray
    """(F, 3) above the neck, without lashes."""
    own: Surface
    """The face as it is."""
    layer: Surface
    """The paint alone."""
    light: Light
    opacity: float


def make_paint(avatar: Avatar, texture: UInt8[np.ndarray, "h w 4"], light: Light, opacity: float) -> Paint:
    """Paint for all frames of a clip."""
    solid = head_faces(avatar) & (np.array(avatar.material_names)[avatar.face_material] != "lashes")
    own, layer = (part_of_surface(s, solid) for s in (avatar_surface(avatar), paint_surface(avatar, texture)))
    return Paint(avatar.faces[solid], own, layer, light, opacity)


def paint_over(
    paint: Paint,
    picture: UInt8[np.ndarray, "H W 3"],
    vertices: np.ndarray,
    K: np.ndarray,
    holdout: Float[np.ndarray, "H W"] | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """The picture with the paint on the mesh (camera axes, metres).

    `holdout` is 1 where something is in front of the face; it is guessed from the picture when left out. Where there is
    no paint the picture stays as it is, byte for byte.
    """
    result, size = picture.copy(), (picture.shape[1], picture.shape[0])
    left, top, right, bottom = visible_window(torch.as_tensor(vertices).float(), torch.as_tensor(K).float(), size)
    if right <= left or bottom <= top:
        return result
    here = (slice(top, bottom), slice(left, right))
    shifted = K - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]])
    geometry = (vertices, paint.faces, shifted, (right - left, bottom - top))
    own, coverage = (part.numpy() for part in render_linear(*geometry, surface=paint.own, light=paint.light))
    layer, alpha = (part.numpy() for part in render_linear(*geometry, surface=paint.layer, light=paint.light))
    if not alpha.any():
        return result
    linear = linear_from_bytes(torch.from_numpy(picture[here].copy())).numpy()
    scale = float(K[0, 0] / np.median(vertices[:, 2]))
    covered = in_front(linear, own, coverage[..., 0], scale) if holdout is None else holdout[here]
    shade = shading_detail(linear, own, coverage[..., 0] * (1 - covered), scale)
    visible = (paint.opacity * (1 - covered))[..., None]
    mixed = linear * (1 - visible * alpha) + visible * layer * shade[..., None]
    changed = (visible * alpha)[..., 0] > 1e-3
    result[here][changed] = bytes_from_linear(torch.from_numpy(mixed).float().clamp(0, 1)).numpy()[changed]
    return result


def shading_detail(
    linear: Float[np.ndarray, "h w 3"],
    own: Float[np.ndarray, "h w 3"],
    weight: Float[np.ndarray, "h w"],
    scale: float,
) -> Float[np.ndarray, "h w"]:
    """What the paint must be multiplied by to sit in the picture; `scale` is pixels to a metre.

    Slowly varying: brightness of the picture over that of the rendered face, which corrects the light and brings cast
    shadows. Fast: the picture over itself blurred, its grain, pores and wrinkles.
    """
    seen, drawn = linear @ LUMINANCE, own @ LUMINANCE
    wide, narrow = SHADE * scale, max(GRAIN * scale, 0.7)
    coarse = (blur(seen * weight, wide) + 1e-4) / (blur(drawn * weight, wide) + 1e-4)
    fine = (seen + 0.01) / (blur(seen, narrow) + 0.01)
    return coarse.clip(*SHADE_RANGE) * fine.clip(*GRAIN_RANGE)


def blur(picture: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """Gaussian."""
    return cv2.GaussianBlur(picture, (0, 0), sigma)
