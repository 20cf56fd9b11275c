"""From what the encoder says of a crop to the head's place before the camera, and its refinement on the landmarks.

The heads' expression is held; what is left is a rigid pose, six numbers, found by two Gauss-Newton steps. In numpy: a
single frame, as live, is too little work for torch, whose calls cost more than the arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ..encoders.alignment import STEADY
from ..geometry.landmarks import face_middle
from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from ..protocol.posing import joint_angles, matrix_of

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
SPINS = np.array([[[0, 0, 0], [0, 0, 1], [0, -1, 0]], [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]], float)
"""p @ these is the speed of a point p that turns about +X and about +Z, a radian a second."""
CROSS = np.array([[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], float)
"""v @ this is the matrix of the cross product with v, row by row."""
TINY = 1e-200
"""Keeps the sine of nothing over nothing at 1."""
STEADY_ROWS = np.array(STEADY)


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
        self.angles = joint_angles(avatar.rig, ARKIT_52)
        self.skull = part_of(avatar, corners, bary - sum(shares.values()))
        parts = {name: part_of(avatar, corners, share) for name, share in shares.items()}
        self.parts = {name: part for name, part in parts.items() if len(part.rows)}
        self.turning = np.concatenate([self.angles[name] for name in TURNING], 1)
        self.pivots = {name: avatar.joints[joint[name]].astype(float) for name in TURNING}
        a, b, c = np.moveaxis(avatar.neutral[corners], 1, 0)
        normals = np.cross(b - a, c - a)
        self.normals = normals / np.linalg.norm(normals, axis=1, keepdims=True)
        self.interocular = float(np.linalg.norm(self.pivots["eye_left"] - self.pivots["eye_right"]))
        self.middle = face_middle(avatar).numpy()
        self.rest = self.shaped(np.zeros((1, len(ARKIT_52))))[0]

    def shaped(self, weights: Float[np.ndarray, "T 52"]) -> Float[np.ndarray, "T L 3"]:
        """The landmarks of expressions in the skull's frame."""
        points = np.zeros((len(weights), *self.normals.shape))
        points[:, self.skull.rows] = moved(self.skull, weights)
        turns = self.turns(weights)
        for name, part in self.parts.items():
            turn, carried = turns[name], part.share * self.pivots[name]
            points[:, part.rows] += (moved(part, weights) - carried) @ turn + carried
        return points

    def slopes(self, weights: Float[np.ndarray, "T 52"]) -> Float[np.ndarray, "T 52 L 3"]:
        """Derivatives of `shaped` by each weight."""
        slopes = np.zeros((*weights.shape, *self.normals.shape))
        slopes[:, :, self.skull.rows] = self.skull.expressions.reshape(len(ARKIT_52), -1, 3)
        turns = self.turns(weights)
        for name, part in self.parts.items():
            turn = turns[name]
            arms = moved(part, weights) - part.share * self.pivots[name]
            # A joint turns about +X first, then about +Z.
            about = np.stack([arms @ SPINS[0] @ turn, arms @ turn @ SPINS[1]], 1).reshape(len(weights), 2, -1)
            own = (part.expressions.reshape(-1, 3) @ turn).reshape(len(weights), len(ARKIT_52), -1, 3)
            slopes[:, :, part.rows] += own + (self.angles[name] @ about).reshape(own.shape)
        return slopes

    def turns(self, weights: Float[np.ndarray, "T 52"]) -> dict[str, Float[np.ndarray, "T 3 3"]]:
        """What turns rows of points about the joints: about +X first, then about +Z."""
        angles = (weights @ self.turning).reshape(len(weights), -1, 2)
        (cx, cz), (sx, sz) = np.cos(angles).T, np.sin(angles).T  # each J T
        rows = ((cz, sz, 0), (-sz * cx, cz * cx, sx), (sz * sx, -cz * sx, cx))
        return dict(zip(TURNING, matrix_of(rows), strict=True))


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
    upright = turns_of(np.stack([0 * angle, 0 * angle, angle], 1)) @ rotation
    origin, ray = head.rest[STEADY_ROWS].mean(0), place
    for _ in range(RAY_STEPS):
        turned = turn_towards(ray) @ upright
        ray = place + turned @ (head.middle - origin)
    return Pose(turned, place - turned @ origin)


