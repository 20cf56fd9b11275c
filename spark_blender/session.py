"""What runs besides Blender: the jobs of this session and what is known of the backend. Plain Python, no bpy.

Blender's timer calls `pump`; so do the tests, because timers do not run without a window.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import (
    Done,
    Failed,
    Job,
    read_events,
    read_job,
    write_job,
)
from spark_backend.protocol.launch import JobProcess, lock_is_held

from .facts import ProjectFacts
from .job_state import RESUMABLE, JobState, advance, sentence

KEPT_JOBS = 10
"""Folders of earlier jobs that stay beside a new one, for their logs."""

LOG_LINES, LOG_BYTES = 5, 2000
"""How much of a log is shown, and read for it."""

CHECK, WORK, SET_UP, MODELS, CAMERAS, EXPORT = "check", "work", "set-up", "models", "cameras", "export"
"""The jobs that may run side by side: the look at the backend, the work, the making of the backend's environment, the
listing and fetching of models, the listing of cameras, an export from the scene."""


@dataclass(frozen=True)
class Backend:
    """What is known of the environment that does the work."""

    python: Path | None = None
    status: str = "missing"
    """`missing`, `unchecked`, `checking`, `ready` or `broken`."""
    message: str = ""


@dataclass(frozen=True)
class Terms:
    """What the user has allowed a job."""

    keep_running: bool = False
    """It goes on when Blender ends."""
    online: bool = False
    """It may use the network."""


ALONE = Terms()
"""Without network, and ending with Blender."""


def start_process(command: Sequence[str], folder: Path, terms: Terms) -> JobProcess:
    """Starts the job of a folder on these terms."""
    environment = {} if terms.online else {"SPARK_OFFLINE": "1"}
    return JobProcess.start(command, folder, environment=environment, keep_running=terms.keep_running)


class Session:
    """The running jobs, at most one of each kind, and the state of the backend."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.revision = 0
        """Grows whenever there is something new to draw."""
        self.checks: tuple[Mapping[str, Any], ...] = ()
        """What the last look at the backend has found, a row for each thing: `what`, `state`, `detail`."""
        self.models: tuple[Mapping[str, Any], ...] = ()
        """The models that the backend knows, see `spark models`."""
        self.cameras: tuple[str, ...] = ()
        """Names of the computer's cameras, when they were last listed."""
        self.log_lines: tuple[str, ...] = ()
        """The last lines that the set-up has printed, while it runs."""
        self.facts: dict[Path, ProjectFacts] = {}
        """Projects by folder, as they were when they were last looked at."""
        self.recent: tuple[Path, ...] = ()
        """Projects that were opened last, the newest first."""
        self._processes: dict[str, JobProcess] = {}
        self._states: dict[str, JobState] = {}
        self._ending: list[JobProcess] = []

    def state(self, kind: str) -> JobState | None:
        """The job of a kind that runs or was last run; None when there is none."""
        return self._states.get(kind)

    def is_busy(self, kind: str) -> bool:
        """Whether a job of that kind runs."""
        state = self._states.get(kind)
        return state is not None and state.busy

    @property
    def active(self) -> bool:
        """Whether any process is still to be looked after."""
        return bool(self._processes or self._ending)

    def start(self, kind: str, command: Sequence[str], parent: Path, job: Job, terms: Terms = ALONE) -> None:
        """Starts a job in a new folder below `parent` with the program of `command`, see `backend_command`."""
        if self.is_busy(kind):
            raise SparkError(f"A job is running ({self._states[kind].command}); wait for its end or cancel it")
        folder = new_job_folder(parent, job.command)
        write_job(folder, job)
        process = start_process(command, folder, terms)
        self._take_up(kind, process, JobState(job.command, folder, job.options))

    def resume(self, kind: str, command: Sequence[str], terms: Terms) -> None:
        """Starts the job of that kind again that was stopped."""
        state = self._states.get(kind)
        if state is None or not state.resumable:
            raise SparkError("There is no job to resume; start a new one")
        process = start_process(command, state.folder, terms)
        self._take_up(kind, process, JobState(state.command, state.folder, state.options))

    def note_log(self, lines: tuple[str, ...]) -> None:
        """Notes what is printed."""
        if lines != self.log_lines:
            self.log_lines = lines
            self.revision += 1

    def note_facts(self, facts: ProjectFacts) -> None:
        """Notes what a project holds."""
        self.facts[facts.folder] = facts
        self.revision += 1

    def forget_facts(self, folder: Path) -> None:
        """Notes that a project is not where it was."""
        self.facts.pop(folder, None)
        self.revision += 1

    def attach(self, kind: str, folder: Path) -> None:
        """Takes up a job that an earlier session of Blender has left, running or not."""
        job = read_job(folder)
        started = (folder / "job.json").stat().st_mtime
        state = JobState(job.command, folder, job.options, started=started)
        self._take_up(kind, JobProcess.attach(folder), state)

    def cancel(self, kind: str) -> None:
        """Asks the job to stop."""
        if self.is_busy(kind):
            self._processes[kind].cancel()
            self._show(kind, replace(self._states[kind], status="cancelling", eta=None))

    def remark(self, kind: str, message: str = "", warnings: tuple[str, ...] = ()) -> None:
        """Adds to the end of a job what came of its result here."""
        state = self._states[kind]
        message = sentence(message) if message else state.message
        self._show(kind, replace(state, message=message, warnings=(*state.warnings, *warnings)))

    def dismiss(self, kind: str) -> None:
        """Forgets a job that is over; one that could be resumed for good."""
        if self.is_busy(kind):
            return
        state = self._states.pop(kind, None)
        if state is not None:
            self.revision += 1
            if state.resumable and not lock_is_held(state.folder):
                shutil.rmtree(state.folder, ignore_errors=True)

    def set_backend(self, backend: Backend) -> None:
        """Notes what is known of the backend."""
        if backend != self.backend:
            self.backend = backend
            self.revision += 1

    def pump(self, budget: float = 0.006) -> list[tuple[str, JobState]]:
        """Reads what the jobs have told, for about `budget` seconds. Gives the jobs that came to their end."""
        deadline = time.perf_counter() + budget
        for kind, process in list(self._processes.items()):
            state = before = self._states[kind]
            while events := process.poll():
                for event in events:
                    state = advance(state, event)
                if time.perf_counter() > deadline:
                    break
            if before.status == "cancelling" and state.status == "running":
                state = replace(state, status="cancelling")
            if state is not before:
                self._show(kind, state)
        self._ending = [process for process in self._ending if not process.poll() and not process.ended]
        over = [(kind, self._states[kind]) for kind in self._processes if not self._states[kind].busy]
        for kind, _ in over:
            self._ending.append(self._processes.pop(kind))  # until the process itself is gone
        return over

    def close(self) -> None:
        """Lets go of every job: each ends itself, unless it was started to keep running."""
        for process in (*self._processes.values(), *self._ending):
            process.detach()
        self._processes.clear()
        self._ending.clear()

    def _take_up(self, kind: str, process: JobProcess, state: JobState) -> None:
        self._processes[kind] = process
        self._show(kind, state)

    def _show(self, kind: str, state: JobState) -> None:
        self._states[kind] = state
        self.revision += 1


def stopped_job(parent: Path) -> Path | None:
    """The newest job below `parent`, when it can be resumed and nothing tells of its end; None else."""
    newest = max((path.parent for path in parent.glob("*/job.json")), default=None)
    if newest is None or lock_is_held(newest) or read_job(newest).command not in RESUMABLE:
        return None
    events, _ = read_events(newest)
    ended = any(isinstance(event, Done) or (isinstance(event, Failed) and event.kind == "user") for event in events)
    return None if ended else newest


def last_lines(path: Path) -> tuple[str, ...]:
    """The last lines of a log, without those that are empty; none when there is no log yet."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - LOG_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ()
    return tuple(line.strip() for line in text.splitlines() if line.strip())[-LOG_LINES:]


def new_job_folder(parent: Path, command: str) -> Path:
    """A path for a new job below `parent`; the oldest folders of jobs that are over are removed."""
    olds = sorted(path.parent for path in parent.glob("*/job.json"))
    for folder in olds[: max(0, len(olds) - KEPT_JOBS + 1)]:
        if not lock_is_held(folder):
            shutil.rmtree(folder, ignore_errors=True)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    names = (f"{stamp}-{command}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, 1000))))
    return next(parent / name for name in names if not (parent / name).exists())
