"""From a take to joints and vertices, in numpy: what Blender's armature does, for exports, tests and live preview."""

from collections.abc import Iterator

import numpy as np

from .avatar import Avatar, Rig
from .names import JOINTS
from .take import Take


def quaternion_to_matrix(q: np.ndarray) -> np.ndarray:
    """(..., 4) unit wxyz to (..., 3, 3)."""
    w, x, y, z = np.moveaxis(np.asarray(q, float), -1, 0)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.stack([np.stack(row, -1) for row in rows], -2)


def multiply_quaternions(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(..., 4) wxyz, first `b`, then `a`."""
    aw, ax, ay, az = np.moveaxis(np.asarray(a, float), -1, 0)
    bw, bx, by, bz = np.moveaxis(np.asarray(b, float), -1, 0)
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        -1,
    )


def axis_quaternion(axis: int, angle: np.ndarray) -> np.ndarray:
    """(...,) radians about coordinate axis 0, 1 or 2 to (..., 4) wxyz."""
    q = np.zeros((*np.shape(angle), 4))
    q[..., 0] = np.cos(np.asarray(angle) / 2)
    q[..., 1 + axis] = np.sin(np.asarray(angle) / 2)
    return q


def joints_from_weights(rig: Rig, names: tuple[str, ...], weights: np.ndarray) -> dict[str, np.ndarray]:
    """The rotations that ARKit's jaw and look weights stand for: jaw, eye_left, eye_right, each (T, 4) wxyz.

    The jaw opens about +X and moves sideways about +Z; an eye turns about +X first, then about +Z.
    """
    w = {name: weights[:, names.index(name)] for name in names if name.startswith(("jaw", "eyeLook"))}
    opening = axis_quaternion(0, rig.jaw_open * w["jawOpen"])
    jaw = multiply_quaternions(axis_quaternion(2, rig.jaw_side * (w["jawLeft"] - w["jawRight"])), opening)
    rotations = {"jaw": jaw}
    for side, inward in (("Left", -1.0), ("Right", 1.0)):
        yaw = inward * (rig.gaze_in * w[f"eyeLookIn{side}"] - rig.gaze_out * w[f"eyeLookOut{side}"])
        pitch = rig.gaze_down * w[f"eyeLookDown{side}"] - rig.gaze_up * w[f"eyeLookUp{side}"]
        rotations[f"eye_{side.lower()}"] = multiply_quaternions(axis_quaternion(2, yaw), axis_quaternion(0, pitch))
    return rotations


def joint_transforms(avatar: Avatar, take: Take) -> np.ndarray:
    """(T, J, 4, 4) rest-pose points to camera axes, for the joints of `JOINTS`."""
    count = len(take.pts)
    local = {name: quaternion_to_matrix(getattr(take, name)) for name in ("neck", "jaw", "eye_left", "eye_right")}
    head = np.tile(np.eye(4), (count, 1, 1))
    head[:, :3, :3] = quaternion_to_matrix(take.head_rotation)
    head[:, :3, 3] = take.head_translation
    pivot = dict(zip(avatar.joint_names, avatar.joints, strict=True))
    result = {"head": head, "neck": head}
    # not by np.linalg.inv: on a busy machine its threads take 40 ms to meet, once per frame
    result["root"] = head @ about(pivot["neck"], np.swapaxes(local["neck"], -1, -2))
    for name in ("jaw", "eye_left", "eye_right"):
        result[name] = head @ about(pivot[name], local[name])
    return np.stack([result[name] for name in JOINTS], 1)


def about(pivot: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations about a point (3,), as (..., 4, 4)."""
    matrix = np.zeros((*rotation.shape[:-2], 4, 4))
    matrix[..., :3, :3] = rotation
    matrix[..., :3, 3] = pivot - rotation @ pivot
    matrix[..., 3, 3] = 1
    return matrix


def pose_vertices(avatar: Avatar, take: Take, block: int = 64) -> Iterator[np.ndarray]:
    """The avatar's vertices in camera axes, metres, in blocks of at most `block` frames: (B, V, 3) float32."""
    column = [take.names.index(name) for name in avatar.expression_names]
    basis = avatar.expressions.reshape(len(column), -1)
    transforms = joint_transforms(avatar, take)
    order = [JOINTS.index(name) for name in avatar.joint_names]
    for start in range(0, len(take.pts), block):
        part = slice(start, start + block)
        shape = avatar.neutral + (take.weights[part][:, column] @ basis).reshape(-1, *avatar.neutral.shape)
        blended = np.einsum("vj,tjab->tvab", avatar.skinning, transforms[part][:, order])
        posed = np.einsum("tvab,tvb->tva", blended[..., :3, :3], shape) + blended[..., :3, 3]
        yield posed.astype(np.float32)
