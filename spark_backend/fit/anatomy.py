"""Where the features of a head are, read off its regions, joints and expressions: any head model, any person."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar

BROW_EXPRESSIONS = ("browInnerUp", "browOuterUp", "browDown")
BROW_REACH = (0.19, 0.94)
"""Inner and outer end of a brow, sideways from the median plane, in distances between the eyeballs' centres."""


@dataclass(frozen=True)
class LipBorder:
    """Where lips end and skin begins, as seen from the front; the same on both sides."""

    half_width: float
    """Metres from the median plane to the mouth's corner."""
    corner: float
    """Height of the corners, metres."""
    upper: tuple[float, float]
    lower: tuple[float, float]
    """Height of the border over (under) the corners in the middle, metres, and how full it is towards the corners."""

    def heights(self, across: Float[np.ndarray, "N"]) -> tuple[np.ndarray, np.ndarray]:
        """Upper and lower border (metres) at a distance from the median plane, in half widths; a cupid's bow above."""
        t = across.clip(0, 1)
        bow = 0.10 * self.upper[0] * (np.exp(-(((t - 0.20) / 0.13) ** 2)) - np.exp(-((t / 0.10) ** 2)))
        return self.corner + arch(t, self.upper) + bow, self.corner - arch(t, self.lower)


def arch(t: np.ndarray, shape: tuple[float, float]) -> np.ndarray:
    """`shape[0]` high at 0, nothing at 1."""
    return shape[0] * (1 - t**2) * (1 + shape[1] * t**2)


@dataclass(frozen=True)
class Anatomy:
    """Places in the rest pose, metres, Blender's axes. Index 0 is the subject's left, 1 the right."""

    eyes: Float[np.ndarray, "2 3"]
    """Centres of the eyeballs."""
    interocular: float
    """Distance between the eyeballs' centres: the unit that features scale with."""
    brows: Float[np.ndarray, "2 K 3"]
    """The middle line of each brow on the skin, from its inner to its outer end."""
    lips: Float[np.ndarray, "2 3"]
    """Lowest and highest corner of the lips' bounding box."""
    lip_border: LipBorder
    nose_tip: Float[np.ndarray, "3"]
    nose_base: float
    """Height of the lower end of the nose."""
    chin: Float[np.ndarray, "3"]
    """The foremost point below the lips."""
    ears: Float[np.ndarray, "2 2 3"]
    """Lowest and highest corner of each ear's bounding box."""
    crown: Float[np.ndarray, "3"]

    @property
    def unit(self) -> float:
        """The size of the person against one whose eyeballs' centres are 60 mm apart."""
        return self.interocular / 0.060


