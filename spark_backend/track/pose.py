"""From what the encoder says of a crop to the head's place before the camera, and its refinement on the landmarks.

The heads' expression is held; what is left is a rigid pose, six numbers, found by two Gauss-Newton steps.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..encoders.alignment import STEADY
from ..geometry.landmarks import LandmarkHead
from ..geometry.rotation import matrix_from_vector, turn_towards, vector_from_matrix

STEPS = 2
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


@dataclass(frozen=True)
class Pose:
    """Of `T` frames."""

    rotation: Float[Tensor, "T 3 3"]
    """Avatar axes to camera axes."""
    translation: Float[Tensor, "T 3"]
    """Metres, camera axes."""


def pose_from_crop(
    rotation: Float[Tensor, "T 3 3"],
    middle: Float[Tensor, "T 2"],
    scale: Float[Tensor, "T"],
    angle: Float[Tensor, "T"],
    K: Float[Tensor, "3 3"],
    rest: Float[Tensor, "478 3"],
) -> Pose:
    """The encoder's own pose under a full perspective: `middle` and `scale` in the frame's pixels."""
    depth = K[0, 0] / scale
    ray = torch.cat([(middle - K[:2, 2]) / K[0, 0], torch.ones_like(depth)[:, None]], -1)
    zero = torch.zeros_like(angle)
    upright = matrix_from_vector(torch.stack([zero, zero, angle], -1))
    turned = turn_towards(ray) @ upright @ rotation
    origin = rest[list(STEADY)].mean(0)
    return Pose(turned, ray * depth[:, None] - turned @ origin)


def refined(
    pose: Pose,
    head: LandmarkHead,
    weights: Float[Tensor, "T 52"],
    landmarks: Float[Tensor, "T 478 _"],
    K: Float[Tensor, "3 3"],
) -> Pose:
    """The pose that brings the landmarks of these expressions to those that are seen, near the encoder's own."""
    points, first = head.shaped(weights), pose.rotation
    carried = (points - head.rest).norm(dim=-1)
    pixels = landmarks[..., :2] - K[:2, 2]
    for _ in range(STEPS):
        pose = step(pose, first, points, carried, pixels, K[0, 0], head)
    return pose


def step(
    pose: Pose, first: Tensor, points: Tensor, carried: Tensor, pixels: Tensor, focal: Tensor, head: LandmarkHead
) -> Pose:
    """One step of Gauss and Newton, errors in interocular distances, far ones reweighted."""
    turned = points @ pose.rotation.mT
    x, y, z = (turned + pose.translation[:, None]).unbind(-1)
    unit = focal * head.interocular / pose.translation[:, 2]
    error = (focal * torch.stack([x / z, y / z], -1) - pixels) / unit[:, None, None]
    zero = torch.zeros_like(z)
    by_place = torch.stack([torch.stack([1 / z, zero, -x / z**2], -1), torch.stack([zero, 1 / z, -y / z**2], -1)], -2)
    by_place = by_place * (focal / unit)[:, None, None, None]
    by_turn = torch.linalg.cross(turned[..., None, :].expand_as(by_place), by_place, dim=-1)
    jacobian = torch.cat([by_turn, by_place], -1)
    facing = -(head.normals @ pose.rotation.mT)[..., 2]
    sigma = (NOISE**2 + (CARRIED * carried / head.interocular) ** 2).sqrt()
    weight = EVIDENCE * (facing.clamp(LEAST_FACING, 1) / sigma) ** 2
    weight = weight / (1 + error.square().sum(-1) / (OUTLIER * sigma) ** 2)
    weighted = jacobian * weight[..., None, None]
    normal = torch.einsum("tlij,tlik->tjk", weighted, jacobian)
    gradient = torch.einsum("tlij,tli->tj", weighted, error)
    back = vector_from_matrix(pose.rotation @ first.mT)
    normal[:, range(3), range(3)] += TURN_NOISE**-2
    gradient[:, :3] += back / TURN_NOISE**2
    move = -torch.linalg.solve(normal, gradient)
    return Pose(matrix_from_vector(move[:, :3]) @ pose.rotation, pose.translation + move[:, 3:])
