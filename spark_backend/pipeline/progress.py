"""One report for a job of several steps."""

from collections.abc import Callable
from dataclasses import replace

from ..protocol.job import Event, Progress, Report, Warning


def section(report: Report, start: float, end: float) -> Report:
    """A report for the step that takes the fractions `start` to `end` of the whole job.

    The step's own estimate of the time left is dropped, for it says nothing about the rest.
    """

    def forward(event: Event) -> None:
        if isinstance(event, Progress):
            event = replace(event, fraction=start + (end - start) * min(max(event.fraction, 0.0), 1.0), eta=None)
        report(event)

    return forward


def sections(report: Report, weights: dict[str, float]) -> dict[str, Report]:
    """A report for each named step; `weights` are their relative durations, in the order in which they run."""
    total, begin, result = sum(weights.values()), 0.0, {}
    for name, weight in weights.items():
        result[name] = section(report, begin / total, (begin + weight) / total)
        begin += weight
    return result


def shares(report: Report, count: int) -> list[Report]:
    """A report for each of `count` equally long steps."""
    return [section(report, index / count, (index + 1) / count) for index in range(count)]


def told(report: Report, stage: str) -> Callable[[float], None]:
    """A tick, which hears the part done of a stage, as progress."""
    return lambda part: report(Progress(stage, part))


def warned(report: Report) -> Callable[[str], None]:
    """What hears sentences, as warnings."""
    return lambda sentence: report(Warning(sentence))
