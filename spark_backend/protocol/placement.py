"""Where camera and head stand in Blender's world."""

import numpy as np

from .avatar import Avatar
from .posing import quaternion_to_matrix
from .take import Take

# OpenCV's camera axes in a level camera that looks along +Y: right is +X, down is -Z, forward is +Y.
WORLD_FROM_CAMERA_AXES = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])
WORLD_FROM_CAMERA_QUATERNION = np.array([np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0])


def world_from_camera(avatar: Avatar, take: Take) -> np.ndarray:
    """(4, 4) camera axes (OpenCV, metres) to Blender's world (+Z up, metres).

    The camera is level and looks along +Y; it stands where the skull is, in the median frame, at its place in the
    avatar's rest pose. A face that looks into the camera so looks along -Y, like the avatar itself.
    """
    pivot = avatar.joints[avatar.joint_names.index("head")]
    frames = np.flatnonzero(take.valid) if np.any(take.valid) else np.arange(len(take.pts))
    seen = quaternion_to_matrix(take.head_rotation[frames]) @ pivot + take.head_translation[frames]
    matrix = np.eye(4)
    matrix[:3, :3] = WORLD_FROM_CAMERA_AXES
    matrix[:3, 3] = pivot - WORLD_FROM_CAMERA_AXES @ np.median(seen, axis=0)
    return matrix
