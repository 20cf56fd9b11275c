"""A performance as arrays, and what may be changed of it. Plain numpy, no bpy.

The changes are always worked out from what was captured, in one fixed order: rest face, mirror, smoothing, strength,
trim and loop. So any of them can be taken back at any time. What comes after the smoothing can be done to every curve
by itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from spark_backend.protocol.names import mirrored, region_of
from spark_backend.protocol.posing import multiply_quaternions
from spark_backend.protocol.timeline import sign_continuous

from .smoothing import accent_steps, smooth_steps
from .stepwise import Steps, finished

REGIONS = ("brows", "eyes", "mouth", "jaw", "head")
BONE_REGIONS = {"eye_left": "eyes", "eye_right": "eyes", "jaw": "jaw", "root": "head", "neck": "head"}
OTHER_SIDE = {"eye_left": "eye_right", "eye_right": "eye_left"}
IDENTITY = np.array([1.0, 0.0, 0.0, 0.0])


@dataclass(frozen=True)
class Performance:
    """What a head does, at the true times."""

    seconds: np.ndarray
    """(T,) rising"""
    names: tuple[str, ...]
    weights: np.ndarray
    """(T, E) of the shape keys `names`"""
    rotations: Mapping[str, np.ndarray]
    """(T, 4) unit wxyz of each bone, in its own axes, whose X is the avatar's +X"""
    locations: Mapping[str, np.ndarray]
    """(T, 3) metres"""


@dataclass(frozen=True)
class RestFace:
    """The face that a person makes when nothing is meant."""

    weights: Mapping[str, float] = field(default_factory=dict)
    jaw: np.ndarray = field(default_factory=lambda: IDENTITY)
    """(4,) unit wxyz"""


@dataclass(frozen=True)
class Adjustments:
    """How a performance differs from what was captured."""

    strengths: Mapping[str, float] = field(default_factory=dict)
    """By region; 1 where not named."""
    key_strengths: Mapping[str, float] = field(default_factory=dict)
    """By shape key, on top of its region's."""
    smoothing: float = 0.0
    """Standard deviation of the Gaussian in seconds."""
    tolerance: float = 0.0
    """Of key reduction: largest error of a weight; a tenth of it in radians and metres for bones."""
    mirror: bool = False
    rest: RestFace = field(default_factory=RestFace)
    trim: tuple[float, float] | None = None
    """First and last second that stay."""
    loop: float = 0.0
    """Seconds before the end in which the performance returns to its first pose."""


def adjusted(captured: Performance, wish: Adjustments) -> Performance:
    """The performance after all adjustments, key reduction aside."""
    rested = turned_to_rest(captured, wish)
    return shaped(finished(smoothed_steps(rested, accent_steps(rested.weights), wish.smoothing)), wish)


def turned_to_rest(captured: Performance, wish: Adjustments) -> Performance:
    """The performance less its resting face, and mirrored."""
    result = relative_to_rest(captured, wish.rest)
    return mirror(result) if wish.mirror else result


def shaped(smooth: Performance, wish: Adjustments) -> Performance:
    """What was smoothed after strength, trim and loop. Every curve of it depends on the same curve or bone alone."""
    result = strengthened(smooth, wish.strengths, wish.key_strengths)
    result = trimmed(result, *wish.trim) if wish.trim else result
    return looped(result, wish.loop)


def parts(performance: Performance, together: int) -> list[Performance]:
    """The performance in pieces: so many shape keys each, and every bone by itself."""
    times, names = performance.seconds, performance.names
    some = [slice(first, first + together) for first in range(0, len(names), together)]
    pieces = [Performance(times, names[part], performance.weights[:, part], {}, {}) for part in some]
    for bone in dict.fromkeys((*performance.rotations, *performance.locations)):
        own = [{bone: kind[bone]} if bone in kind else {} for kind in (performance.rotations, performance.locations)]
        pieces.append(Performance(times, (), np.zeros((len(times), 0)), *own))
    return pieces


def rest_face(captured: Performance, first: float, last: float) -> RestFace:
    """The middle (median) of the face between two seconds; of the nearest key when none lies between."""
    inside = (captured.seconds >= first - 1e-6) & (captured.seconds <= last + 1e-6)
    if not inside.any():
        inside[np.argmin(np.abs(captured.seconds - (first + last) / 2))] = True
    values = np.median(captured.weights[inside], axis=0)
    weights = dict(zip(captured.names, values.tolist(), strict=True))
    jaw = captured.rotations.get("jaw")
    return RestFace(weights) if jaw is None else RestFace(weights, mean_rotation(jaw[inside]))


def relative_to_rest(performance: Performance, rest: RestFace) -> Performance:
    """The resting face taken off: weights less its, never below 0; the jaw turned back by its angle."""
    offset = np.array([rest.weights.get(name, 0.0) for name in performance.names])
    changed = offset != 0
    weights = performance.weights
    if changed.any():
        weights = np.where(changed, np.maximum(weights - offset, 0), weights)
    rotations = dict(performance.rotations)
    if "jaw" in rotations and not np.array_equal(rest.jaw, IDENTITY):
        rotations["jaw"] = sign_continuous(multiply_quaternions(inverse(rest.jaw)[None], rotations["jaw"]))
    return replace(performance, weights=weights, rotations=rotations)


