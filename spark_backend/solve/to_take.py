"""From the solver's state to a take: ARKit's 52 weights, joint rotations, the neck's share, the gaps between."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from ..geometry.rotation import quaternion_from_matrix
from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from ..protocol.posing import joints_from_weights
from ..protocol.project import ClipInfo, Frames
from ..protocol.take import Take
from .landmark_model import FREE_INDEX, look_weights
from .state import State


def state_to_take(
    avatar: Avatar, info: ClipInfo, frames: Frames, state: State, focal: float, source: Mapping[str, Any]
) -> Take:
    """A take with a row for every frame of the clip; frames without a face are filled from their neighbours.

    The neck is not seen in the landmarks. The torso is taken to stand still at the clip's mean orientation, so the
    neck's rotation is what the head has turned since.
    """
    seen = np.flatnonzero(frames.valid)
    weights = look_weights(avatar.rig, state.gaze)
    weights[:, FREE_INDEX] = state.weights
    rotation = quaternion_from_matrix(state.rotation).numpy()
    full_rotation = fill_rotations(rotation, frames.pts[seen], frames.pts)
    full_weights = np.clip(fill_values(weights.numpy(), frames.pts[seen], frames.pts), 0, 1)
    joints = joints_from_weights(avatar.rig, ARKIT_52, full_weights)
    return Take(
        pts=frames.pts,
        names=ARKIT_52,
        weights=full_weights,
        head_rotation=full_rotation,
        head_translation=fill_values(state.translation.numpy(), frames.pts[seen], frames.pts),
        neck=neck_rotations(full_rotation, frames.valid),
        **joints,
        K=np.array([[focal, 0, info.size[0] / 2], [0, focal, info.size[1] / 2], [0, 0, 1.0]]),
        size=np.array(info.size),
        confidence=np.where(frames.valid, frames.confidence, 0.0),
        valid=frames.valid,
        source=source,
    )


def fill_values(values: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(K, C) values at increasing times (K,) to (T, C) at other times, linear, held at the ends."""
    return np.stack([np.interp(wanted, known, column) for column in values.T], -1)


def fill_rotations(quaternions: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(K, 4) wxyz to (T, 4), spherical in between, held at the ends, sign-continuous."""
    if len(known) == 1:
        return np.repeat(quaternions, len(wanted), 0)
    path = Slerp(known, Rotation.from_quat(quaternions, scalar_first=True))
    result = path(np.clip(wanted, known[0], known[-1])).as_quat(scalar_first=True)
    flips = np.sign(np.sum(result[1:] * result[:-1], axis=1))
    result[1:] *= np.cumprod(np.where(flips < 0, -1, 1))[:, None]
    return result


def neck_rotations(head: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """(T, 4) wxyz: the head's rotation (T, 4) relative to its mean over the valid frames, in the avatar's axes."""
    turns = Rotation.from_quat(head, scalar_first=True)
    torso = turns[np.flatnonzero(valid)].mean()
    neck = (torso.inv() * turns).as_quat(scalar_first=True)
    return neck * np.where(neck[:, :1] < 0, -1, 1)
