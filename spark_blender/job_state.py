"""What a panel shows of a job, and how it follows from what the job tells. Plain Python, no bpy."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spark_backend.protocol.job import Done, Event, Failed, Metric, Preview, Progress, Warning

RESUMABLE = ("train", "adapt")
"""Jobs of the backend that, run again, keep what they have done."""


@dataclass(frozen=True)
class JobState:
    """All that a panel shows of one job."""

    command: str
    folder: Path
    options: Mapping[str, Any] = field(default_factory=dict)
    status: str = "running"
    """`running`, `cancelling`, `done`, `failed` or `cancelled`."""
    stage: str = "Starting"
    fraction: float = 0.0
    eta: float | None = None
    """Seconds left, when it can be told."""
    message: str = ""
    """Why it failed, or why its result could not be used, in one sentence."""
    warnings: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    preview: str = ""
    """Path of the latest picture."""
    previews: int = 0
    """How many pictures there were: the same file may be written again."""
    result: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=time.time)
    seconds: float = 0.0
    """How long it took."""

    @property
    def busy(self) -> bool:
        return self.status in ("running", "cancelling")

    @property
    def resumable(self) -> bool:
        """Whether starting it again goes on where it was stopped."""
        return self.command in RESUMABLE and self.status in ("failed", "cancelled")

    @property
    def log(self) -> Path:
        return self.folder / "log.txt"


def advance(state: JobState, event: Event) -> JobState:
    """The state after one more event."""
    match event:
        case Progress(stage, fraction, eta):
            return replace(state, stage=stage, fraction=min(max(fraction, 0.0), 1.0), eta=eta)
        case Warning(message) if message not in state.warnings:
            return replace(state, warnings=(*state.warnings, message))
        case Metric():
            return replace(state, metrics=(*state.metrics, event))
        case Preview(path):
            return replace(state, preview=path, previews=state.previews + 1)
        case Done(result):
            return finished(state, status="done", fraction=1.0, result=result)
        case Failed(kind="cancelled"):
            return finished(state, status="cancelled", message="Cancelled")
        case Failed(message):
            return finished(state, status="failed", message=sentence(message))
    return state


def seconds_left(state: JobState, now: float) -> float | None:
    """What the job says itself, else an estimate from its pace; None while there is too little to go by."""
    if state.eta is not None:
        return state.eta
    elapsed = now - state.started
    if state.status != "running" or state.fraction < 0.05 or elapsed < 3:
        return None
    return elapsed * (1 - state.fraction) / state.fraction


def finished(state: JobState, **changes: Any) -> JobState:
    """The last state of a job, with the time that it took."""
    return replace(state, eta=None, seconds=time.time() - state.started, **changes)


def sentence(text: str) -> str:
    """The text as the panel shows it: one line, a capital first unless it starts with a path."""
    text = " ".join(text.split())
    return text[:1].upper() + text[1:] if text.split(" ")[0].isalpha() else text