def mirror(performance: Performance) -> Performance:
    """Left and right exchanged. A bone keeps its turn about X and turns the other way about Y and Z."""
    names = performance.names
    source = [names.index(mirrored(name)) if mirrored(name) in names else names.index(name) for name in names]
    turned = {OTHER_SIDE.get(bone, bone): q * [1.0, 1.0, -1.0, -1.0] for bone, q in performance.rotations.items()}
    moved = {OTHER_SIDE.get(bone, bone): p * [-1.0, 1.0, 1.0] for bone, p in performance.locations.items()}
    return replace(performance, weights=performance.weights[:, source], rotations=turned, locations=moved)


def strengthened(performance: Performance, regions: Mapping[str, float], keys: Mapping[str, float]) -> Performance:
    """Weights and angles times the strength of their region and key; the head's motion about its mean pose."""
    factors = np.array([regions.get(region_of(n), 1.0) * keys.get(n, 1.0) for n in performance.names])
    rotations, locations = dict(performance.rotations), dict(performance.locations)
    for bone, rotation in rotations.items():
        region = BONE_REGIONS.get(bone)
        strength = regions.get(region, 1.0) if region else 1.0
        if strength != 1:
            centre = mean_rotation(rotation) if region == "head" else IDENTITY
            rotations[bone] = scaled_rotations(rotation, centre, strength)
    for bone, location in locations.items():
        strength = regions.get(BONE_REGIONS.get(bone, ""), 1.0)
        if strength != 1:
            centre = location.mean(axis=0)
            locations[bone] = centre + strength * (location - centre)
    return replace(performance, weights=performance.weights * factors, rotations=rotations, locations=locations)


def smoothed_steps(performance: Performance, accents: Steps[np.ndarray], width: float) -> Steps[Performance]:
    """All curves smoothed by a Gaussian of `width` seconds; accents of shape keys, (T, E), keep their height."""
    if width <= 0:
        return performance
    kept = yield from accents
    moving = (performance.weights, *performance.rotations.values(), *performance.locations.values())
    together = np.concatenate([values.T for values in moving]).T  # column by column in memory
    yield
    smooth = yield from smooth_steps(performance.seconds, together, width)
    weights, *others = np.split(smooth, np.cumsum([values.shape[1] for values in moving])[:-1], axis=1)
    for calm, rough, accent in zip(weights.T, performance.weights.T, kept.T, strict=True):
        calm += accent * (rough - calm)
        yield
    rotations = dict(zip(performance.rotations, others, strict=False))
    for bone, rotation in rotations.items():
        rotations[bone] = unit(rotation)
        yield
    locations = dict(zip(performance.locations, others[len(rotations) :], strict=True))
    return replace(performance, weights=weights, rotations=rotations, locations=locations)


def trimmed(performance: Performance, first: float, last: float) -> Performance:
    """What lies between two seconds; at both a key is made by interpolation when there is none."""
    times = performance.seconds
    first, last = max(first, times[0]), min(last, times[-1])
    if first >= last:
        return performance
    inside = times[(times > first + 1e-6) & (times < last - 1e-6)]
    return resampled(performance, np.concatenate([[first], inside, [last]]))


def resampled(performance: Performance, seconds: np.ndarray) -> Performance:
    """The performance at other times, straight between its keys."""

    def at(values: np.ndarray) -> np.ndarray:
        columns = [np.interp(seconds, performance.seconds, column) for column in values.T]
        return np.stack(columns, axis=1) if columns else np.zeros((len(seconds), 0))

    return replace(
        performance,
        seconds=seconds,
        weights=at(performance.weights),
        rotations={bone: unit(at(q)) for bone, q in performance.rotations.items()},
        locations={bone: at(p) for bone, p in performance.locations.items()},
    )


def looped(performance: Performance, blend: float) -> Performance:
    """The end led back to the first pose: over the last `blend` seconds the difference of the two is worked in."""
    times = performance.seconds
    blend = min(blend, times[-1] - times[0])
    if blend <= 0:
        return performance
    ramp = np.clip((times - times[-1] + blend) / blend, 0, 1)[:, None]
    ramp = ramp * ramp * (3 - 2 * ramp)
    weights = performance.weights + ramp * (performance.weights[0] - performance.weights[-1])
    rotations = {}
    for bone, q in performance.rotations.items():
        sign = 1.0 if q[0] @ q[-1] >= 0 else -1.0  # the shorter way back
        rotations[bone] = sign_continuous(unit(q + ramp * (sign * q[0] - q[-1])))
    locations = {bone: p + ramp * (p[0] - p[-1]) for bone, p in performance.locations.items()}
    return replace(performance, weights=weights, rotations=rotations, locations=locations)


def scaled_rotations(rotation: np.ndarray, centre: np.ndarray, strength: float) -> np.ndarray:
    """(T, 4): the turn from `centre` (4,) to each rotation, its angle times `strength`."""
    turn = multiply_quaternions(inverse(centre)[None], rotation)
    turn = turn * np.where(turn[:, :1] < 0, -1.0, 1.0)
    length = np.linalg.norm(turn[:, 1:], axis=1, keepdims=True)
    half = strength * np.arctan2(length, turn[:, :1])
    axis = turn[:, 1:] / np.maximum(length, 1e-12)
    scaled = np.concatenate([np.cos(half), np.sin(half) * axis], axis=1)
    return sign_continuous(multiply_quaternions(centre[None], scaled))


def mean_rotation(rotation: np.ndarray) -> np.ndarray:
    """(4,) between all rotations (T, 4), which must not lie far apart."""
    return unit(sign_continuous(rotation).mean(axis=0))


def unit(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) of length 1."""
    return quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)


def inverse(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) of a unit quaternion."""
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])