def turn_towards(direction: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """The shortest turns that take +Z to directions of any length, which point forward."""
    x, y, z = direction.T / np.sqrt(squares(direction))
    k = 1 / (1 + z)
    return matrix_of(((1 - k * x * x, -k * x * y, x), (-k * x * y, 1 - k * y * y, y), (-x, -y, z)))


def turns_of(vectors: Float[np.ndarray, "T 3"]) -> Float[np.ndarray, "T 3 3"]:
    """Rotations by vectors: axis times angle in radians (Rodrigues)."""
    angle = np.sqrt(squares(vectors) + TINY)[:, None, None]
    cross = (vectors @ CROSS).reshape(-1, 3, 3)
    return np.eye(3) + np.sin(angle) / angle * cross + 2 * (np.sin(angle / 2) / angle) ** 2 * (cross @ cross)


def refined(
    pose: Pose,
    head: PoseHead,
    weights: Float[np.ndarray, "T 52"],
    landmarks: Float[np.ndarray, "T 478 _"],
    K: Float[np.ndarray, "3 3"],
) -> Pose:
    """The pose that brings the landmarks of these expressions to those that are seen, near the encoder's own."""
    points, turned = head.shaped(weights), np.zeros((len(weights), 3))
    sigma = np.sqrt(NOISE**2 + (CARRIED / head.interocular) ** 2 * squares(points - head.rest))
    flat = np.swapaxes((landmarks[..., :2] - K[:2, 2]) / K[0, 0], 1, 2)
    for _ in range(STEPS):
        move = step(pose, turned, np.swapaxes(points, 1, 2), sigma, flat, head)
        turned = turned + move[:, :3]  # one after the other they are the sum, but for the square of small turns
        pose = Pose(turns_of(move[:, :3]) @ pose.rotation, pose.translation + move[:, 3:])
    return pose


def squares(vectors: Float[np.ndarray, "*B 3"]) -> Float[np.ndarray, "*B"]:
    """Squared lengths."""
    return np.einsum("...c,...c->...", vectors, vectors)


def step(
    pose: Pose,
    turned: Float[np.ndarray, "T 3"],
    points: Float[np.ndarray, "T 3 L"],
    sigma: Float[np.ndarray, "T L"],
    seen: Float[np.ndarray, "T 2 L"],
    head: PoseHead,
) -> Float[np.ndarray, "T 6"]:
    """One step of Gauss and Newton, a turn and a way, from a pose that has been `turned` away from the encoder's.

    `seen` are x / z and y / z; errors are in interocular distances, far ones reweighted. Coordinates come first, so
    that numpy works along the landmarks.
    """
    count = len(pose.rotation)
    arms = pose.rotation @ points
    camera = arms + pose.translation[..., None]
    near = 1 / camera[:, 2]
    flat = camera[:, :2] * near[:, None]
    unit = (head.interocular / pose.translation[:, 2])[:, None, None]  # of flat
    error = (flat - seen) / unit
    facing = -(pose.rotation[:, 2] @ head.normals.T)
    weight = EVIDENCE * (facing.clip(LEAST_FACING, 1) / sigma) ** 2
    weight = weight / (1 + (error**2).sum(1) / (OUTLIER * sigma) ** 2)
    rows = projection_slope(arms, flat, near) / unit[..., None]
    weighted = np.swapaxes((rows * weight[:, None, None]).reshape(count, 6, -1), 1, 2)
    normal = rows.reshape(count, 6, -1) @ weighted
    gradient = (error.reshape(count, 1, -1) @ weighted)[:, 0]
    normal[:, range(3), range(3)] += TURN_NOISE**-2
    gradient[:, :3] += turned / TURN_NOISE**2
    return -np.linalg.solve(normal, gradient[..., None])[..., 0]


def projection_slope(
    turned: Float[np.ndarray, "T 3 L"], flat: Float[np.ndarray, "T 2 L"], near: Float[np.ndarray, "T L"]
) -> Float[np.ndarray, "T 6 2 L"]:
    """Of x / z and y / z by the head's turn (a vector in camera axes) and its place; `turned` are points from it,
    `near` is 1 / z."""
    x, y = flat[:, 0], flat[:, 1]
    across, down, out = np.swapaxes(turned * near[:, None], 0, 1)
    slopes = np.zeros((len(turned), 6, 2, turned.shape[2]))
    of_x, of_y = slopes[:, :, 0], slopes[:, :, 1]
    of_x[:, 0], of_x[:, 1], of_x[:, 2] = -down * x, out + across * x, -down
    of_y[:, 0], of_y[:, 1], of_y[:, 2] = -out - down * y, across * y, across
    of_x[:, 3], of_x[:, 5] = near, -x * near
    of_y[:, 4], of_y[:, 5] = near, -y * near
    return slopes
