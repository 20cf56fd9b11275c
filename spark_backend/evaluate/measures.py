"""What is measured: names, units, which way is better, and how the values of many frames become one line."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Num


@dataclass(frozen=True)
class Measure:
    """One quantity of a frame."""

    title: str
    unit: str
    digits: int
    """Decimals that are told."""
    larger_is_better: bool = False


MEASURES = {
    "psnr": Measure("Warped frame, PSNR", "dB", 2, larger_is_better=True),
    "ssim": Measure("Warped frame, SSIM", "", 4, larger_is_better=True),
    "mse": Measure("Warped frame, mean squared error", "1e-3", 3),
    "iou": Measure("Regions, intersection over union", "", 3, larger_is_better=True),
    "landmarks_105": Measure("Landmarks, MediaPipe's 105, L1", "NDC", 4),
    "landmarks_68": Measure("Landmarks, FAN's 68 on MediaPipe, L1", "NDC", 4),
    "redetected": Measure("Landmarks found again in the render, L1", "NDC", 4),
    "lips": Measure("Gap between the lips, error", "% IPD", 2),
    "lids": Measure("Gap between the lids, error", "% IPD", 2),
    "jitter": Measure("Second difference of the face", "mm", 3),
}


@dataclass(frozen=True)
class Summary:
    """The values of many frames in one line, as SPARK prints them: mean ± standard deviation (median)."""

    mean: float
    deviation: float
    median: float
    count: int
    """Frames that have a value."""


def summarise(parts: Sequence[Float[np.ndarray, "_"]]) -> Summary:
    """Over all frames of all clips alike; NaN where nothing was measured does not count."""
    values = np.concatenate(parts)
    values = values[np.isfinite(values)]
    if not len(values):
        return Summary(np.nan, np.nan, np.nan, 0)
    deviation = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return Summary(float(values.mean()), deviation, float(np.median(values)), len(values))


def sample_frames(valid: Bool[np.ndarray, "T"], interval: int, count: int, seed: int) -> list[int]:
    """At most `count` frames that can be judged together with the one `interval` before, drawn at random, rising."""
    later = np.arange(interval, len(valid))
    usable = later[valid[later] & valid[later - interval]]
    drawn = np.random.default_rng(seed).permutation(usable)[:count]
    return sorted(int(frame) for frame in drawn)


def second_difference(points: Num[np.ndarray, "3 V 3"]) -> float:
    """Mean length of x[t-1] - 2 x[t] + x[t+1] of three frames' points (metres), millimetres."""
    return float(1000 * np.linalg.norm(points[0] - 2 * points[1] + points[2], axis=-1).mean())
