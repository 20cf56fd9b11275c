"""What a take holds in frames in which no face was seen."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation, Slerp

RETURN = 0.25
"""Seconds before the face is seen again in which a held head moves to where it will be."""


def bridged_times(pts: Float[np.ndarray, "T"], valid: Bool[np.ndarray, "T"], fill: bool) -> Float[np.ndarray, "T"]:
    """Where in the seen frames' own time each frame looks: its own time, or in gaps a time between the two sides.

    Eased at both ends, over the whole gap when it is filled, over its last `RETURN` seconds when the head holds still.
    """
    seen = pts[valid]
    after = np.searchsorted(seen, pts).clip(0, len(seen) - 1)
    before = np.where(valid, after, after - 1).clip(0)
    start, end = seen[before], seen[after]
    length = np.maximum(end - start, 1e-9)
    moving = length if fill else np.minimum(length, RETURN)
    part = np.clip((pts - (end - moving)) / moving, 0, 1)
    eased = part * part * (3 - 2 * part)
    times = np.where(valid, pts, start + eased * (end - start))
    return np.clip(times, seen[0], seen[-1])


def bridge_values(
    values: Float[np.ndarray, "N C"], pts: Float[np.ndarray, "T"], valid: Bool[np.ndarray, "T"], fill: bool
) -> Float[np.ndarray, "T C"]:
    """Values of the valid frames for all frames."""
    times = bridged_times(pts, valid, fill)
    return np.stack([np.interp(times, pts[valid], column) for column in values.T], -1)


def bridge_rotations(
    quaternions: Float[np.ndarray, "N 4"], pts: Float[np.ndarray, "T"], valid: Bool[np.ndarray, "T"], fill: bool
) -> Float[np.ndarray, "T 4"]:
    """The same for rotations wxyz, on the shortest way; neighbours have the same sign."""
    if len(quaternions) == 1:
        return np.repeat(quaternions, len(pts), 0)
    way = Slerp(pts[valid], Rotation.from_quat(quaternions, scalar_first=True))
    result = way(bridged_times(pts, valid, fill)).as_quat(scalar_first=True)
    flips = np.sign(np.sum(result[1:] * result[:-1], axis=1))
    result[1:] *= np.cumprod(np.where(flips < 0, -1, 1))[:, None]
    return result
