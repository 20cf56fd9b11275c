"""Cameras and placements for pictures of results: the part of the picture around the head, and studio views."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from ..protocol.avatar import Avatar
from ..protocol.placement import WORLD_FROM_CAMERA_QUATERNION
from ..protocol.posing import axis_quaternion, multiply_quaternions, pose_vertices, quaternion_to_matrix
from ..protocol.take import Take

STUDIO_FOCAL = 3.3
"""Focal length of the studio camera in heights of its picture: that of 120 mm on a full-frame camera held upright."""
STUDIO_DISTANCE = 1.05
"""Metres from the studio camera to the middle of the head."""

CALM = 0.35
"""Seconds over which the window that follows the head is smoothed."""
ROOM = 1.12
"""Size of the window in sizes of the head."""
FADE = {"scalp": 0.02, "ears": 0.04, "neck": 0.02}
"""Metres from each region within which a face fades into the picture below it."""


@dataclass(frozen=True)
class Panel:
    """A window of the source's picture, scaled to the size at which it is shown."""

    left: float
    top: float
    """Pixels of the source."""
    scale: float
    """Pixels of the panel for one of the source."""
    size: tuple[int, int]
    """Width and height of the panel in pixels, even."""

    def intrinsics(self, K: np.ndarray) -> np.ndarray:
        """(3, 3) of the source to (3, 3) of the panel."""
        shift = np.array([[1.0, 0.0, -self.left], [0.0, 1.0, -self.top], [0.0, 0.0, 1.0]])
        return np.diag([self.scale, self.scale, 1.0]) @ shift @ K

    def crop(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 picture of the source to (height, width, 3); dark beyond its edges."""
        # Twice as large first: a window that glides by fractions of a pixel must neither shake nor flicker.
        scale = 2 * self.scale
        # Pixel centres are at one half here and at whole numbers in OpenCV.
        shift = [(0.5 - side) * scale - 0.5 for side in (self.left, self.top)]
        matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
        large = (2 * self.size[0], 2 * self.size[1])
        part = cv2.warpAffine(image, matrix, large, flags=cv2.INTER_LINEAR, borderValue=(24, 24, 24))
        return cv2.resize(part, self.size, interpolation=cv2.INTER_AREA)


def intrinsics_at(take: Take, frame: int) -> np.ndarray:
    """(3, 3) of one frame."""
    return take.K if take.K.ndim == 2 else take.K[frame]


def project_points(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(..., V, 3) metres in camera axes to (..., V, 2) pixels; NaN behind the camera."""
    depth = points[..., 2:]
    scaled = np.where(depth > 0, points / np.where(depth > 0, depth, 1.0), np.nan)
    return (scaled @ np.swapaxes(K, -1, -2))[..., :2]


def head_panels(avatar: Avatar, take: Take, size: tuple[int, int]) -> list[Panel]:
    """For each frame a window that follows the head as a calm camera would, to be shown at `size` (width, height).

    It stays within the picture where the picture is large enough.
    """
    boxes = head_boxes(avatar, take)
    step = float(np.median(np.diff(take.pts))) if len(take.pts) > 1 else 1.0
    calm = gaussian_filter1d(boxes, CALM / max(step, 1e-6), axis=0, mode="nearest")
    whole = take.size.astype(float)
    panels = []
    for left, top, right, bottom in calm:
        wanted = max((bottom - top) / size[1], (right - left) / size[0]) * ROOM
        factor = min(wanted, *(whole / size))
        window = factor * np.array(size)
        corner = (np.array([left + right, top + bottom]) - window) / 2
        corner = corner.clip(0, whole - window)
        panels.append(Panel(float(corner[0]), float(corner[1]), 1 / factor, size))
    return panels


def head_boxes(avatar: Avatar, take: Take) -> np.ndarray:
    """(T, 4) left, top, right, bottom in pixels of the skull's bounding box in each frame."""
    skull = avatar.neutral[~avatar.regions.get("neck", np.zeros(len(avatar.neutral), bool))]
    low, high = skull.min(0), skull.max(0)
    corners = np.array([[(low, high)[k >> axis & 1][axis] for axis in range(3)] for k in range(8)])
    rotation = quaternion_to_matrix(take.head_rotation)
    points = np.einsum("tab,kb->tka", rotation, corners) + take.head_translation[:, None]
    points[..., 2] = points[..., 2].clip(min=0.05)
    pixels = project_points(points, take.K)
    return np.concatenate([pixels.min(1), pixels.max(1)], 1)


def take_frames(take: Take, frames: np.ndarray) -> Take:
    """The take with only some of its frames, in the given order."""
    per_frame = ("pts", "weights", "head_rotation", "head_translation", "neck", "jaw", "eye_left", "eye_right")
    rows = {name: getattr(take, name)[frames] for name in (*per_frame, "confidence", "valid")}
    return replace(take, **rows, K=take.K if take.K.ndim == 2 else take.K[frames])


def studio_take(avatar: Avatar, take: Take, yaw: float, size: tuple[int, int]) -> Take:
    """The same expressions seen by a studio camera, the head upright and turned by `yaw` radians to its left."""
    count = len(take.pts)
    upright = multiply_quaternions(WORLD_FROM_CAMERA_QUATERNION * (1, -1, -1, -1), axis_quaternion(2, np.array(yaw)))
    rotation = quaternion_to_matrix(upright)
    centre = head_centre(avatar)
    translation = np.array([0.0, 0.0, STUDIO_DISTANCE]) - rotation @ centre
    K = np.array([[STUDIO_FOCAL * size[1], 0, size[0] / 2], [0, STUDIO_FOCAL * size[1], size[1] / 2], [0, 0, 1]])
    still = np.tile(np.array([1.0, 0.0, 0.0, 0.0]), (count, 1))
    return replace(
        take,
        head_rotation=np.tile(upright, (count, 1)),
        head_translation=np.tile(translation, (count, 1)),
        neck=still,
        K=K,
        size=np.array(size),
    )


def head_centre(avatar: Avatar) -> np.ndarray:
    """(3,) middle of the skull's bounding box in the rest pose, metres."""
    skull = avatar.neutral[~avatar.regions.get("neck", np.zeros(len(avatar.neutral), bool))]
    return (skull.min(0) + skull.max(0)) / 2


def head_faces(avatar: Avatar) -> np.ndarray:
    """(F,) bool: the triangles above the neck, which over a picture would cover collars and clothes."""
    neck = avatar.regions.get("neck", np.zeros(len(avatar.neutral), bool))
    return ~neck[avatar.faces].any(1)


def face_opacity(avatar: Avatar) -> np.ndarray:
    """(V,) 1 on the face, fading towards scalp, ears and neck, which are nobody's own; 1 on a head without regions."""
    points, opacity = avatar.neutral, np.ones(len(avatar.neutral))
    for name, width in FADE.items():
        nobody = avatar.regions.get(name, np.zeros(len(points), bool))
        if nobody.any():
            opacity = np.minimum(opacity, cKDTree(points[nobody]).query(points)[0] / width)
    return opacity


def posed_frames(avatar: Avatar, take: Take) -> Iterator[np.ndarray]:
    """(V, 3) vertices in camera axes, frame after frame."""
    for block in pose_vertices(avatar, take):
        yield from block
