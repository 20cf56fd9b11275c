"""Several trackers' values over time in one small inline SVG picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH, HEIGHT = 520, 150
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 8, 20
"""Margins."""
COLOURS = ("#8a8f98", "#2a7f9e", "#d9541e", "#7a55b8", "#3c8f4e", "#c2417c")
"""Of the trackers in their order, legible on light and dark paper; used again after the last."""


@dataclass(frozen=True)
class Line:
    """One tracker's values; NaN where there is none."""

    name: str
    values: np.ndarray


def plot(title: str, unit: str, seconds: np.ndarray, lines: Sequence[Line]) -> str:
    """A figure with a line for each tracker, dots where only some frames were measured."""
    everything = np.concatenate([line.values for line in lines])
    if not np.isfinite(everything).any():
        return ""
    low, high = limits(everything)
    scale = Scale(float(seconds[0]), float(max(seconds[-1], seconds[0] + 1e-9)), low, high)
    drawn = "".join(draw_line(scale, seconds, line, colour(index)) for index, line in enumerate(lines))
    label = f"{escape(title)}{', ' if unit else ''}{escape(unit)}"
    svg = f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">{axes(scale)}{drawn}</svg>'
    caption = f"<figcaption><b>{escape(title)}</b><span>{escape(unit)}</span></figcaption>"
    return f'<figure class="curve">{svg}{caption}</figure>'


def colour(index: int) -> str:
    """Of the tracker with this number."""
    return COLOURS[index % len(COLOURS)]


def limits(values: np.ndarray) -> tuple[float, float]:
    """The values' own range with a little room; errors that come near zero are drawn from zero."""
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if 0 <= low < 0.5 * high:
        low = 0.0
    room = 0.06 * max(high - low, 1e-9 + 1e-3 * abs(high))
    return (low if low == 0 else low - room), high + room


@dataclass(frozen=True)
class Scale:
    """From seconds and values to the picture's places."""

    start: float
    end: float
    low: float
    high: float

    def x(self, seconds: np.ndarray) -> np.ndarray:
        """To the right."""
        return LEFT + (seconds - self.start) / (self.end - self.start) * (WIDTH - LEFT - RIGHT)

    def y(self, values: np.ndarray) -> np.ndarray:
        """Downwards."""
        return HEIGHT - BOTTOM - (values - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def axes(scale: Scale) -> str:
    """Three lines with their values, and the seconds at both ends."""
    parts = []
    values = np.linspace(scale.low, scale.high, 3)
    for value, y in zip(values, scale.y(values), strict=True):
        parts.append(f'<line class="zero" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{LEFT - 5}" y="{y + 3.5:.1f}" text-anchor="end">{value:.3g}</text>')
    for seconds, anchor, x in ((scale.start, "start", LEFT), (scale.end, "end", WIDTH - RIGHT)):
        parts.append(f'<text class="tick" x="{x}" y="{HEIGHT - 5}" text-anchor="{anchor}">{seconds:.1f} s</text>')
    return "".join(parts)


def draw_line(scale: Scale, seconds: np.ndarray, line: Line, stroke: str) -> str:
    """Runs of neighbouring frames as lines; frames that were drawn from among others as dots on a thin line."""
    known = np.flatnonzero(np.isfinite(line.values))
    if not len(known):
        return ""
    whole = len(known) > 0.5 * len(seconds)
    runs = np.split(known, np.flatnonzero(np.diff(known) > 1) + 1) if whole else [known]
    width = 1.4 if whole else 0.8
    parts = []
    for run in runs:
        places = list(zip(scale.x(seconds[run]), scale.y(line.values[run]), strict=True))
        points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        parts.append(f'<polyline style="stroke:{stroke};stroke-width:{width}" points="{points}"/>')
        if not whole:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{stroke}"/>' for x, y in places]
    return "".join(parts)


def key(names: Sequence[str]) -> str:
    """Which colour is whose."""
    marks = (
        f'<span><i style="border-color:{colour(index)}"></i>{escape(name)}</span>' for index, name in enumerate(names)
    )
    return f'<p class="key trackers">{"".join(marks)}</p>'
