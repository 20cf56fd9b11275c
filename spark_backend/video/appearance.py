"""What a person looks like, well enough to know them again within one clip.

Three weak signs together: the shape of the landmarks, the grey pattern of the face and the colours around it. Over 35
clips of 20 people, two clips of the same person were closer than two of different people in 93 % of all comparisons.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from .face import RGB, Face, Points
from .window import window_around

EYES_AND_MOUTH = ((33, 133), (263, 362), (61, 291))
TEMPLATE = np.array([[22, 26], [42, 26], [32, 46]], np.float32)  # their places in a patch of 64 x 96 pixels
PATCH_SIZE = (64, 96)
AROUND = 3.0  # side of the part that is looked at, to the size of the face
# Typical distances between two people, which make the three signs comparable.
SHAPE_SCALE, PATTERN_SCALE, COLOUR_SCALE = 0.08, 0.86, 140.0
SAME_PERSON = 1.75


@dataclass(frozen=True)
class Appearance:
    """One look of a face, or the mean of several."""

    shape: Points
    """Landmarks aligned to the reference, root mean square 1."""
    pattern: Float[np.ndarray, "28 32"]
    """Brightness of the upright face, mean 0, deviation 1."""
    colours: Float[np.ndarray, "9 6 3"]
    """CIELAB (8-bit scales) on a grid over head and collar."""


def appearance_of(image: RGB, face: Face, reference: Points) -> Appearance:
    """The look of one face of a picture."""
    window = window_around(face.box, AROUND)
    part = window.cut(image)
    corners = np.array([face.landmarks[list(pair), :2].mean(axis=0) for pair in EYES_AND_MOUTH])
    corners = (corners - (window.left, window.top)) / window.reduction
    transform, _ = cv2.estimateAffinePartial2D(corners.astype(np.float32), TEMPLATE)
    if transform is None:
        transform = np.eye(2, 3)
    shrink = 2 * float(np.hypot(transform[0, 0], transform[1, 0]))
    if shrink < 1:  # average before sampling every second pixel or fewer
        part = cv2.resize(part, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        transform = transform @ np.diag([1 / shrink, 1 / shrink, 1])
    patch = cv2.warpAffine(part, transform, PATCH_SIZE, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.resize(cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY), (32, 48), interpolation=cv2.INTER_AREA)[6:34]
    pattern = (grey - grey.mean()) / (grey.std() + 1e-6)
    colours = cv2.resize(cv2.cvtColor(patch, cv2.COLOR_RGB2LAB), (6, 9), interpolation=cv2.INTER_AREA)
    return Appearance(align(face.landmarks, reference), pattern.astype(float), colours.astype(float))


def align(points: Points, reference: Points) -> Points:
    """Turned, moved and scaled on to the reference (Umeyama 1991), which is brought to root mean square 1."""
    a, b = points - points.mean(axis=0), reference - reference.mean(axis=0)
    b = b / np.sqrt((b**2).sum(axis=1).mean())
    u, s, vt = np.linalg.svd(a.T @ b)
    sign = np.array([1, 1, np.sign(np.linalg.det(u @ vt))])
    return (s * sign).sum() / (a**2).sum() * a @ (u * sign) @ vt


def blend(one: Appearance, other: Appearance, share: float) -> Appearance:
    """`share` of the other look and the rest of the one: keeps a running mean."""
    parts = ((getattr(one, name), getattr(other, name)) for name in ("shape", "pattern", "colours"))
    return Appearance(*(a + share * (b - a) for a, b in parts))


def difference(one: Appearance, other: Appearance) -> float:
    """0 for the same picture, about 2.5 between two people; compare with `SAME_PERSON`."""
    shape = np.sqrt(((one.shape - other.shape) ** 2).sum(axis=1).mean())
    norms = np.sqrt((one.pattern**2).sum() * (other.pattern**2).sum())
    pattern = 1 - (one.pattern * other.pattern).sum() / max(norms, 1e-6)
    colour = np.sqrt(((one.colours - other.colours) ** 2).sum(axis=-1).mean())
    return float(shape / SHAPE_SCALE + pattern / PATTERN_SCALE + colour / COLOUR_SCALE)
