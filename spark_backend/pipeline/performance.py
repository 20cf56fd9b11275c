"""A made-up performance: speech-like mouth shapes, blinks, glances, passing expressions and a moving head.

Curves are what ARKit's recordings look like: weights in [0, 1], closures that close, look weights that come in pairs.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52, JOINTS
from ..protocol.posing import about, axis_quaternion, joints_from_weights, multiply_quaternions, quaternion_to_matrix
from ..protocol.take import Take

# Mouth shapes of speech, as ARKit weights.
VISEMES: tuple[Mapping[str, float], ...] = (
    {"jawOpen": 0.55, "mouthLowerDownLeft": 0.25, "mouthLowerDownRight": 0.25, "mouthUpperUpLeft": 0.1},  # ah
    {"jawOpen": 0.25, "mouthStretchLeft": 0.35, "mouthStretchRight": 0.35, "mouthSmileLeft": 0.2},  # ee
    {"jawOpen": 0.18, "mouthPucker": 0.7, "mouthFunnel": 0.25},  # oo
    {"jawOpen": 0.32, "mouthFunnel": 0.6},  # oh, sh
    {"mouthPressLeft": 0.4, "mouthPressRight": 0.4, "mouthRollUpper": 0.2, "mouthRollLower": 0.25},  # m, b, p
    {"jawOpen": 0.12, "mouthRollLower": 0.55, "mouthUpperUpLeft": 0.3, "mouthUpperUpRight": 0.3},  # f, v
    {"jawOpen": 0.15, "mouthShrugUpper": 0.2, "jawForward": 0.15},  # s, t
)

# Expressions that come and go.
PASSING: tuple[Mapping[str, float], ...] = (
    {"mouthSmileLeft": 0.7, "mouthSmileRight": 0.75, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5},
    {"browInnerUp": 0.7, "browOuterUpLeft": 0.6, "browOuterUpRight": 0.6, "eyeWideLeft": 0.4, "eyeWideRight": 0.4},
    {"browDownLeft": 0.7, "browDownRight": 0.7, "eyeSquintLeft": 0.4, "eyeSquintRight": 0.4},
    {"mouthFrownLeft": 0.6, "mouthFrownRight": 0.6, "mouthShrugLower": 0.4},
    {"noseSneerLeft": 0.6, "noseSneerRight": 0.6, "mouthUpperUpLeft": 0.35, "mouthUpperUpRight": 0.35},
    {"mouthLeft": 0.5, "mouthDimpleLeft": 0.5, "mouthSmileLeft": 0.3},
    {"mouthRight": 0.5, "jawRight": 0.3, "mouthDimpleRight": 0.4},
    {"jawLeft": 0.4, "mouthPressLeft": 0.3},
    {"cheekPuff": 0.6, "mouthPressLeft": 0.4, "mouthPressRight": 0.4},
)

YAW, PITCH, ROLL = np.radians(24), np.radians(11), np.radians(7)
"""How far the head turns, about three standard deviations."""


def perform(avatar: Avatar, seed: int, seconds: float, rate: float, K: np.ndarray, size: tuple[int, int]) -> Take:
    """The performance as a take of `seconds` at `rate` frames a second; it starts at rest, facing the camera.

    The person sits still, turns the head on the neck and stands about a head's height above the picture's lower edge.
    """
    random = np.random.default_rng(seed)
    pts = np.arange(max(round(seconds * rate), 2)) / rate
    columns = {name: index for index, name in enumerate(ARKIT_52)}
    weights = np.zeros((len(pts), len(ARKIT_52)))
    for part in (speech(random, pts), passing(random, pts), glances(random, pts)):
        for name, values in part.items():
            weights[:, columns[name]] += values
    blinks = blink(random, pts)
    for side in ("Left", "Right"):
        closing = weights[:, columns[f"eyeSquint{side}"]] * 0.2 + blinks
        weights[:, columns[f"eyeBlink{side}"]] += np.clip(closing, 0, 1)
        weights[:, columns[f"eyeWide{side}"]] *= 1 - blinks
    beginning = np.clip(pts / 0.4 - 0.3, 0, 1)
    weights = np.clip(weights * beginning[:, None], 0, 1)
    turns = head_turns(random, pts) * beginning[:, None]
    return as_take(avatar, pts, weights, turns, sway(random, pts) * beginning[:, None], K, size, seed)


def speech(random: np.random.Generator, pts: np.ndarray) -> dict[str, np.ndarray]:
    """Phrases of four to five syllables a second, with pauses, blurred into each other as articulation is."""
    result: dict[str, np.ndarray] = {}
    time, end_of_phrase = 0.35, 0.35 + random.uniform(1.2, 2.4)
    for viseme in deck(random, VISEMES):
        if time >= pts[-1]:
            break
        length = random.uniform(0.17, 0.27)
        strength = random.uniform(0.6, 1.1)
        for name, value in viseme.items():
            held = (pts >= time) & (pts < time + length)
            result[name] = result.get(name, np.zeros(len(pts))) + strength * value * held
        time += length
        if time > end_of_phrase:
            time += random.uniform(0.3, 0.7)
            end_of_phrase = time + random.uniform(1.2, 2.4)
    blur = 0.055 / (pts[1] - pts[0])
    return {name: gaussian_filter1d(values, blur, mode="nearest") for name, values in result.items()}


def deck(random: np.random.Generator, cards: tuple[Mapping[str, float], ...]) -> Iterator[Mapping[str, float]]:
    """The cards in random order, for ever; each comes once before any comes again."""
    while True:
        for index in random.permutation(len(cards)):
            yield cards[index]


def passing(random: np.random.Generator, pts: np.ndarray) -> dict[str, np.ndarray]:
    """Expressions that rise, stay and fall, about two a second and a half, overlapping."""
    result: dict[str, np.ndarray] = {}
    time = 0.5
    for expression in deck(random, PASSING):
        if time >= pts[-1]:
            break
        length = random.uniform(0.7, 1.6)
        position = (pts - time) / length
        envelope = np.where((position > 0) & (position < 1), np.sin(np.pi * np.clip(position, 0, 1)) ** 2, 0)
        strength = random.uniform(0.6, 1.15)
        for name, value in expression.items():
            result[name] = result.get(name, np.zeros(len(pts))) + strength * value * envelope
        time += length * random.uniform(0.4, 0.8)
    return result


def glances(random: np.random.Generator, pts: np.ndarray) -> dict[str, np.ndarray]:
    """Both eyes jump from point to point; the time of a jump is 50 ms."""
    direction = np.zeros((len(pts), 2))
    time = 0.6
    while time < pts[-1]:
        target = random.normal(size=2) * (0.35, 0.2) * (random.random() < 0.75)
        direction[pts >= time] = target
        time += random.uniform(0.35, 1.1)
    direction = gaussian_filter1d(direction, 0.018 / (pts[1] - pts[0]), axis=0, mode="nearest")
    left, up = direction[:, 0], direction[:, 1]
    result = {}
    for side, outward in (("Left", 1), ("Right", -1)):
        result[f"eyeLookOut{side}"] = np.clip(outward * left, 0, 0.9)
        result[f"eyeLookIn{side}"] = np.clip(-outward * left, 0, 0.9)
        result[f"eyeLookUp{side}"] = np.clip(up, 0, 0.7)
        result[f"eyeLookDown{side}"] = np.clip(-up, 0, 0.7)
    return result


def blink(random: np.random.Generator, pts: np.ndarray) -> np.ndarray:
    """(T,) closure of the lids: shut within 90 ms, open again after 180."""
    closure = np.zeros(len(pts))
    time = random.uniform(0.7, 1.3)
    while time < pts[-1]:
        since = pts - time
        fall, rise = np.clip(1 + since / 0.09, 0, 1), np.clip(1 - (since - 0.03) / 0.18, 0, 1)
        closure = np.maximum(closure, np.where(since < 0, fall, rise) ** 1.3)
        time += random.uniform(1.4, 3.2)
    return closure


def head_turns(random: np.random.Generator, pts: np.ndarray) -> np.ndarray:
    """(T, 3) yaw, pitch and roll in radians: noise below about 0.7 Hz."""
    return band_limited(random, pts, 3, 0.7) * (YAW / 2, PITCH / 2, ROLL / 2)


def sway(random: np.random.Generator, pts: np.ndarray) -> np.ndarray:
    """(T, 3) metres by which the body moves, in camera axes."""
    return band_limited(random, pts, 3, 0.35) * (0.012, 0.006, 0.018)


def band_limited(random: np.random.Generator, pts: np.ndarray, count: int, highest: float) -> np.ndarray:
    """(T, count) smooth noise of about unit deviation with nothing above `highest` hertz."""
    waves = 6
    frequency = random.uniform(0.1, 1.0, (waves, count)) * highest
    phase = random.uniform(0, 2 * np.pi, (waves, count))
    return np.sin(2 * np.pi * pts[:, None, None] * frequency + phase).sum(1) * np.sqrt(2 / waves)


def as_take(
    avatar: Avatar,
    pts: np.ndarray,
    weights: np.ndarray,
    turns: np.ndarray,
    body: np.ndarray,
    K: np.ndarray,
    size: tuple[int, int],
    seed: int,
) -> Take:
    """Curves and turns (T, 3) about the neck as a take: the torso keeps its direction, the head turns on it."""
    turn = multiply_quaternions(axis_quaternion(0, turns[:, 1]), axis_quaternion(1, turns[:, 2]))
    turn = multiply_quaternions(axis_quaternion(2, turns[:, 0]), turn)
    facing = np.array([np.sqrt(0.5), np.sqrt(0.5), 0.0, 0.0])  # Blender's axes to OpenCV's, looking at the camera
    rotation = quaternion_to_matrix(facing)
    bend = about(avatar.joints[avatar.joint_names.index("neck")], quaternion_to_matrix(turn))
    place = standing_place(avatar, K, size) - rotation @ head_middle(avatar) + body
    joints = joints_from_weights(avatar.rig, ARKIT_52, weights)
    return Take(
        pts=pts,
        names=ARKIT_52,
        weights=weights,
        head_rotation=multiply_quaternions(facing, turn),
        head_translation=bend[:, :3, 3] @ rotation.T + place,
        neck=turn,
        **{name: joints[name] for name in JOINTS if name in joints},
        K=K,
        size=np.array(size),
        confidence=np.ones(len(pts)),
        valid=np.ones(len(pts), bool),
        source={"performance": seed},
    )


def head_middle(avatar: Avatar) -> np.ndarray:
    """(3,) between the eyes and the chin."""
    eyes = [avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")]
    return np.mean(eyes, 0) - [0, 0, 0.03]


def standing_place(avatar: Avatar, K: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(3,) where the middle of the face is, in camera axes: a little below the picture's middle, at 0.62 m."""
    depth = 0.62
    return np.array([0.0, (0.53 * size[1] - K[1, 2]) / K[1, 1] * depth, depth])
