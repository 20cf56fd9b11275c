"""From what a tracker sees to what the head shall do: smoothing, the resting face taken off, strength."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from ..protocol.live import LivePose
from ..protocol.live_commands import Adjust
from ..protocol.names import ARKIT_52
from ..protocol.placement import WORLD_FROM_CAMERA_QUATERNION
from ..protocol.posing import joints_from_weights, multiply_quaternions, quaternion_to_matrix
from .one_euro import OneEuro, OneEuroOptions
from .tracker import Tracked

INVERSE = np.array([1.0, -1.0, -1.0, -1.0])
FACING = WORLD_FROM_CAMERA_QUATERNION * INVERSE
"""Avatar axes to camera axes of a face that looks into the camera."""
LONGEST_GAP = 0.5
"""Seconds after which smoothing begins anew."""
CALMEST, QUICKEST = 0.5, 20.0
"""Hz: cutoff of a resting value at smoothing 1 and next to 0."""
# Hz for each unit a second: an expression goes through its range in a fifth of a second, a head turns by a radian or
# moves by 20 cm in one.
WEIGHT_SPEED, TURN_SPEED, MOVE_SPEED = 10.0, 12.0, 30.0
# What a face does one way or the other. A rest that leans to one side is taken off as a signed number, or the other
# side would never be reached.
OPPOSITES = (
    *((f"eyeLookUp{side}", f"eyeLookDown{side}") for side in ("Left", "Right")),
    *((f"eyeLookIn{side}", f"eyeLookOut{side}") for side in ("Left", "Right")),
    ("jawLeft", "jawRight"),
    ("mouthLeft", "mouthRight"),
)
PAIRS = np.array([[ARKIT_52.index(name) for name in pair] for pair in OPPOSITES])


def resting_cutoff(smoothing: float) -> float:
    """Hz, for a value that rests, at a smoothing in (0, 1]."""
    return QUICKEST * (CALMEST / QUICKEST) ** smoothing


@dataclass(frozen=True)
class Rest:
    """A person's resting face in front of a camera."""

    weights: Float[np.ndarray, "52"]
    rotation: Float[np.ndarray, "4"]
    """Wxyz, avatar axes to camera axes."""
    pivot: Float[np.ndarray, "3"]
    """Where the skull's joint was, metres, camera axes."""


class Smoother:
    """One-euro filters for everything that a tracker gives."""

    def __init__(self, smoothing: float) -> None:
        speeds = (WEIGHT_SPEED, TURN_SPEED, MOVE_SPEED)
        self.filters = [OneEuro(OneEuroOptions(resting_cutoff(smoothing), speed)) for speed in speeds]
        self.off = smoothing <= 0
        self.seconds = 0.0

    def __call__(self, tracked: Tracked, seconds: float) -> Tracked:
        """The smoothed moment."""
        if self.off:
            return tracked
        if not 0 <= seconds - self.seconds < LONGEST_GAP:
            for part in self.filters:
                part.forget()
        self.seconds = seconds
        weights, turn, move = self.filters
        rotation = tracked.rotation
        if turn.value is not None and turn.value @ rotation < 0:
            rotation = -rotation
        turned = turn(rotation, seconds)
        return Tracked(
            weights(tracked.weights, seconds),
            turned / np.linalg.norm(turned),
            move(tracked.translation, seconds),
            tracked.confidence,
            tracked.landmarks,
        )


class RestLearner:
    """Collects a person's face for a while and takes its middle for the resting one."""

    def __init__(self, seconds: float, pivot: Float[np.ndarray, "3"]) -> None:
        self.seconds, self.pivot = seconds, pivot
        self.begun: float | None = None
        self.seen: list[Tracked] = []

    def add(self, tracked: Tracked, seconds: float) -> Rest | None:
        """One more moment; the rest once there is enough."""
        self.begun = seconds if self.begun is None else self.begun
        self.seen.append(tracked)
        if seconds - self.begun < self.seconds:
            return None
        rotations = np.stack([t.rotation * np.sign(t.rotation @ tracked.rotation or 1) for t in self.seen])
        rotation = rotations.mean(0) / np.linalg.norm(rotations.mean(0))
        places = [quaternion_to_matrix(t.rotation) @ self.pivot + t.translation for t in self.seen]
        return Rest(np.median([t.weights for t in self.seen], axis=0), rotation, np.median(places, axis=0))


def relative_weights(weights: Float[np.ndarray, "52"], rest: Float[np.ndarray, "52"]) -> Float[np.ndarray, "52"]:
    """Weights counted from a resting face: 0 at rest, 1 where they were 1."""
    result = np.maximum(weights - rest, 0) / np.maximum(1 - rest, 0.1)
    signed = weights[PAIRS] @ (1.0, -1.0) - rest[PAIRS] @ (1.0, -1.0)
    result[PAIRS[:, 0]], result[PAIRS[:, 1]] = np.maximum(signed, 0), np.maximum(-signed, 0)
    return result


def strengths_of(adjust: Adjust) -> Float[np.ndarray, "52"]:
    """Factor of each expression."""
    return np.array([adjust.strength * adjust.strengths.get(name, 1.0) for name in ARKIT_52])


class Shaper:
    """Makes a pose of what was tracked, by the calibration and the adjustments so far."""

    def __init__(self, avatar: Avatar) -> None:
        self.rig = avatar.rig
        self.pivot = np.asarray(avatar.joints[avatar.joint_names.index("head")], float)
        self.rest: Rest | None = None
        self.learner: RestLearner | None = None
        self.adjust(Adjust())

    def adjust(self, wish: Adjust) -> None:
        """Takes over strength and smoothing."""
        self.strengths, self.smoother = strengths_of(wish), Smoother(min(max(wish.smoothing, 0.0), 1.0))

    def calibrate(self, seconds: float) -> None:
        """Begins to learn the resting face."""
        self.learner = RestLearner(seconds, self.pivot)

    def __call__(self, tracked: Tracked, seconds: float) -> LivePose:
        """The pose; a calibration that runs learns from the moment."""
        smoothed = self.smoother(tracked, seconds)
        if self.learner is not None:
            rest = self.learner.add(smoothed, seconds)
            if rest is not None:
                self.rest, self.learner = rest, None
        weights, rotation, translation = smoothed.weights, smoothed.rotation, smoothed.translation
        if self.rest is not None:
            weights = relative_weights(weights, self.rest.weights)
            rotation, translation = self.straightened(rotation, translation, self.rest)
        weights = np.clip(weights * self.strengths, 0, 1)
        neck = multiply_quaternions(FACING * INVERSE, rotation)
        joints = joints_from_weights(self.rig, ARKIT_52, weights[None])
        return LivePose(
            weights, rotation, translation, neck * (1.0 if neck[0] >= 0 else -1.0), *(q[0] for q in joints.values())
        )

    def straightened(self, rotation: np.ndarray, translation: np.ndarray, rest: Rest) -> tuple[np.ndarray, np.ndarray]:
        """The head's pose as a camera straight in front of the resting head would have seen it."""
        turn = multiply_quaternions(FACING, rest.rotation * INVERSE)
        place = quaternion_to_matrix(rotation) @ self.pivot + translation
        moved = quaternion_to_matrix(turn) @ (place - rest.pivot) + [0.0, 0.0, rest.pivot[2]]
        straight = multiply_quaternions(turn, rotation)
        return straight, moved - quaternion_to_matrix(straight) @ self.pivot
