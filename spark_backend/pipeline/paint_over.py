"""Paint on a face in a picture: lit as the face is, with the face's own grain and wrinkles, under what is before it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from ..protocol.avatar import Avatar
from ..render.colour import bytes_from_linear, linear_from_bytes
from ..render.draw import render_linear, visible_window
from ..render.shading import Light
from ..render.surface import Material, Surface
from .in_front import dark_hair, in_front
from .look import avatar_surface, paint_surface, part_of_surface
from .relight import vertex_albedo
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
    plain: Surface
    """The face with bare skin of one colour: no brows, lips or hair."""
    layer: Surface
    """The paint alone."""
    light: Light
    opacity: float


def make_paint(avatar: Avatar, texture: UInt8[np.ndarray, "h w 4"], light: Light, opacity: float) -> Paint:
    """Paint for all frames of a clip."""
    solid = head_faces(avatar) & avatar.face_solid
    whole = avatar_surface(avatar)
    skin = Material(bare_skin(avatar))
    bare = [skin if name == "skin" else m for name, m in zip(avatar.material_names, whole.materials, strict=True)]
    surfaces = (whole, replace(whole, materials=bare), paint_surface(avatar, texture))
    return Paint(avatar.faces[solid], *(part_of_surface(s, solid) for s in surfaces), light, opacity)


def bare_skin(avatar: Avatar) -> Float[torch.Tensor, "3"]:
    """Linear colour of most of the face's skin."""
    other = np.any([avatar.regions[name] for name in ("lips", "eyelids", "eyes", "mouth_interior")], axis=0)
    return torch.as_tensor(np.median(vertex_albedo(avatar)[avatar.regions["face"] & ~other], axis=0)).float()


@dataclass(frozen=True)
class Drawn:
    """A render."""

    colour: Float[np.ndarray, "h w 3"]
    """Linear, times the coverage."""
    coverage: Float[np.ndarray, "h w 1"]


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
    own, plain, layer = (
        draw(surface, paint, vertices, shifted, (right - left, bottom - top))
        for surface in (paint.own, paint.plain, paint.layer)
    )
    linear = linear_from_bytes(torch.from_numpy(picture[here].copy())).numpy()
    scale = float(K[0, 0] / np.median(vertices[:, 2]))
    mask = None if holdout is None else holdout[here]
    covered, shade = covered_and_shade(linear, own, plain, scale, mask)
    visible = paint.opacity * (1 - covered)[..., None] * layer.coverage
    grain = grain_of(linear @ LUMINANCE, scale)
    lit = paint.opacity * (1 - covered)[..., None] * layer.colour * (shade * grain)[..., None]
    mixed = torch.from_numpy(linear * (1 - visible) + lit).float().clamp(0, 1)
    changed = visible[..., 0] > 1e-3
    result[here][changed] = bytes_from_linear(mixed).numpy()[changed]
    return result


def draw(surface: Surface, paint: Paint, vertices: np.ndarray, K: np.ndarray, size: tuple[int, int]) -> Drawn:
    """The head with one of its surfaces."""
    colour, coverage = render_linear(vertices, paint.faces, K, size, surface=surface, light=paint.light)
    return Drawn(colour.numpy(), coverage.numpy())


def covered_and_shade(
    linear: Float[np.ndarray, "h w 3"], own: Drawn, plain: Drawn, scale: float, holdout: np.ndarray | None
) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Where something is in front of the face, in [0, 1], and what the estimated light must be multiplied by."""
    cover, seen = own.coverage[..., 0], linear @ LUMINANCE
    things = in_front(linear, own.colour, cover, scale) if holdout is None else holdout
    shade = shade_of(seen, own.colour @ LUMINANCE, cover * (1 - things), scale)
    if holdout is not None:
        return things, shade
    return np.maximum(things, dark_hair(seen, plain.colour @ LUMINANCE * shade, cover)), shade


def shade_of(
    seen: Float[np.ndarray, "h w"], drawn: Float[np.ndarray, "h w"], weight: Float[np.ndarray, "h w"], scale: float
) -> Float[np.ndarray, "h w"]:
    """Slowly varying brightness of the picture over that of the rendered face: what the estimated light has missed."""
    wide = SHADE * scale
    return ((blur(seen * weight, wide) + 1e-4) / (blur(drawn * weight, wide) + 1e-4)).clip(*SHADE_RANGE)


def grain_of(seen: Float[np.ndarray, "h w"], scale: float) -> Float[np.ndarray, "h w"]:
    """Brightness of the picture over itself blurred: its grain, pores and wrinkles."""
    return ((seen + 0.01) / (blur(seen, max(GRAIN * scale, 0.7)) + 0.01)).clip(*GRAIN_RANGE)


def blur(picture: Float[np.ndarray, "h w"], sigma: float) -> Float[np.ndarray, "h w"]:
    """Gaussian."""
    return cv2.GaussianBlur(picture, (0, 0), sigma)
