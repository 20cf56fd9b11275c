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
BY_TURN, BY_PLACE, BY_WEIGHT, BY_GAZE = slice(0, 3), slice(3, 6), slice(6, 58), slice(58, 62)
COLUMNS, ERROR = 63, 62
"""What points move by: the head's turn and place, ARKit's 52 weights, turns of the eyes. The last one is the error."""


@dataclass(frozen=True)
class LandmarkModel:
    """The constants of the formula above, float64."""

    skull: Float[Tensor, "L 3"]
    jaw: Float[Tensor, "L 3"]
    share: Float[Tensor, "L"]
    """`s`: the jaw's weight."""
    skull_identity: Float[Tensor, "I L 3"]
    jaw_identity: Float[Tensor, "I L 3"]
    expression: Float[Tensor, "L 6 52"]
    """How the skull's part and the jaw's part move; 0 for the irises."""
    basis: Float[Tensor, "L 15 C"]
    """See `motion_basis`."""
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
    parts = [at_landmarks(source.expressions[: len(ARKIT_52)], weight) for weight in (1 - share, share)]
    expression = torch.cat(parts, -1).permute(1, 2, 0).contiguous()
    expression[[row for rows in IRISES for row in rows]] = 0
    return LandmarkModel(
        skull=at_landmarks(source.neutral, 1 - share),
        jaw=at_landmarks(source.neutral, share),
        share=torch.as_tensor((bary * share).sum(1)).double(),
        skull_identity=at_landmarks(identity, 1 - share),
        jaw_identity=at_landmarks(identity, share),
        expression=expression,
        basis=motion_basis(expression),
        pivots=torch.as_tensor(source.joints[joints]).double(),
        pivots_identity=torch.as_tensor(joint_identity[:, joints]).double(),
        normal=torch.as_tensor(normal / np.linalg.norm(normal, axis=1, keepdims=True)).double(),
        sigma=torch.as_tensor(head.landmark_sigma).double(),
        rig=source.rig,
    )


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


def gaze_limit(rig: Rig) -> Float[np.ndarray, "2 4"]:
    """The eyes' range, lowest and highest gaze: where the look weights reach 1."""
    low = (-rig.gaze_in, -rig.gaze_up, -rig.gaze_out, -rig.gaze_up)
    return np.array([low, (rig.gaze_out, rig.gaze_down, rig.gaze_in, rig.gaze_down)])


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


@dataclass(frozen=True)
class EyeTurn:
    """An iris in `T` frames: its arm from the eye's centre, the turn and its derivatives by yaw and pitch."""

    arm: Float[Tensor, "5 3"]
    turn: Float[Tensor, "T 3 3"]
    by_yaw: Float[Tensor, "T 3 3"]
    by_pitch: Float[Tensor, "T 3 3"]


def eye_turn(arm: Float[Tensor, "5 3"], yaw: Float[Tensor, "T"], pitch: Float[Tensor, "T"]) -> EyeTurn:
    """Of an eye that looks to the subject's left and down by angles in radians."""
    (about_z, z_slope), (about_x, x_slope) = turn_about(2, yaw), turn_about(0, pitch)
    return EyeTurn(arm, about_z @ about_x, z_slope @ about_x, about_z @ x_slope)


@dataclass(frozen=True)
class Pose:
    """Landmarks of `T` frames in the skull's frame, and what their derivatives are made of."""

    points: Float[Tensor, "T L 3"]
    hung: Float[Tensor, "T L 3"]
    """The jaw's part, from its pivot, before the jaw turns: `b - s c`."""
    jaw: JawTurn
    gaze: Float[Tensor, "T 4"]
    eyes: tuple[EyeTurn, EyeTurn]
    """Left and right."""


def pose_landmarks(
    model: LandmarkModel, identity: Float[Tensor, "I"], weights: Float[Tensor, "T E"], gaze: Float[Tensor, "T 4"]
) -> Pose:
    """Points for weights of `FREE` and gaze. Iris points turn about their eye's centre and know no expression."""
    full = look_weights(model.rig, gaze)
    full[:, FREE_INDEX] = weights
    pivots = model.pivots + torch.tensordot(identity, model.pivots_identity, 1)
    share = model.share[:, None]
    skull = model.skull + torch.tensordot(identity, model.skull_identity, 1)
    hung = model.jaw + torch.tensordot(identity, model.jaw_identity, 1) - share * pivots[0]
    eyes = tuple(
        eye_turn(skull[list(rows)] - pivots[1 + eye], gaze[:, 2 * eye], gaze[:, 2 * eye + 1])
        for eye, rows in enumerate(IRISES)
    )
    moved, jaw = move_by(full, model.expression), jaw_turn(model.rig, full)
    hung = hung + moved[..., 3:]
    points = skull + moved[..., :3] + hung @ jaw.turn.mT + share * pivots[0]
    for eye, rows in enumerate(IRISES):
        points[:, list(rows)] = eyes[eye].arm @ eyes[eye].turn.mT + pivots[1 + eye]
    return Pose(points, hung, jaw, gaze, eyes)


def move_by(weights: Float[Tensor, "T 52"], expression: Float[Tensor, "P 6 52"]) -> Float[Tensor, "T P 6"]:
    """How far weights move the skull's part and the jaw's part of each point."""
    return (weights @ expression.flatten(0, 1).mT).unflatten(1, (len(expression), 6))


def motion_basis(expression: Float[Tensor, "P 6 52"]) -> Float[Tensor, "P 15 C"]:
    """What the numbers of `jacobian.row_factors` are multiplied with to give a point's motion by `COLUMNS`, float32."""
    basis = torch.zeros(len(expression), 15, COLUMNS)
    basis[:, :6, BY_WEIGHT] = expression.float()
    basis[:, 6:9, BY_TURN] = basis[:, 9:12, BY_PLACE] = torch.eye(3)
    for row, name, sign in ((12, "jawOpen", 1.0), (13, "jawLeft", 1.0), (13, "jawRight", -1.0)):
        basis[:, row, BY_WEIGHT.start + ARKIT_52.index(name)] = sign
    basis[:, 14, ERROR] = 1
    return basis


def identity_along(model: LandmarkModel, pose: Pose, row: Float[Tensor, "T L R 3"]) -> Float[Tensor, "T L R I"]:
    """Change of `row . point` (skull's axes) by the identity."""
    hinge = model.share[:, None] * model.pivots_identity[:, None, 0]
    directions = torch.cat([model.skull_identity + hinge, model.jaw_identity - hinge], -1).permute(1, 2, 0)
    result = along(row, pose.jaw.turn, directions)
    for eye, (rows, turn) in enumerate(zip(IRISES, pose.eyes, strict=True)):
        centre = model.pivots_identity[:, None, 1 + eye]
        away = model.skull_identity[:, list(rows)] - centre
        directions = torch.cat([centre.expand_as(away), away], -1).permute(1, 2, 0)
        result[:, list(rows)] = along(row[:, list(rows)], turn.turn, directions)
    return result


def along(
    row: Float[Tensor, "T P R 3"], turn: Float[Tensor, "T 3 3"], directions: Float[Tensor, "P 6 N"]
) -> Float[Tensor, "T P R N"]:
    """`row . (d + turn d')` of the two halves `d`, `d'` of each direction: one product of matrices a point."""
    count, points, rows, _ = row.shape
    both = torch.cat([row, row @ turn[:, None]], -1).transpose(0, 1).reshape(points, count * rows, 6)
    return torch.bmm(both, directions).reshape(points, count, rows, -1).transpose(0, 1)
