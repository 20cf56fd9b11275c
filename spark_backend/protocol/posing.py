"""From a take to joints and vertices, in numpy: what Blender's armature does, for exports, tests and live preview."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from .avatar import Avatar, Rig
from .names import JOINTS
from .take import Take


def quaternion_to_matrix(q: np.ndarray) -> np.ndarray:
    """(..., 4) unit wxyz to (..., 3, 3)."""
    q = np.asarray(q, float)
    w, x, y, z = (q[..., part] for part in range(4))  # as np.moveaxis, in a tenth of its time
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return matrix_of(rows)


def matrix_to_quaternion(matrix: np.ndarray) -> np.ndarray:
    """(3, 3) to (4,) unit wxyz, its largest part positive; from that part, so no digits are lost (Shepperd 1978)."""
    (a, b, c), (d, e, f), (g, h, i) = matrix.tolist()
    rows = (
        (1 + a + e + i, h - f, c - g, d - b),
        (h - f, 1 + a - e - i, b + d, c + g),
        (c - g, b + d, 1 - a + e - i, f + h),
        (d - b, c + g, f + h, 1 - a - e + i),
    )
    largest = np.array(max(rows, key=max))
    return largest / np.sqrt(largest @ largest)


def matrix_of(rows: Sequence[Sequence[np.ndarray | float]]) -> np.ndarray:
    """(..., R, C) from R rows of C entries, each (...,) or, but for the first, a number.

    For single frames several times as fast as `np.stack`.
    """
    matrix = np.empty((*np.shape(rows[0][0]), len(rows), len(rows[0])))
    for row, entries in enumerate(rows):
        for column, entry in enumerate(entries):
            matrix[..., row, column] = entry
    return matrix


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


@cache
def joint_angles(rig: Rig, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Radians by which each weight turns jaw, eye_left and eye_right: (N, 2) about +X and about +Z.

    The jaw opens about +X and moves sideways about +Z; an eye looks down about +X and sideways about +Z.
    """
    turns = {"jaw": {"jawOpen": (rig.jaw_open, 0), "jawLeft": (0, rig.jaw_side), "jawRight": (0, -rig.jaw_side)}}
    for side, inward in (("Left", -1.0), ("Right", 1.0)):
        turns[f"eye_{side.lower()}"] = {
            f"eyeLookIn{side}": (0, inward * rig.gaze_in),
            f"eyeLookOut{side}": (0, -inward * rig.gaze_out),
            f"eyeLookDown{side}": (rig.gaze_down, 0),
            f"eyeLookUp{side}": (-rig.gaze_up, 0),
        }
    tables = {}
    for joint, angles in turns.items():
        tables[joint] = np.array([angles.get(name, (0, 0)) for name in names], float)
        tables[joint].flags.writeable = False
    return tables


def joints_from_weights(rig: Rig, names: tuple[str, ...], weights: np.ndarray) -> dict[str, np.ndarray]:
    """The rotations that ARKit's jaw and look weights stand for: jaw, eye_left, eye_right, each (T, 4) wxyz.

    Each turns about +X first, then about +Z, by `joint_angles`.
    """
    rotations = {}
    for joint, angles in joint_angles(rig, names).items():
        (x, z) = (weights @ angles / 2).T
        q = rotations[joint] = np.empty((len(weights), 4))
        q[:, 0], q[:, 3] = np.cos(x) * np.cos(z), np.cos(x) * np.sin(z)
        q[:, 1], q[:, 2] = np.sin(x) * np.cos(z), np.sin(x) * np.sin(z)
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
        moves = transforms[part][:, order, :3].reshape(len(shape), len(order), 12)
        blended = (avatar.skinning @ moves).reshape(*shape.shape[:2], 3, 4)
        posed = np.einsum("tvab,tvb->tva", blended[..., :3], shape) + blended[..., 3]
        yield posed.astype(np.float32)
