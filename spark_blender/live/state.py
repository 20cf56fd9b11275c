"""What goes on live: the running backend, and all that the panel shows of it. Plain Python, no bpy."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import (
    LiveCalibration,
    LiveCommand,
    LiveFrame,
    LiveRecord,
    LiveRecording,
    LiveStatus,
    Pause,
)
from spark_backend.protocol.live_process import LiveProcess

SHOWN_FRAMES = 30
"""Frames whose median latency is shown."""


@dataclass(frozen=True)
class LiveView:
    """What the panel shows."""

    state: str = "off"
    """`off`, or that of `LiveStatus`."""
    message: str = ""
    fault: bool = False
    latency: float = 0.0
    """Seconds, median of the last frames."""
    rate: float = 0.0
    dropped: int = 0
    calibration: str = ""
    calibrated: bool = False
    recording: str = ""
    """`counting`, `recording` or nothing."""
    seconds: float = 0.0
    """Left to count, or recorded."""
    saved: LiveRecording | None = None
    """The last take."""
    note: str = ""
    """What the user should know of the last recording."""

    @property
    def running(self) -> bool:
        return self.state not in ("off", "ended")


def advance(view: LiveView, record: LiveRecord) -> LiveView:
    """The view after one more record."""
    match record:
        case LiveStatus(state, message, fault):
            return replace(view, state=state, message=message, fault=fault)
        case LiveCalibration(done, message):
            return replace(view, calibration=message, calibrated=done)
        case LiveRecording("counting" | "recording" as state, _, seconds):
            return replace(view, recording=state, seconds=seconds, note="")
        case LiveRecording("saved"):
            return replace(view, recording="", saved=record, note=record.message)
        case LiveRecording(message=message):
            return replace(view, recording="", note=message)
    return view


class Live:
    """At most one running session."""

    def __init__(self) -> None:
        self.view = LiveView()
        self.process: LiveProcess | None = None
        self.project: Path | None = None
        self.revision = 0
        """Grows whenever the panel has something new to show, the pace aside."""
        self._latencies: deque[float] = deque(maxlen=SHOWN_FRAMES)

    def start(self, command: Sequence[str], project: Path, log_folder: Path, options: Sequence[str]) -> None:
        """Starts the backend on a project."""
        if self.process is not None:
            raise SparkError("Live runs already; stop it first")
        self.process = LiveProcess.start(command, log_folder, [str(project), *options])
        self.project = project
        self._latencies.clear()
        self._show(LiveView("starting", "Starting: the first time takes some seconds", saved=self.view.saved))

    def send(self, command: LiveCommand) -> None:
        """Tells the backend what to do, when one runs."""
        if self.process is not None:
            self.process.send(command)

    def pause(self) -> None:
        """Pauses, or goes on."""
        self.send(Pause(self.view.state != "paused"))

    def stop(self, message: str = "", fault: bool = False) -> None:
        """Asks the backend to end; a `message` says why in place of "Stopped"."""
        if self.process is not None:
            self.process.stop()
            self._show(replace(self.view, state="stopping", message=message or "Stopping", fault=fault))

    def poll(self) -> tuple[LiveFrame | None, list[LiveRecord]]:
        """The newest frame and what was told; the view follows. Never waits."""
        if self.process is None:
            return None, []
        frame, told = self.process.poll()
        if frame is not None:
            self._latencies.append(frame.latency)
            self.view = replace(self.view, latency=median(self._latencies), rate=frame.rate, dropped=frame.dropped)
        for record in told:
            self._note(record)
        if self.process.ended:
            self.process = None
        return (frame if self.view.state != "stopping" else None), told

    def remark(self, note: str) -> None:
        """Adds what came of a recording here."""
        self._show(replace(self.view, note=note))

    def close(self) -> None:
        """Lets go of the backend."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def _note(self, record: LiveRecord) -> None:
        if self.view.state == "stopping" and isinstance(record, LiveStatus):
            if record.state != "ended":
                return
            if self.view.message != "Stopping":  # it was stopped for a reason, which stays
                record = LiveStatus("ended", self.view.message, self.view.fault)
        self._show(advance(self.view, record))

    def _show(self, view: LiveView) -> None:
        self.view = view
        self.revision += 1


_live: Live | None = None


def live() -> Live:
    """The one session of an enabled add-on."""
    global _live
    if _live is None:
        _live = Live()
    return _live


def close() -> None:
    """Lets go of it."""
    global _live
    if _live is not None:
        _live.close()
    _live = None
