"""Which frames of the clips the texture is taken from."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from ..protocol.posing import quaternion_to_matrix
from ..protocol.take import Take

EXTREME = 3.0
"""Sum of expression weights from which a frame is disliked: there the mesh is least certain."""
ANGLE_SCALE = 0.30
"""Radians of head turn that make a frame new."""
# Expressions that bring hidden skin to light: lids, and lips opened or stretched.
REVEALING = ("eyeBlinkLeft", "eyeBlinkRight", "jawOpen", "mouthSmileLeft", "browInnerUp")


@dataclass(frozen=True)
class Observation:
    """A clip and how the avatar's head moves in it."""

    video: Path
    take: Take


@dataclass(frozen=True)
class Chosen:
    """A frame of a clip."""

    observation: int
    frame: int


def choose_frames(avatar: Avatar, observations: Sequence[Observation], count: int) -> list[Chosen]:
    """At most `count` good frames that differ: in the direction they are seen from, in clip, in lids and mouth.

    Good ones are confident, large, still and not extreme in expression. Chosen one by one, each the best sum of its
    merit and its distance to those already chosen; clip and time order on return.
    """
    rows = [np.flatnonzero(o.take.valid & (o.take.confidence > 0)) for o in observations]
    if not sum(map(len, rows)):
        return []
    merit = np.concatenate([frame_merit(avatar, o.take)[r] for o, r in zip(observations, rows, strict=True)])
    places = [frame_place(o.take)[r] for o, r in zip(observations, rows, strict=True)]
    clips = np.repeat(np.arange(len(rows)), [len(r) for r in rows])
    frames = np.concatenate(rows)
    # Another clip is another light and another moment: as new as a turn by its scale.
    place = np.concatenate([np.concatenate(places), 0.7 * np.eye(len(rows))[clips]], 1)
    usable = merit > np.median(merit) - 2.0
    picked = [int(np.where(usable, merit, -np.inf).argmax())]
    distance = np.linalg.norm(place - place[picked[0]], axis=1)
    while len(picked) < min(count, int(usable.sum())):
        value = np.where(usable, merit + 2.0 * np.tanh(distance), -np.inf)
        value[picked] = -np.inf
        best = int(value.argmax())
        picked.append(best)
        distance = np.minimum(distance, np.linalg.norm(place - place[best], axis=1))
    return [Chosen(int(clips[index]), int(frames[index])) for index in sorted(picked)]


def frame_merit(avatar: Avatar, take: Take) -> Float[np.ndarray, "T"]:
    """Higher is better; a unit is about a factor of two in the size of the face."""
    rotation = quaternion_to_matrix(take.head_rotation)
    focal = take.K[..., 0, 0]
    pivot = avatar.joints[avatar.joint_names.index("head")]
    centre = rotation @ pivot + take.head_translation
    size = np.log2(focal / centre[:, 2].clip(0.05))
    pixels = centre[:, :2] / centre[:, 2:] * np.reshape(focal, (-1, 1))
    # Motion in parts of the face's size: a blurred frame has moved while the shutter was open.
    step = np.linalg.norm(np.gradient(pixels, axis=0), axis=1) if len(take.pts) > 1 else np.zeros(1)
    speed = step / (0.1 * focal / centre[:, 2].clip(0.05))
    turn = np.linalg.norm(np.gradient(rotation, axis=0), axis=(1, 2)) if len(take.pts) > 1 else np.zeros(1)
    extreme = (take.weights.sum(1) / EXTREME - 1).clip(min=0)
    return 1.0 * size + 1.5 * np.log2(take.confidence.clip(0.1, 1)) - 8 * speed - 6 * turn - 0.6 * extreme


def frame_place(take: Take) -> Float[np.ndarray, "T D"]:
    """Coordinates in which frames that show different things lie apart, about 1 for a frame worth having."""
    rotation = quaternion_to_matrix(take.head_rotation)
    # The direction from the head to the camera, in the avatar's axes.
    towards = -np.einsum("tba,tb->ta", rotation, take.head_translation)
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    angles = np.stack([np.arctan2(towards[:, 0], -towards[:, 1]), np.arcsin(towards[:, 2].clip(-1, 1))], 1)
    known = [name for name in REVEALING if name in take.names]
    moods = np.stack([take.weight(name) for name in known], 1) if known else np.zeros((len(towards), 0))
    return np.concatenate([angles / ANGLE_SCALE, 0.8 * moods], 1)
