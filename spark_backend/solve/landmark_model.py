"""Landmarks of a head model as functions of identity, expression, jaw and gaze, with analytic derivatives.

A landmark is a fixed barycentric place on a triangle; its corners are skinned. Grouping the corners by what moves them
gives, in the skull's frame, `p = a + J (b - s c) + s c`: `a` is the part that follows the skull, `b` the part that
follows the jaw with total weight `s`, `J` the jaw's rotation about the pivot `c`; `a`, `b` and `c` are linear in the
identity, `a` and `b` in the expressions too. Iris points turn with their eye instead. The little weight that points on
the jaw line have on the torso is given to the skull.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar, Rig
from ..protocol.names import ARKIT_52, JOINTS

LOOKS = ("eyeLookDown", "eyeLookIn", "eyeLookOut", "eyeLookUp")
FREE = tuple(name for name in ARKIT_52 if not name.startswith(LOOKS) and name != "tongueOut")
"""The expressions that are variables of the solver: looks follow from the gaze, no landmark sees the tongue."""
FREE_INDEX = [ARKIT_52.index(name) for name in FREE]
GAZE = ("yaw_left", "pitch_left", "yaw_right", "pitch_right")
"""Turns of the eyes (radians): yaw about +Z (to the subject's left), pitch about +X (down)."""
IRISES = (tuple(range(473, 478)), tuple(range(468, 473)))
"""Landmarks of the left and of the right iris."""


@dataclass(frozen=True)
class LandmarkModel:
    """The constants of the formula above, float64."""

    skull: Float[Tensor, "L 3"]
    jaw: Float[Tensor, "L 3"]
    share: Float[Tensor, "L"]
    """`s`: the jaw's weight."""
    skull_identity: Float[Tensor, "I L 3"]
    jaw_identity: Float[Tensor, "I L 3"]
    skull_expression: Float[Tensor, "52 L 3"]
    jaw_expression: Float[Tensor, "52 L 3"]
    pivots: Float[Tensor, "3 3"]
    """Jaw, left eye, right eye."""
    pivots_identity: Float[Tensor, "I 3 3"]
    normal: Float[Tensor, "L 3"]
    """Unit normals of the average head at the landmarks."""
    sigma: Float[Tensor, "L"]
    """Metres."""
    rig: Rig


def landmark_model(head: HeadModel, avatar: Avatar | None = None) -> LandmarkModel:
    """From a head model; with an avatar, the same for that person alone, without identity directions."""
    source = head if avatar is None else avatar
    identity = head.identity if avatar is None else np.zeros((0, *source.neutral.shape))
    joint_identity = head.joint_identity if avatar is None else np.zeros((0, *source.joints.shape))
    faces = source.faces[source.landmark_face]
    bary = source.landmark_bary
    share = source.skinning[faces, JOINTS.index("jaw")]

    def at_landmarks(field: np.ndarray, weight: np.ndarray) -> Tensor:
        return torch.as_tensor(np.einsum("...lkc,lk->...lc", field[..., faces, :], bary * weight)).double()

    corners = source.neutral[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    joints = [JOINTS.index(name) for name in ("jaw", "eye_left", "eye_right")]
    return LandmarkModel(
        skull=at_landmarks(source.neutral, 1 - share),
        jaw=at_landmarks(source.neutral, share),
        share=torch.as_tensor((bary * share).sum(1)).double(),
        skull_identity=at_landmarks(identity, 1 - share),
        jaw_identity=at_landmarks(identity, share),
        skull_expression=at_landmarks(source.expressions, 1 - share),
        jaw_expression=at_landmarks(source.expressions, share),
        pivots=torch.as_tensor(source.joints[joints]).double(),
        pivots_identity=torch.as_tensor(joint_identity[:, joints]).double(),
        normal=torch.as_tensor(normal / np.linalg.norm(normal, axis=1, keepdims=True)).double(),
        sigma=torch.as_tensor(head.landmark_sigma).double(),
        rig=source.rig,
    )


@dataclass(frozen=True)
class Pose:
    """Landmarks of `T` frames in the skull's frame, and their derivatives."""

    points: Float[Tensor, "T L 3"]
    by_weight: Float[Tensor, "T E L 3"]
    """For the weights of `FREE`."""
    by_gaze: Float[Tensor, "T 4 L 3"]
    by_identity: Float[Tensor, "T I L 3"] | None


def look_weights(rig: Rig, gaze: Float[Tensor, "T 4"]) -> Float[Tensor, "T 52"]:
    """ARKit's eight look weights that stand for a gaze; the other columns are 0."""
    result = torch.zeros(len(gaze), 52, dtype=gaze.dtype)
    for name, column, factor in look_channels(rig):
        result[:, ARKIT_52.index(name)] = (gaze[:, column] * factor).clamp(min=0)
    return result


def look_channels(rig: Rig) -> list[tuple[str, int, float]]:
    """Name, column of the gaze and factor: the weight is the positive part of gaze times factor."""
    channels = []
    for side, yaw, pitch, outward in (("Left", 0, 1, 1.0), ("Right", 2, 3, -1.0)):
        channels += [
            (f"eyeLookOut{side}", yaw, outward / rig.gaze_out),
            (f"eyeLookIn{side}", yaw, -outward / rig.gaze_in),
            (f"eyeLookDown{side}", pitch, 1 / rig.gaze_down),
            (f"eyeLookUp{side}", pitch, -1 / rig.gaze_up),
        ]
    return channels


def turn_about(axis: int, angle: Float[Tensor, "T"]) -> tuple[Float[Tensor, "T 3 3"], Float[Tensor, "T 3 3"]]:
    """Rotations about coordinate axis 0 or 2, and their derivative by the angle."""
    i, j = ((1, 2), None, (0, 1))[axis]
    turn = torch.eye(3, dtype=angle.dtype).repeat(len(angle), 1, 1)
    slope = torch.zeros_like(turn)
    cos, sin = angle.cos(), angle.sin()
    turn[:, i, i], turn[:, i, j], turn[:, j, i], turn[:, j, j] = cos, -sin, sin, cos
    slope[:, i, i], slope[:, i, j], slope[:, j, i], slope[:, j, j] = -sin, -cos, cos, -sin
    return turn, slope


@dataclass(frozen=True)
class JawTurn:
    """Rotation of the jaw in `T` frames and its derivatives by opening and by sideways angle."""

    turn: Float[Tensor, "T 3 3"]
    by_open: Float[Tensor, "T 3 3"]
    by_side: Float[Tensor, "T 3 3"]


def jaw_turn(rig: Rig, weights: Float[Tensor, "T 52"]) -> JawTurn:
    """The jaw's rotation for ARKit's weights."""
    opening, opening_slope = turn_about(0, rig.jaw_open * weights[:, ARKIT_52.index("jawOpen")])
    side = weights[:, ARKIT_52.index("jawLeft")] - weights[:, ARKIT_52.index("jawRight")]
    sideways, sideways_slope = turn_about(2, rig.jaw_side * side)
    return JawTurn(sideways @ opening, sideways @ opening_slope, sideways_slope @ opening)


def pose_landmarks(
    model: LandmarkModel,
    identity: Float[Tensor, "I"],
    weights: Float[Tensor, "T E"],
    gaze: Float[Tensor, "T 4"],
    with_identity: bool = False,
) -> Pose:
    """Points and derivatives for weights of `FREE` and gaze."""
    full = look_weights(model.rig, gaze)
    full[:, FREE_INDEX] = weights
    pivots = model.pivots + torch.tensordot(identity, model.pivots_identity, 1)
    share = model.share[:, None]
    skull = model.skull + torch.tensordot(identity, model.skull_identity, 1)
    skull = skull + torch.tensordot(full, model.skull_expression, 1)
    hung = model.jaw + torch.tensordot(identity, model.jaw_identity, 1) - share * pivots[0]
    hung = hung + torch.tensordot(full, model.jaw_expression, 1)

    jaw = jaw_turn(model.rig, full)
    points = skull + hung @ jaw.turn.mT + share * pivots[0]

    by_all = model.skull_expression + torch.einsum("tij,elj->teli", jaw.turn, model.jaw_expression)
    by_weight = by_all[:, FREE_INDEX]
    by_weight[:, FREE.index("jawOpen")] += model.rig.jaw_open * hung @ jaw.by_open.mT
    swing = model.rig.jaw_side * hung @ jaw.by_side.mT
    by_weight[:, FREE.index("jawLeft")] += swing
    by_weight[:, FREE.index("jawRight")] -= swing

    by_gaze = torch.zeros(len(gaze), 4, *model.skull.shape, dtype=gaze.dtype)
    for name, column, factor in look_channels(model.rig):
        active = (gaze[:, column] * factor > 0).to(gaze.dtype) * factor
        by_gaze[:, column] += active[:, None, None] * by_all[:, ARKIT_52.index(name)]
    by_identity = None
    if with_identity:
        away = model.jaw_identity - share * model.pivots_identity[:, None, 0]
        fixed = model.skull_identity + share * model.pivots_identity[:, None, 0]
        by_identity = fixed + torch.einsum("tij,dlj->tdli", jaw.turn, away)
    turn_irises(model, identity, pivots, gaze, points, by_weight, by_gaze, by_identity)
    return Pose(points, by_weight, by_gaze, by_identity)


def turn_irises(
    model: LandmarkModel,
    identity: Float[Tensor, "I"],
    pivots: Float[Tensor, "3 3"],
    gaze: Float[Tensor, "T 4"],
    points: Float[Tensor, "T L 3"],
    by_weight: Float[Tensor, "T E L 3"],
    by_gaze: Float[Tensor, "T 4 L 3"],
    by_identity: Float[Tensor, "T I L 3"] | None,
) -> None:
    """Replaces the rows of the iris points: they turn about their eye's centre and know no expression."""
    for eye, rows in enumerate(IRISES):
        rows, yaw, pitch, pivot = list(rows), 2 * eye, 2 * eye + 1, pivots[1 + eye]
        about_z, z_slope = turn_about(2, gaze[:, yaw])
        about_x, x_slope = turn_about(0, gaze[:, pitch])
        arm = model.skull[rows] + torch.tensordot(identity, model.skull_identity[:, rows], 1) - pivot
        turn = about_z @ about_x
        points[:, rows] = arm @ turn.mT + pivot
        by_weight[:, :, rows] = 0
        by_gaze[:, :, rows] = 0
        by_gaze[:, yaw, rows] = arm @ (z_slope @ about_x).mT
        by_gaze[:, pitch, rows] = arm @ (about_z @ x_slope).mT
        if by_identity is not None:
            centre = model.pivots_identity[:, None, 1 + eye]
            away = model.skull_identity[:, rows] - centre
            by_identity[:, :, rows] = torch.einsum("tij,dlj->tdli", turn, away) + centre
