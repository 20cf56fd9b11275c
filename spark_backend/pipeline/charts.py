"""Curves as small inline SVG pictures for a page."""

from dataclasses import dataclass
from html import escape

import numpy as np

from ..protocol.posing import quaternion_to_matrix
from ..protocol.take import Take

WIDTH, HEIGHT, PAD = 320, 96, 8
SHOWN = ("jawOpen", "mouthSmileLeft", "mouthPucker", "browInnerUp", "eyeBlinkLeft", "eyeLookInLeft")


@dataclass(frozen=True)
class Curve:
    """One quantity over time, with the truth where it is known."""

    name: str
    unit: str
    seconds: np.ndarray
    values: np.ndarray
    truth: np.ndarray | None = None


def take_curves(take: Take, truth: Take | None = None) -> list[Curve]:
    """The head's turns and the expressions that tell most."""
    angles = head_angles(take)
    true_angles = None if truth is None else head_angles(truth)
    curves = []
    for axis, name in enumerate(("Yaw", "Pitch", "Roll")):
        known = None if true_angles is None else true_angles[:, axis]
        curves.append(Curve(name, "°", take.pts, angles[:, axis], known))
    for name in SHOWN:
        known = None if truth is None else truth.weight(name)
        curves.append(Curve(name, "", take.pts, take.weight(name), known))
    return curves


def head_angles(take: Take) -> np.ndarray:
    """(T, 3) yaw to the subject's left, pitch down, roll to the subject's left, in degrees; 0 faces the camera.

    From the directions of the face and of the head's left in the camera.
    """
    axes = quaternion_to_matrix(take.head_rotation)
    forward, left = -axes[..., 1], axes[..., 0]
    yaw = np.arctan2(forward[:, 0], -forward[:, 2])
    pitch = np.arcsin(np.clip(forward[:, 1], -1, 1))
    roll = np.arcsin(np.clip(left[:, 1], -1, 1))
    return np.degrees(np.stack([yaw, pitch, roll], 1))


def chart(curve: Curve) -> str:
    """One curve as an SVG element; the truth, if any, is the dashed line."""
    low, high = limits(curve)
    rows = [] if curve.truth is None else [("truth", curve.truth)]
    rows.append(("found", curve.values))
    lines = "".join(
        f'<polyline class="{kind}" points="{points(curve.seconds, values, low, high)}"/>' for kind, values in rows
    )
    zero = place(np.array([0.0]), low, high)[0]
    base = f'<line class="zero" x1="{PAD}" x2="{WIDTH - PAD}" y1="{zero:.1f}" y2="{zero:.1f}"/>'
    name, reach = escape(curve.name), f"{short(low)} … {short(high)}{escape(curve.unit)}"
    picture = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{name}, {reach}">{base}{lines}</svg>'
    return f'<figure class="curve">{picture}<figcaption><b>{name}</b><span>{reach}</span></figcaption></figure>'


def short(number: float) -> str:
    """Two digits, and no minus before a nought."""
    return f"{number:.2g}" if abs(number) >= 0.05 else "0"


def limits(curve: Curve) -> tuple[float, float]:
    """Range of the vertical axis: 0 to 1 for weights, the values' own for angles, at least 10 degrees."""
    if not curve.unit:
        return 0.0, 1.0
    everything = curve.values if curve.truth is None else np.concatenate([curve.values, curve.truth])
    low, high = min(float(everything.min()), 0.0), max(float(everything.max()), 0.0)
    spare = max(10.0 - (high - low), 0.0) / 2
    return low - spare, high + spare


def points(seconds: np.ndarray, values: np.ndarray, low: float, high: float) -> str:
    """SVG coordinates of a curve."""
    span = max(float(seconds[-1] - seconds[0]), 1e-9)
    x = PAD + (seconds - seconds[0]) / span * (WIDTH - 2 * PAD)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, place(values, low, high), strict=True))


def place(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Heights in the SVG, downwards."""
    return HEIGHT - PAD - (np.clip(values, low, high) - low) / (high - low) * (HEIGHT - 2 * PAD)
