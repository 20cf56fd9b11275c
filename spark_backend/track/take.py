"""What was seen of a face, frame by frame, as a take: placed, smoothed, its gaps bridged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from ..protocol.posing import joints_from_weights
from ..protocol.take import Take
from ..solve.to_take import neck_rotations
from .gaps import bridge_rotations, bridge_values
from .openings import Openings
from .pose import Pose, PoseHead, pose_from_crop, refined
from .read import Seen
from .smooth import Steadiness, smooth_columns

LIDS = Steadiness(noise=0.03, jerk=0.15)
LOOKS = Steadiness(noise=0.05, jerk=0.06)
MOUTH = Steadiness(noise=0.025, jerk=0.06)
REST = Steadiness(noise=0.04, jerk=0.03)
TURN = Steadiness(noise=0.0024, jerk=0.0025)
"""Of a quaternion's parts: half an angle in radians."""
PLACE = Steadiness(noise=0.0005, jerk=0.0006)
"""Of x / z and y / z."""
DEPTH = Steadiness(noise=0.008, jerk=0.0015)
"""Of the logarithm of z."""
PART = 32
"""Frames whose poses are refined at a time: what they take fits into a processor's cache."""


@dataclass(frozen=True)
class Sightings:
    """What a stream has seen of one clip."""

    pts: Float[np.ndarray, "T"]
    seen: Sequence[Seen | None]
    size: tuple[int, int]

    @property
    def valid(self) -> Bool[np.ndarray, "T"]:
        """In which frames there is a face."""
        return np.array([seen is not None for seen in self.seen])

    def column(self, name: str) -> np.ndarray:
        """(N, ...) one quantity of the frames with a face."""
        return np.stack([np.asarray(getattr(seen, name)) for seen in self.seen if seen is not None])


def take_of(
    avatar: Avatar,
    sightings: Sightings,
    K: Float[np.ndarray, "3 3"],
    source: Mapping[str, Any],
    fill_gaps: bool = False,
    smooth: bool = True,
) -> Take:
    """A take with a row for every frame; at least one must show the face.

    Frames without a face are not `valid` and have confidence 0: the head holds still there, or, with `fill_gaps`, moves
    from where it was lost to where it is found again. Either way there is no jump.
    """
    valid, pts = sightings.valid, sightings.pts
    pose, weights = read_out(PoseHead(avatar), Openings(avatar), sightings, K)
    rotation = Rotation.from_matrix(pose.rotation).as_quat(scalar_first=True)
    translation = pose.translation
    if smooth:
        weights = np.clip(smooth_columns(weights, pts[valid], [steadiness(name) for name in ARKIT_52]), 0, 1)
        rotation, translation = smooth_pose(rotation, translation, pts[valid])
    weights = bridge_values(weights, pts, valid, fill_gaps)
    rotation = bridge_rotations(rotation, pts, valid, fill_gaps)
    confidence = np.zeros(len(pts))
    confidence[valid] = sightings.column("confidence")
    return Take(
        pts=pts,
        names=ARKIT_52,
        weights=weights,
        head_rotation=rotation,
        head_translation=bridge_values(translation, pts, valid, fill_gaps),
        neck=neck_rotations(rotation, valid),
        **joints_from_weights(avatar.rig, ARKIT_52, weights),
        K=K,
        size=np.array(sightings.size),
        confidence=confidence,
        valid=valid,
        source=source,
    )


def read_out(
    head: PoseHead, openings: Openings, sightings: Sightings, K: Float[np.ndarray, "3 3"]
) -> tuple[Pose, Float[np.ndarray, "N 52"]]:
    """Of the frames with a face: head poses, refined on their landmarks, and weights, with lips and lids as far open
    as they are seen to be; `PART` at a time."""
    names = ("rotation", "middle", "scale", "angle", "weights", "landmarks")
    columns, found = [sightings.column(name).astype(float) for name in names], []
    for start in range(0, len(columns[0]), PART):
        rotation, middle, scale, angle, weights, landmarks = (column[start : start + PART] for column in columns)
        pose = refined(pose_from_crop(rotation, middle, scale, angle, K, head), head, weights, landmarks, K)
        found.append((pose.rotation, pose.translation, openings.seen(weights, landmarks, pose, K)))
    rotation, translation, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Pose(rotation, translation), weights


def steadiness(name: str) -> Steadiness:
    """How an expression's weight behaves."""
    if name.startswith("eyeBlink"):
        return LIDS
    if name.startswith("eyeLook"):
        return LOOKS
    return MOUTH if name.startswith(("mouth", "jaw", "tongue")) else REST


def smooth_pose(
    rotation: Float[np.ndarray, "N 4"], translation: Float[np.ndarray, "N 3"], pts: Float[np.ndarray, "N"]
) -> tuple[Float[np.ndarray, "N 4"], Float[np.ndarray, "N 3"]]:
    """Smoothed quaternions wxyz and places; directions and depth apart, for depth is seen worst."""
    flips = np.sign(np.sum(rotation[1:] * rotation[:-1], axis=1))
    steady = rotation.copy()
    steady[1:] *= np.cumprod(np.where(flips < 0, -1, 1))[:, None]
    steady = smooth_columns(steady, pts, [TURN] * 4)
    place = np.concatenate([translation[:, :2] / translation[:, 2:], np.log(translation[:, 2:])], 1)
    place = smooth_columns(place, pts, [PLACE, PLACE, DEPTH])
    depth = np.exp(place[:, 2:])
    return steady / np.linalg.norm(steady, axis=1, keepdims=True), np.concatenate([place[:, :2] * depth, depth], 1)