def read_anatomy(avatar: Avatar) -> Anatomy:
    """Finds the features of an avatar at rest."""
    points = np.asarray(avatar.neutral, float)
    regions = avatar.regions
    eyes = np.stack([avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")])
    interocular = float(np.linalg.norm(eyes[0] - eyes[1]))
    lips = box(points[regions["lips"]])
    face = points[regions["face"]]
    middle = face[np.abs(face[:, 0] - eyes[:, 0].mean()) < 0.15 * interocular]
    between = middle[(middle[:, 2] > lips[1, 2]) & (middle[:, 2] < eyes[:, 2].mean())]
    below = middle[middle[:, 2] < lips[0, 2] - 0.12 * interocular]  # past the fold under the lip
    ears = [points[regions["ears"] & (side * points[:, 0] > 0)] for side in (1, -1)]
    nose = points[regions["nose"]]
    return Anatomy(
        eyes=eyes,
        interocular=interocular,
        brows=np.stack([brow_line(avatar, eyes, side) for side in (1, -1)]),
        lips=lips,
        lip_border=lip_border(points[regions["lips"]], eyes[:, 0].mean()),
        nose_tip=foremost(between, eyes.mean(0)),
        nose_base=float(nose[:, 2].min()) if len(nose) else float(lips[1, 2]),
        chin=foremost(below, lips.mean(0)),
        ears=np.stack([box(ear) if len(ear) else np.tile(eyes.mean(0), (2, 1)) for ear in ears]),
        crown=points[points[:, 2].argmax()],
    )


def lip_border(lips: Float[np.ndarray, "N 3"], middle: float) -> LipBorder:
    """Smooth curves through the outermost of the lips' vertices."""
    across = np.abs(lips[:, 0] - middle)
    half_width = float(across.max())
    corner = float(np.median(lips[across > 0.93 * half_width, 2]))
    t = across / half_width
    shapes = [envelope(t, side * (lips[:, 2] - corner)) for side in (1, -1)]
    return LipBorder(half_width, corner, shapes[0], shapes[1])


def envelope(t: Float[np.ndarray, "N"], height: Float[np.ndarray, "N"]) -> tuple[float, float]:
    """Shape of the arch along the highest points: least squares in which points below hardly count."""
    basis = np.stack([1 - t**2, (1 - t**2) * t**2], 1)
    weight = np.ones(len(t))
    for _ in range(30):
        high, full = np.linalg.lstsq(basis * weight[:, None], height * weight, rcond=None)[0]
        weight = np.where(height > basis @ (high, full), 1.0, 0.1)
    return float(high), float(np.clip(full / max(high, 1e-6), -0.5, 1.5))


def box(points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "2 3"]:
    """Lowest and highest corner."""
    return np.stack([points.min(0), points.max(0)])


def foremost(points: Float[np.ndarray, "N 3"], otherwise: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The point furthest along -Y."""
    return points[points[:, 1].argmin()] if len(points) else otherwise


def brow_line(avatar: Avatar, eyes: Float[np.ndarray, "2 3"], side: int, count: int = 24) -> Float[np.ndarray, "K 3"]:
    """The line along which the brow's expressions move the skin most, as a smooth arch; `side` 1 is the left.

    Brows ride on the muscles that these expressions stand for. The arch is a parabola through the peaks.
    """
    points = np.asarray(avatar.neutral, float)
    eye = eyes[0 if side > 0 else 1]
    unit = float(np.linalg.norm(eyes[0] - eyes[1]))
    across = side * (points[:, 0] - eyes[:, 0].mean()) / unit
    near = (across > BROW_REACH[0] - 0.1) & (across < BROW_REACH[1] + 0.1)
    near &= (points[:, 2] > eye[2] + 0.15 * unit) & (points[:, 2] < eye[2] + 0.75 * unit) & avatar.regions["face"]
    if near.sum() < 12:
        near = np.ones(len(points), bool)
    weight = brow_motion(avatar)[near] ** 6 + 1e-9
    position = np.linspace(*BROW_REACH, count)
    kernel = weight * np.exp(-(((across[near] - position[:, None]) / 0.08) ** 2))
    kernel /= kernel.sum(1, keepdims=True)
    height = np.polynomial.Polynomial.fit(position, kernel @ points[near, 2], 2)(position)
    # Brows taper downwards where the muscle's pull fades out sideways.
    height -= 0.05 * unit * np.clip((position - 0.70) / 0.24, 0, 1) ** 2
    # The skin's depth at that height, from the vertices around.
    x = eyes[:, 0].mean() + side * position * unit
    gap = np.hypot(points[near, 0] - x[:, None], points[near, 2] - height[:, None])
    kernel = np.exp(-((gap / (0.06 * unit)) ** 2)) + 1e-12
    depth = (kernel @ points[near, 1]) / kernel.sum(1)
    return np.stack([x, depth, height], 1)


def brow_motion(avatar: Avatar) -> Float[np.ndarray, "V"]:
    """How much each vertex moves with the brows, each expression at most 1."""
    total = np.zeros(len(avatar.neutral))
    for name, offsets in zip(avatar.expression_names, avatar.expressions, strict=True):
        if name.startswith(BROW_EXPRESSIONS):
            length = np.linalg.norm(offsets, axis=1)
            total += length / max(float(length.max()), 1e-9)
    return total
