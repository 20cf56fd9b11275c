"""From what the encoder says of a crop to the head's place before the camera, and its refinement on the landmarks.

The heads' expression is held; what is left is a rigid pose, six numbers, found by two Gauss-Newton steps. In numpy: a
single frame, as live, is too little work for torch, whose calls cost more than the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from ..encoders.alignment import STEADY
from ..geometry.landmarks import face_middle
from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from ..protocol.posing import joints_from_weights, quaternion_to_matrix

STEPS = 2
RAY_STEPS = 3
NOISE = 0.012
"""Standard deviation of a landmark, in interocular distances."""
CARRIED = 0.25
"""Part of the way that an expression carries a landmark by which its place is uncertain."""
OUTLIER = 2.5
"""Errors beyond so many standard deviations lose their pull (Cauchy)."""
EVIDENCE = 0.02
"""How much of its nominal information a landmark carries: neighbours err together, and with the expression."""
TURN_NOISE = 0.05
"""Radians: standard deviation of the encoder's own rotation."""
LEAST_FACING = 0.15
TURNING = ("jaw", "eye_left", "eye_right")
"""Joints that move landmarks in the skull's frame."""


@dataclass(frozen=True)
class Pose:
    """Of `T` frames."""

    rotation: Float[np.ndarray, "T 3 3"]
    """Avatar axes to camera axes."""
    translation: Float[np.ndarray, "T 3"]
    """Metres, camera axes."""


class Part(NamedTuple):
    """What one joint carries of the landmarks `rows`; metres, avatar axes."""

    rows: Int[np.ndarray, "R"]
    share: Float[np.ndarray, "R 1"]
    """The joint's weight."""
    neutral: Float[np.ndarray, "R 3"]
    """Times the share, as the expressions are."""
    expressions: Float[np.ndarray, "52 N"]
    """Of N = 3 R coordinates."""


class PoseHead:
    """The landmarks of one person's head: `geometry.landmarks.LandmarkHead` in numpy, grouped by what turns them."""

    def __init__(self, avatar: Avatar, landmarks: Sequence[int] = range(478)) -> None:
        """All landmarks, or some of them."""
        corners, bary = avatar.faces[avatar.landmark_face[landmarks]], avatar.landmark_bary[landmarks]
        joint = {name: avatar.joint_names.index(name) for name in TURNING}
        shares = {name: bary * avatar.skinning[corners, joint[name]] for name in TURNING}
        self.rig = avatar.rig
        self.skull = part_of(avatar, corners, bary - sum(shares.values()))
        parts = {name: part_of(avatar, corners, share) for name, share in shares.items()}
        self.parts = {name: part for name, part in parts.items() if len(part.rows)}
        self.pivots = {name: avatar.joints[joint[name]].astype(float) for name in TURNING}
        a, b, c = np.moveaxis(avatar.neutral[corners], 1, 0)
        normals = np.cross(b - a, c - a)
        self.normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        self.interocular = float(np.linalg.norm(self.pivots["eye_left"] - self.pivots["eye_right"]))
        self.middle = face_middle(avatar).numpy()
        self.rest = self.shaped(np.zeros((1, len(ARKIT_52))))[0]

    def shaped(self, weights: Float[np.ndarray, "T 52"]) -> Float[np.ndarray, "T L 3"]:
        """The landmarks of expressions in the skull's frame."""
        turns, points = joints_from_weights(self.rig, ARKIT_52, weights), np.zeros((len(weights), *self.normals.shape))
        points[:, self.skull.rows] = moved(self.skull, weights)
        for name, part in self.parts.items():
            turn, carried = quaternion_to_matrix(turns[name]), part.share * self.pivots[name]
            points[:, part.rows] += (moved(part, weights) - carried) @ np.swapaxes(turn, 1, 2) + carried
        return points


def part_of(avatar: Avatar, corners: Int[np.ndarray, "L 3"], weight: Float[np.ndarray, "L 3"]) -> Part:
    """The landmarks' part that follows a joint with these weights of their corners; rows without any are left out."""
    rows = np.flatnonzero(weight.sum(1) > 0)
    expressions = avatar.expressions[[avatar.expression_names.index(name) for name in ARKIT_52]][:, corners[rows]]
    return Part(
        rows,
        weight[rows].sum(1, keepdims=True),
        np.einsum("lkc,lk->lc", avatar.neutral[corners[rows]], weight[rows]),
        np.einsum("elkc,lk->elc", expressions, weight[rows]).reshape(len(ARKIT_52), -1).astype(np.float32),
    )


def moved(part: Part, weights: Float[np.ndarray, "T 52"]) -> Float[np.ndarray, "T R 3"]:
    """A part of the landmarks with expressions, before its joint turns."""
    return part.neutral + (weights.astype(np.float32) @ part.expressions).reshape(len(weights), -1, 3)


