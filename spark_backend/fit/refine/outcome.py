"""What a fit leaves: the person's head, and how it lies in the frames that took part."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ...geometry.rotation import quaternion_from_matrix
from ...heads.lids import closing_weight
from ...heads.model import BLINK_RANGE, HeadModel
from ...protocol.avatar import Avatar
from ...protocol.names import ARKIT_52
from ...protocol.posing import joints_from_weights
from ...protocol.take import ROTATIONS, Take
from ...render.decoder import Decoder, Motion, pose
from .embedding import personal_landmarks
from .personal import baked, bent
from .prediction import Setup, landmark_pixels, maps_of, motion_of
from .shots import ClipShots
from .smoothing import Smoother


@dataclass(frozen=True)
class Outcome:
    """The result of a fit."""

    avatar: Avatar
    focal: tuple[float, ...]
    """Of the clips, pixels."""
    takes: tuple[Take, ...]
    """Of the clips: valid where a frame took part, with what the fit found there; elsewhere as it was."""


@torch.no_grad()
def conclude(
    setup: Setup, smooth: Smoother, parameters: Mapping[str, Tensor], clips: tuple[ClipShots, ...], head: HeadModel
) -> Outcome:
    """The avatar with lids that close, landmarks where they are seen, and the frames as fitted."""
    shots, model = setup.shots, setup.model
    bent_head = bent(model, parameters, smooth(parameters["offsets"]))
    decoder = Decoder(bent_head, setup.mesh, model.avatar.rig, model.avatar.expression_names, maps_of(parameters))
    rows = torch.arange(len(shots.clip))
    motion, focal = motion_of(setup, parameters, rows)
    points = pose(decoder, motion)
    avatar = closing_lids(baked(model, bent_head), head)
    K = shots.camera(rows, focal)
    pixels, facing = landmark_pixels(avatar, points, K)
    depth = points[:, torch.as_tensor(avatar.faces[avatar.landmark_face, 0]).long(), 2]
    avatar = personal_landmarks(avatar, shots, motion.rotation, pixels, depth, facing, focal)
    lengths = shots.focal * parameters["focal"].exp()
    takes = tuple(
        fitted_take(avatar, clip.take, clip.rows, select(motion, shots.clip == number), float(lengths[number]))
        for number, clip in enumerate(clips)
    )
    return Outcome(avatar, tuple(lengths.tolist()), takes)


def closing_lids(avatar: Avatar, head: HeadModel) -> Avatar:
    """The avatar with its blinks scaled so that the lids just meet at weight 1."""
    expressions = avatar.expressions.copy()
    for side in ("Left", "Right"):
        margins = (head.lid_margins[f"{lid}_{side.lower()}"] for lid in ("upper", "lower"))
        blink = expressions[ARKIT_52.index(f"eyeBlink{side}")]
        blink *= np.clip(closing_weight(avatar.neutral, blink, *margins), *BLINK_RANGE)
    return replace(avatar, expressions=expressions)


def select(motion: Motion, rows: Tensor) -> Motion:
    """Some of the frames."""
    return Motion(*(getattr(motion, name)[rows] for name in motion.__dataclass_fields__))


def fitted_take(avatar: Avatar, take: Take, rows: np.ndarray, motion: Motion, focal: float) -> Take:
    """A clip's take with the fitted frames in it, and only these valid."""
    weights, rotation, translation = take.weights.copy(), take.head_rotation.copy(), take.head_translation.copy()
    columns = [take.names.index(name) for name in avatar.expression_names]
    weights[np.ix_(rows, columns)] = motion.weights.numpy()
    rotation[rows] = quaternion_from_matrix(motion.rotation.double()).numpy()
    translation[rows] = motion.translation.numpy()
    joints = joints_from_weights(avatar.rig, take.names, weights)
    valid = np.zeros(len(take.pts), bool)
    valid[rows] = take.valid[rows]
    K = take.K.copy()
    K[..., 0, 0] = K[..., 1, 1] = focal
    kept = {name: getattr(take, name) for name in ROTATIONS} | joints | {"head_rotation": rotation}
    return replace(take, **kept, weights=weights, head_translation=translation, K=K, valid=valid)
