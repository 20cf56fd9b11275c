"""What goes on live: the running backend, and all that the panel shows of it. Plain Python, no bpy."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import LiveCalibration, LiveFrame, LiveRecord, LiveRecording, LiveStatus
from spark_backend.protocol.live_commands import LiveCommand, Pause
from spark_backend.protocol.live_process import LiveProcess

SHOWN_FRAMES = 30
"""Frames whose median latency is shown."""


@dataclass(frozen=True)
class Latency:
    """Where the time goes between the camera's picture and the screen, seconds."""

    camera: float = 0.0
    """From the picture's arrival until the tracker has it, decoded."""
    tracker: float = 0.0
    """Tracking, smoothing and strength."""
    transport: float = 0.0
    """From the backend until Blender's timer takes the pose."""
    viewport: float = 0.0
    """Until the head is posed and the viewport drawn."""

    @property
    def whole(self) -> float:
        return self.camera + self.tracker + self.transport + self.viewport


@dataclass(frozen=True)
class LiveView:
    """What the panel shows."""

    state: str = "off"
    """`off`, or that of `LiveStatus`."""
    message: str = ""
    fault: bool = False
    latency: Latency = Latency()
    """Medians of the last frames."""
    rate: float = 0.0
    dropped: int = 0
    malformed: int = 0
    """Packets, from the phone or in the backend's pipe, that were none."""
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
        case LiveRecording("counting" | "recording" as state, _, seconds, message=message):
            return replace(view, recording=state, seconds=seconds, note=message)
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
        self._latencies: deque[Latency] = deque(maxlen=SHOWN_FRAMES)
        self._viewport: deque[float] = deque([0.0], maxlen=SHOWN_FRAMES)
        self._taken: float | None = None
        """When the pose was taken that no viewport has drawn yet."""

    def start(self, command: Sequence[str], project: Path, log_folder: Path, options: Sequence[str]) -> None:
        """Starts the backend on a project."""
        if self.process is not None:
            raise SparkError("Live runs already; stop it first")
        self.process = LiveProcess.start(command, log_folder, [str(project), *options])
        self.project = project
        self._latencies.clear()
        self._taken = None
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
            self._time(frame)
        for record in told:
            self._note(record)
        if self.process.ended:
            self.process = None
        return (frame if self.view.state != "stopping" else None), told

    def note_drawn(self) -> None:
        """A viewport was drawn: the newest pose is on the screen."""
        if self._taken is not None:
            self._viewport.append(perf_counter() - self._taken)
            self._taken = None

    def remark(self, note: str) -> None:
        """Adds what came of a recording here."""
        self._show(replace(self.view, note=note))

    def close(self) -> None:
        """Lets go of the backend."""
        if self.process is not None:
            self.process.close()
            self.process = None

    def _time(self, frame: LiveFrame) -> None:
        self._taken = perf_counter() if self._taken is None else self._taken
        transport = max(perf_counter() - frame.sent, 0.0)
        self._latencies.append(Latency(frame.waited, frame.latency - frame.waited, transport))
        parts = [median(getattr(one, name) for one in self._latencies) for name in ("camera", "tracker", "transport")]
        self.view = replace(
            self.view,
            latency=Latency(*parts, median(self._viewport)),
            rate=frame.rate,
            dropped=frame.dropped,
            malformed=frame.malformed + self.process.malformed,
        )

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
