"""The backend's side of a job folder: does what `job.json` asks for and tells the story in `events.jsonl`."""

import contextlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ..protocol.errors import Cancelled, SparkError
from ..protocol.job import Done, Event, Failed, Progress, append_event, read_job
from ..protocol.launch import WATCH_STDIN, hold

Command = Callable[[Mapping[str, Any], "JobReport"], Mapping[str, Any]]

DONE, USER_ERROR, INTERNAL_ERROR = 0, 1, 2
PROGRESS_INTERVAL = 0.1
"""Seconds between two lines of progress within a stage: more than a bar can show would only make the file grow."""
ORPHAN_GRACE = 10.0
"""Seconds that a job has to reach its next report after its launcher is gone."""


class JobReport:
    """Tells events to the job folder; raises `Cancelled` when the job shall stop."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.orphaned = threading.Event()
        self._stage = ""
        self._next_progress = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, Progress) and not self._worth_telling(event):
            self.check()
            return
        append_event(self.folder, event)
        self.check()

    def check(self) -> None:
        """Raises `Cancelled` when the file `cancel` is there or the launcher has gone."""
        if self.orphaned.is_set() or (self.folder / "cancel").exists():
            raise Cancelled

    def _worth_telling(self, event: Progress) -> bool:
        now = time.monotonic()
        if event.stage == self._stage and event.fraction < 1 and now < self._next_progress:
            return False
        self._stage, self._next_progress = event.stage, now + PROGRESS_INTERVAL
        return True


def run_job(folder: Path, commands: Mapping[str, Command]) -> int:
    """Does the job of `folder` with the function that `commands` has for it; gives the process's exit code.

    Faults end up as the `Failed` event that closes the story; the trace of a bug goes to stderr. Only a folder that
    holds no readable job, or one that is being worked on, raises `SparkError`.
    """
    job = read_job(folder)
    with hold(folder), leash(JobReport(folder)) as report:
        end, code = outcome(lambda: call(commands, job.command, job.options, report))
        try:
            append_event(folder, end)
        except SparkError as error:  # a full disk, say; stderr is the last place left
            sys.stderr.write(f"{end.message if isinstance(end, Failed) else error}\n")
            return USER_ERROR
        return code


def call(commands: Mapping[str, Command], name: str, options: Mapping[str, Any], report: JobReport) -> Done:
    """Does one command and makes its results fit for JSON."""
    if name not in commands:
        raise SparkError(f"{name}: this backend has no such job ({', '.join(sorted(commands))}); update the backend")
    report.check()
    result = commands[name](options, report)
    return Done(json.loads(json.dumps(dict(result), default=plain)))


def outcome(work: Callable[[], Done]) -> tuple[Done | Failed, int]:
    """The event that ends the story and the exit code."""
    try:
        return work(), DONE
    except SparkError as error:
        return Failed(str(error)), USER_ERROR
    except (Cancelled, KeyboardInterrupt):
        return Failed("Cancelled", "cancelled"), USER_ERROR
    except Exception as error:  # noqa: BLE001 - the outermost caller: every bug becomes an event and a trace
        traceback.print_exc()
        message = f"Something went wrong inside SPARK ({type(error).__name__}: {error}); please report it"
        return Failed(message, "internal"), INTERNAL_ERROR


def plain(value: Any) -> Any:
    """A path or a number of numpy's as JSON knows it."""
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be part of a job's result")


@contextlib.contextmanager
def leash(report: JobReport) -> Iterator[JobReport]:
    """While the block runs, ends the job when asked to by SIGTERM or by the launcher's end (the close of stdin)."""

    def stop(number: int, frame: Any) -> None:
        raise Cancelled

    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, stop) if in_main_thread else None
    if os.environ.get(WATCH_STDIN) == "1":
        threading.Thread(target=watch, args=(private_stdin(), report), daemon=True).start()
    try:
        yield report
    finally:
        if in_main_thread:
            signal.signal(signal.SIGTERM, before)


def private_stdin() -> int:
    """Takes stdin for this process alone; children get an empty one.

    On Windows a child that inherits a pipe on which another thread is waiting hangs while it starts.
    """
    pipe = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipe


def watch(pipe: int, report: JobReport) -> None:
    """Waits for the end of `pipe`, asks the job to stop, and ends the process when it does not."""
    with contextlib.suppress(OSError):
        while os.read(pipe, 4096):
            pass
    report.orphaned.set()
    time.sleep(ORPHAN_GRACE)
    with contextlib.suppress(SparkError):
        append_event(report.folder, Failed("Cancelled", "cancelled"))
    os._exit(USER_ERROR)
