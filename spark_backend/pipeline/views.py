"""Cameras and placements for pictures of results: the part of the picture around the head, and studio views."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.placement import WORLD_FROM_CAMERA_QUATERNION
from ..protocol.posing import axis_quaternion, multiply_quaternions, pose_vertices, quaternion_to_matrix
from ..protocol.take import Take

STUDIO_FOCAL = 3.3
"""Focal length of the studio camera in heights of its picture: that of 120 mm on a full-frame camera held upright."""
STUDIO_DISTANCE = 1.05
"""Metres from the studio camera to the middle of the head."""


@dataclass(frozen=True)
class Panel:
    """A window of the source's picture, scaled to the size at which it is shown."""

    left: int
    top: int
    right: int
    bottom: int
    """Pixels of the source; right and bottom are outside."""
    width: int
    height: int
    """Pixels of the panel, even."""

    def intrinsics(self, K: np.ndarray) -> np.ndarray:
        """(3, 3) of the source to (3, 3) of the panel."""
        scale = np.diag([self.width / (self.right - self.left), self.height / (self.bottom - self.top), 1.0])
        shift = np.array([[1.0, 0.0, -self.left], [0.0, 1.0, -self.top], [0.0, 0.0, 1.0]])
        return scale @ shift @ K

    def crop(self, image: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 picture of the source to (height, width, 3)."""
        import cv2

        part = image[self.top : self.bottom, self.left : self.right]
        shrinks = self.height < part.shape[0]
        return cv2.resize(part, (self.width, self.height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)


def intrinsics_at(take: Take, frame: int) -> np.ndarray:
    """(3, 3) of one frame."""
    return take.K if take.K.ndim == 2 else take.K[frame]


def project_points(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(..., V, 3) metres in camera axes to (..., V, 2) pixels; NaN behind the camera."""
    depth = points[..., 2:]
    scaled = np.where(depth > 0, points / np.where(depth > 0, depth, 1.0), np.nan)
    return (scaled @ np.swapaxes(K, -1, -2))[..., :2]


def head_panel(avatar: Avatar, take: Take, height: int = 640, margin: float = 0.12) -> Panel:
    """The window that holds the head in all frames in which it was seen, at most `height` pixels high.

    The neck's lower end is left out: it is the frame of the model, not of the person. The whole picture when the head
    is never seen.
    """
    size = tuple(int(x) for x in take.size)
    box = head_box(avatar, take)
    if box is None:
        box = np.array([0, 0, *size], float)
    pad = margin * float(box[3] - box[1])
    wide = max(box[2] - box[0], 0.75 * (box[3] - box[1])) - (box[2] - box[0])
    left, top = np.floor(box[:2] - pad - (wide / 2, 0)).clip(0, (size[0] - 2, size[1] - 2)).astype(int)
    right, bottom = np.ceil(box[2:] + pad + (wide / 2, 0)).clip((left + 2, top + 2), size).astype(int)
    scale = min(height / (bottom - top), 1.5 * height / (right - left), 2.0)
    even = [max(2, round((b - a) * scale / 2) * 2) for a, b in ((left, right), (top, bottom))]
    return Panel(int(left), int(top), int(right), int(bottom), *even)


def head_box(avatar: Avatar, take: Take) -> np.ndarray | None:
    """(4,) left, top, right, bottom in pixels of everything above the neck over the frames in which it was seen."""
    frames = np.flatnonzero(take.valid)
    if not len(frames):
        return None
    # The frame matters little for a box: a couple of dozen will do.
    frames = frames[np.linspace(0, len(frames) - 1, min(len(frames), 24)).astype(int)]
    neck = avatar.regions.get("neck", np.zeros(len(avatar.neutral), bool))
    points = np.concatenate(list(pose_vertices(avatar, take_frames(take, frames))))[:, ~neck]
    K = take.K if take.K.ndim == 2 else take.K[frames]
    pixels = project_points(points, K).reshape(-1, 2)
    if not np.isfinite(pixels).any():
        return None
    return np.concatenate([np.nanmin(pixels, 0), np.nanmax(pixels, 0)])


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
    """(F,) bool: the triangles that belong to the head and the upper neck.

    What is below follows the torso and covers clothes when it is drawn over a picture.
    """
    torso = avatar.skinning[:, avatar.joint_names.index("root")]
    return (torso[avatar.faces] < 0.5).all(1)


def posed_frames(avatar: Avatar, take: Take) -> Iterator[np.ndarray]:
    """(V, 3) vertices in camera axes, frame after frame."""
    for block in pose_vertices(avatar, take):
        yield from block