def pose_from_crop(
    rotation: Float[np.ndarray, "T 3 3"],
    middle: Float[np.ndarray, "T 2"],
    scale: Float[np.ndarray, "T"],
    angle: Float[np.ndarray, "T"],
    K: Float[np.ndarray, "3 3"],
    head: PoseHead,
) -> Pose:
    """The encoder's own pose under a full perspective: `middle` and `scale` in the frame's pixels.

    They are those of the steady landmarks, while the encoder's rotation belongs to the ray to the face's middle, 25 mm
    below: 2 degrees at arm's length. Where that is depends on the rotation, and is found by repetition.
    """
    depth = K[0, 0] / scale
    place = np.concatenate([(middle - K[:2, 2]) / K[0, 0], np.ones((len(depth), 1))], 1) * depth[:, None]
    upright = Rotation.from_euler("z", angle[:, None]).as_matrix() @ rotation
    origin, ray = head.rest[list(STEADY)].mean(0), place
    for _ in range(RAY_STEPS):
        turned = turn_towards(ray) @ upright
        ray = place + turned @ (head.middle - origin)
    return Pose(turned, place - turned @ origin)


def turn_towards(direction: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """The shortest turns that take +Z to directions of any length, which point forward."""
    x, y, z = direction.T
    sine = np.stack([-y, x, 0 * x], 1)
    length = np.linalg.norm(sine, axis=1)
    factor = np.arctan2(length, z) / np.maximum(length, 1e-9)
    return Rotation.from_rotvec(sine * factor[:, None]).as_matrix()


def refined(
    pose: Pose,
    head: PoseHead,
    weights: Float[np.ndarray, "T 52"],
    landmarks: Float[np.ndarray, "T 478 _"],
    K: Float[np.ndarray, "3 3"],
) -> Pose:
    """The pose that brings the landmarks of these expressions to those that are seen, near the encoder's own."""
    points, first = head.shaped(weights), pose.rotation
    carried = np.linalg.norm(points - head.rest, axis=-1)
    sigma = np.sqrt(NOISE**2 + (CARRIED * carried / head.interocular) ** 2)
    pixels = landmarks[..., :2] - K[:2, 2]
    for _ in range(STEPS):
        pose = step(pose, first, points, sigma, pixels, float(K[0, 0]), head)
    return pose


def step(
    pose: Pose,
    first: np.ndarray,
    points: np.ndarray,
    sigma: np.ndarray,
    pixels: np.ndarray,
    focal: float,
    head: PoseHead,
) -> Pose:
    """One step of Gauss and Newton, errors in interocular distances, far ones reweighted."""
    turned = points @ np.swapaxes(pose.rotation, 1, 2)
    camera = turned + pose.translation[:, None]
    flat = camera[..., :2] / camera[..., 2:]
    unit = (head.interocular / pose.translation[:, 2])[:, None, None]  # of flat
    error = (flat - pixels / focal) / unit
    jacobian = projection_slope(turned, flat, camera[..., 2]) / unit[..., None]
    facing = -(head.normals @ pose.rotation[:, 2, :, None])[..., 0]
    weight = EVIDENCE * (facing.clip(LEAST_FACING, 1) / sigma) ** 2
    weight = weight / (1 + (error**2).sum(-1) / (OUTLIER * sigma) ** 2)
    rows = jacobian.reshape(len(points), -1, 6)
    weighted = np.swapaxes((jacobian * weight[..., None, None]).reshape(rows.shape), 1, 2)
    normal, gradient = weighted @ rows, (weighted @ error.reshape(len(points), -1, 1))[..., 0]
    normal[:, range(3), range(3)] += TURN_NOISE**-2
    gradient[:, :3] += Rotation.from_matrix(pose.rotation @ np.swapaxes(first, 1, 2)).as_rotvec() / TURN_NOISE**2
    move = -np.linalg.solve(normal, gradient[..., None])[..., 0]
    return Pose(Rotation.from_rotvec(move[:, :3]).as_matrix() @ pose.rotation, pose.translation + move[:, 3:])


def projection_slope(
    turned: Float[np.ndarray, "T L 3"], flat: Float[np.ndarray, "T L 2"], depth: Float[np.ndarray, "T L"]
) -> Float[np.ndarray, "T L 2 6"]:
    """Of x / z and y / z by the head's turn (a vector in camera axes) and its place; `turned` are points from it."""
    slope = np.zeros((*depth.shape, 2, 6))
    for axis in range(2):
        slope[..., axis, 3 + axis] = 1 / depth
        slope[..., axis, 5] = -flat[..., axis] / depth
    slope[..., :3] = np.cross(turned[..., None, :], slope[..., 3:])
    return slope
