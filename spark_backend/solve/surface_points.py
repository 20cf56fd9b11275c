"""Many fixed points of the skin as functions of expression, jaw and gaze: what the picture is compared at.

The same formula as `landmark_model`, in float32 and for thousands of points.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..protocol.avatar import Avatar, Rig
from ..protocol.names import ARKIT_52, JOINTS
from .landmark_model import FREE_INDEX, JawTurn, jaw_turn, look_weights, motion_basis, move_by
from .state import State

HIDDEN = ("mouth_interior", "lips", "eyelids", "eyes", "ears", "scalp")
"""Regions in which no point is placed. Lips and lids roll in, fold and shade: the landmarks tell better where they
are."""
LEAST_FACING = -0.2
"""Of a triangle's normal towards the front; what looks away more is never well seen."""


@dataclass(frozen=True)
class SurfacePoints:
    """`N` points on an avatar's skin, float32, metres."""

    rest: Float[Tensor, "N 3"]
    """The part that follows the skull."""
    hung: Float[Tensor, "N 3"]
    """The part that follows the jaw, less the pivot's share."""
    expression: Float[Tensor, "N 6 52"]
    """How the skull's part and the jaw's part move."""
    basis: Float[Tensor, "N 15 C"]
    """See `landmark_model.motion_basis`."""
    normal: Float[Tensor, "N 3"]
    """At rest."""
    rig: Rig


@dataclass(frozen=True)
class PosedPoints:
    """Points of `T` frames."""

    camera: Float[Tensor, "T N 3"]
    """Camera axes, metres."""
    hung: Float[Tensor, "T N 3"]
    """The jaw's part before the jaw turns."""
    jaw: JawTurn


def spread_points(avatar: Avatar, count: int) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N 3"]]:
    """Triangles and barycentric coordinates of `count` points spread evenly over the front of the face, always the
    same for the same head."""
    hidden = np.any([avatar.regions[name] for name in HIDDEN], axis=0)
    seen = avatar.regions["face"] & ~hidden
    skin = avatar.face_material == avatar.material_names.index("skin")
    triangles = np.flatnonzero(seen[avatar.faces].all(1) & skin)
    a, b, c = avatar.neutral[avatar.faces[triangles]].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    area = np.linalg.norm(normal, axis=1)
    front = -normal[:, 1] > LEAST_FACING * area
    triangles, area = triangles[front], area[front]
    generator = np.random.default_rng(0)
    # Along the surface's area, one point a stretch: more even than independent draws.
    place = (np.arange(count) + generator.random(count)) / count * area.sum()
    chosen = np.searchsorted(np.cumsum(area), place).clip(max=len(triangles) - 1)
    return triangles[chosen], generator.dirichlet(np.ones(3), count)


def surface_points(avatar: Avatar, face: np.ndarray, bary: np.ndarray) -> SurfacePoints:
    """Points on triangles `face` (N,) at `bary` (N, 3) of an avatar."""
    corners, jaw = avatar.faces[face], JOINTS.index("jaw")
    share = bary * avatar.skinning[corners, jaw]
    jaw_share = share.sum(1, keepdims=True)

    def at_points(field: np.ndarray, weight: np.ndarray, pivot: np.ndarray | float = 0.0) -> Tensor:
        return torch.as_tensor(np.einsum("...nkc,nk->...nc", field[..., corners, :], weight) + pivot).float()

    a, b, c = avatar.neutral[corners].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    hinge = jaw_share * avatar.joints[jaw]
    fields = [at_points(avatar.expressions[: len(ARKIT_52)], part) for part in (bary - share, share)]
    expression = torch.cat(fields, -1).permute(1, 2, 0)
    return SurfacePoints(
        rest=at_points(avatar.neutral, bary - share, hinge),
        hung=at_points(avatar.neutral, share, -hinge),
        expression=expression,
        basis=motion_basis(expression),
        normal=torch.as_tensor(normal / np.linalg.norm(normal, axis=1, keepdims=True)).float(),
        rig=avatar.rig,
    )


def all_weights(rig: Rig, state: State) -> Float[Tensor, "T 52"]:
    """ARKit's weights of a state, the looks from the gaze; float32."""
    full = look_weights(rig, state.gaze)
    full[:, FREE_INDEX] = state.weights
    return full.float()


def pose_points(points: SurfacePoints, state: State) -> PosedPoints:
    """Where the points are in the frames of a state."""
    weights = all_weights(points.rig, state)
    jaw = jaw_turn(points.rig, weights)
    moved = move_by(weights, points.expression)
    hung = points.hung + moved[..., 3:]
    local = points.rest + moved[..., :3] + hung @ jaw.turn.mT
    camera = local @ state.rotation.float().mT + state.translation.float()[:, None]
    return PosedPoints(camera, hung, jaw)
