"""Seconds and Blender's frames: which rate a clip has, and where its frames fall on the timeline."""

from dataclasses import dataclass

import numpy as np

# (fps, fps_base) as Blender keeps them; the rate is fps / fps_base. NTSC's rates come last, so that a clip too short
# to tell 30 from 29.97 becomes 30.
COMMON_RATES = (
    *((rate, 1.0) for rate in (10, 12, 15, 20, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)),
    *((rate, 1.001) for rate in (24, 30, 48, 60, 120, 240)),
)


@dataclass(frozen=True)
class Rate:
    """Frames a second, as the fraction that a Blender scene keeps."""

    fps: int
    fps_base: float = 1.0

    @property
    def per_second(self) -> float:
        return self.fps / self.fps_base


def nearest_rate(pts: np.ndarray) -> Rate:
    """The common rate on whose grid the times (T,) in seconds lie best.

    Times rounded to milliseconds and gaps of several frames do not disturb it. A clip whose usual gap is far from every
    common rate gets the nearest whole number.
    """
    if len(pts) < 2:
        return Rate(24)
    usual = 1 / float(np.median(np.diff(pts)))
    near = [Rate(*rate) for rate in COMMON_RATES if abs(rate[0] / rate[1] / usual - 1) < 0.06]
    if not near:
        return Rate(max(round(usual), 1))
    return min(near, key=lambda rate: round(misfit(pts, rate), 6))


def misfit(pts: np.ndarray, rate: Rate) -> float:
    """How far the times are from the rate's grid through the first of them, mean, in frames."""
    position = (np.asarray(pts, float) - pts[0]) * rate.per_second
    return float(np.abs(position - np.round(position)).mean())


def frame_numbers(pts: np.ndarray, rate: Rate, start: float = 1.0) -> np.ndarray:
    """(T,) Blender's frame, whole or not, of each time in seconds; time 0 is frame `start`."""
    return start + np.asarray(pts, float) * rate.per_second


def frame_range(pts: np.ndarray, rate: Rate, start: int = 1) -> tuple[int, int]:
    """First and last frame of a scene that shows all of the times."""
    last = int(np.round(frame_numbers(pts, rate, start)[-1])) if len(pts) else start
    return start, max(last, start)


def sign_continuous(quaternions: np.ndarray) -> np.ndarray:
    """(T, 4) unit quaternions, each in the sign that is nearer to the one before, the first with w >= 0.

    `q` and `-q` are the same rotation, but curves that jump between them spin the joint in between.
    """
    if len(quaternions) == 0:
        return quaternions
    agreement = np.sum(quaternions[1:] * quaternions[:-1], axis=1)
    steps = np.where(agreement < 0, -1.0, 1.0)
    first = -1.0 if quaternions[0, 0] < 0 else 1.0
    return quaternions * np.cumprod(np.concatenate([[first], steps]))[:, None]
