"""`spark live`, the process: commands, records, the shared picture, and an end in every case.

What tracks is imported after the thread that listens has begun: the libraries take seconds, and whoever has started
this process may be gone before.
"""

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import cv2

from ..live.outlet import PictureOutlet, RecordOutlet
from ..protocol.job import Metric, Progress, Report, Warning
from ..protocol.live import LiveFrame, LiveRecord, LiveRecording, LiveStatus
from ..protocol.live_commands import LiveCommand, Stop, decode_command
from ..protocol.live_picture import open_picture_memory
from ..protocol.live_recording import recover_recordings
from ..protocol.project import open_project
from .jobs import private_stdin
from .options import LiveOptions

ORPHAN_GRACE = 1.0
"""Seconds that a session has to end after stdin has closed."""


def live(options: LiveOptions, report: Report) -> Mapping[str, Any]:
    """Tracks until it is told to stop. Takes that were recorded are in `takes` of the result, name to path."""
    project = open_project(options.project)
    takes: dict[str, str] = {}
    commands: queue.SimpleQueue[LiveCommand] = queue.SimpleQueue()
    begun, finished = threading.Event(), threading.Event()
    with contextlib.ExitStack() as stack:
        stack.callback(finished.set)  # last of all
        # Before the thread that may end the process at once: whoever opens the memory takes its name away.
        show = stack.enter_context(shared_picture(options.picture_memory)) if options.picture_memory else None
        if options.records:
            words = private_stdin(), commands, begun, finished
            threading.Thread(target=listen, args=words, name="spark-commands", daemon=True).start()
        tell = stack.enter_context(records_to_stdout()) if options.records else partial(tell_people, report)
        tell(LiveStatus("starting", "Starting"))
        recovered, faults = recover_recordings(project.folder / "takes")
        for path in recovered:
            tell(LiveRecording("recovered", path.stem, path=str(path), message=f"{path.stem}: recovered after a crash"))
        for fault in faults:
            tell(LiveRecording("failed", "", message=fault))
        from .live import make_session

        cv2.setNumThreads(1)  # OpenCV's workers wait by spinning: 2 ms of processor a frame, more than they save
        session = make_session(options, project, remember(tell, takes), show, commands)
        begun.set()
        session.run()
    return {"takes": takes}


def remember(tell: Callable[[LiveRecord], None], takes: dict[str, str]) -> Callable[[LiveRecord], None]:
    """`tell` that notes the takes that were saved."""

    def told(record: LiveRecord) -> None:
        if isinstance(record, LiveRecording) and record.state == "saved":
            takes[record.name] = record.path
        tell(record)

    return told


@contextlib.contextmanager
def shared_picture(name: str) -> Iterator[PictureOutlet]:
    """The way for pictures."""
    memory = open_picture_memory(name)
    try:
        yield PictureOutlet(memory)
    finally:
        memory.close()


@contextlib.contextmanager
def records_to_stdout() -> Iterator[RecordOutlet]:
    """Records go to the real stdout; whatever else is printed, now and later, goes to stderr."""
    sys.stdout.flush()
    stream = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    outlet = RecordOutlet(write)
    try:
        yield outlet
    finally:
        outlet.close()
        with contextlib.suppress(OSError):
            stream.close()


def listen(
    pipe: int, commands: "queue.SimpleQueue[LiveCommand]", begun: threading.Event, finished: threading.Event
) -> None:
    """Takes commands from `pipe`; its end is the end of the session, and of the process as soon as that is over.

    A session that has not begun has nothing to save: the process ends at once. It is never left to end by itself, for
    the libraries in it take seconds to put away what nobody needs.
    """
    with os.fdopen(pipe, "rb") as lines, contextlib.suppress(OSError):
        for line in lines:
            command = decode_command(line)
            if command is not None:
                commands.put(command)
    commands.put(Stop())
    os._exit(0 if begun.is_set() and finished.wait(ORPHAN_GRACE) else 1)


def tell_people(report: Report, record: LiveRecord) -> None:
    """Changes as lines, the rate and the latency once a second."""
    if isinstance(record, LiveStatus):
        report(Warning(record.message) if record.fault else Progress(record.message, 0.0))
    elif isinstance(record, LiveRecording) and record.state in ("saved", "recovered", "failed"):
        report(Warning(record.message) if record.message else Metric(f"recorded {record.name}", record.seconds, "s"))
    elif isinstance(record, LiveFrame) and record.number % 30 == 0:
        pace = f"{record.rate:.0f} frames a second, {1000 * record.latency:.0f} ms"
        report(Progress(f"Tracking, {pace}, {record.dropped} left out", 0.0))
