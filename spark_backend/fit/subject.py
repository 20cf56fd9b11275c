"""The head that is textured, and what each frame shows of it."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from ..protocol.avatar import Avatar
from .anatomy import Anatomy, read_anatomy
from .fields import ramp
from .hair import above_hairline, brow_cover
from .light import transfer_at
from .occlusion import Surroundings, look_around
from .paint import lip_cover, skin_masks, texel_spacing
from .sightings import SKIN, Drawing, Frame, Sighting, draw_over, face_kinds, sight
from .texels import TexelMap, avatar_texels

MARGIN = 0.0035
"""Metres by which tracking errs sideways, at silhouettes."""
ORGAN_MARGIN = 0.0012
"""The same at lids and lips, which landmarks hold in place."""


@dataclass(frozen=True)
class Subject:
    """The head whose outer skin is to be textured."""

    avatar: Avatar
    anatomy: Anatomy
    every: TexelMap
    """Of the whole atlas."""
    skin: TexelMap
    """Of the outer skin."""
    points: Float[np.ndarray, "N 3"]
    """The skin's texels at rest, metres."""
    masks: dict[str, np.ndarray]
    around: Surroundings
    lips: Float[np.ndarray, "N"]
    mouth_rim: Float[np.ndarray, "N"]
    """1 on the lips' inner edge."""
    plain: Bool[np.ndarray, "N"]
    """Bare skin in almost every face: no lips, brows, lids, nostrils, hair."""

    @property
    def rows(self) -> Int[np.ndarray, "N"]:
        """The skin's texels among those of the atlas."""
        return np.searchsorted(self.every.texel, self.skin.texel)


@dataclass(frozen=True)
class View:
    """A frame and what it shows."""

    frame: Frame
    drawing: Drawing
    sighting: Sighting
    transfer: Float[np.ndarray, "V 9"]
    sharpness: float


def read_subject(avatar: Avatar, size: int) -> Subject:
    """All that does not depend on the frames."""
    anatomy = read_anatomy(avatar)
    every = avatar_texels(avatar, size)
    skin = every.chosen(face_kinds(avatar)[every.face] == SKIN)
    points = skin.at(avatar.neutral, avatar.faces)
    around = look_around(avatar.neutral, avatar.faces)
    masks = skin_masks(avatar, skin, around)
    lips = lip_cover(points, anatomy)
    brows = brow_cover(points, anatomy, 1.6, texel_spacing(avatar, every), 0)
    plain = (masks["face"] > 0.9) & (masks["eyelids"] < 0.3) & (lips < 0.02) & (brows < 0.02) & (masks["sky"] > 0.45)
    plain &= above_hairline(points, anatomy, masks["slope"]) < -0.012 * anatomy.unit
    inside = avatar.neutral[avatar.regions["mouth_interior"]]
    to_mouth = cKDTree(inside).query(points)[0] if len(inside) else np.full(len(points), np.inf)
    mouth_rim = (lips > 0.02) * ramp(to_mouth, 0.005 * anatomy.unit, 0.0025 * anatomy.unit)
    return Subject(avatar, anatomy, every, skin, points, masks, around, lips, mouth_rim, plain)


def look(subject: Subject, frame: Frame) -> View:
    """Finds the skin in a frame."""
    avatar, unit = subject.avatar, subject.anatomy.unit
    spacing = texel_spacing(avatar, subject.every)
    # Irises need more pixels than a small map's skin.
    drawing = draw_over(avatar, frame, max(1, 1024 / subject.every.size) / spacing)
    sighting = sight(avatar, subject.skin, frame, drawing, MARGIN * unit, ORGAN_MARGIN * unit)
    transfer = transfer_at(subject.around, sighting.normals, frame.rotation)
    return View(frame, drawing, sighting, transfer, sharpness_of(drawing, spacing))


def sharpness_of(drawing: Drawing, spacing: float) -> float:
    """How much detail the picture has on the face, in any unit: contrast of neighbours, by pixels to a texel."""
    grey = drawing.image.mean(2)
    detail = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
    inside = (drawing.edge_distance > 4) & (drawing.organ_distance > 4)
    if not inside.any():
        return 1e-3
    contrast = float(detail[inside].mean() / max(float(grey[inside].mean()), 1e-3))
    pixels = drawing.K[0, 0] / float(np.median(drawing.depth[inside])) * spacing
    return max(contrast, 1e-3) ** 0.5 * min(pixels, 1.25)
