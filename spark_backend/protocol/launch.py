"""Starting a job in another Python, watching it without waiting, and stopping it. See docs/formats/job.md.

The launcher holds the other end of the child's stdin: when the launcher ends, cleanly or not, the pipe closes and the
child ends itself. A lock on the file `process` tells for certain whether a job still runs, also after a restart, and
unlike a bare process number it can never point at a stranger.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

from .errors import SparkError
from .job import Done, Event, Failed, read_events
from .storage import filesystem_errors

WATCH_STDIN = "SPARK_WATCH_STDIN"
"""Environment variable that tells the child to end when its stdin closes. Without it stdin is left alone."""

FOREIGN_VARIABLES = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PYTHONEXECUTABLE", "__PYVENV_LAUNCHER__")
"""What a host program may set for its own Python and what would break another one."""

CHUNK = 1 << 14
"""Bytes of events read at a time: some 150 lines, 1 to 3 ms."""

LOCKED_BYTE = 1 << 30
"""Windows locks ranges and refuses to read them, so the range lies beyond the text of the file."""


def backend_command(python: Path) -> tuple[str, ...]:
    """The words that start the backend of an environment; `run JOB_DIR` follows."""
    return (str(python), "-u", "-m", "spark_backend")


def environment_python(path: Path) -> Path:
    """The Python of an environment, given either that Python or the environment's folder."""
    if path.is_file():
        return path.absolute()
    for inside in ("bin/python", "Scripts/python.exe", "python.exe", "bin/python3"):
        if (path / inside).is_file():
            return (path / inside).absolute()
    raise SparkError(f"{path}: no Python there; choose the folder or the Python of a backend environment")


class JobProcess:
    """One job from the launcher's side. `poll` from time to time until `ended`; nothing here ever waits."""

    def __init__(self, folder: Path, process: "subprocess.Popen[bytes] | None", grace: float = 10.0) -> None:
        self.folder = folder
        self.outcome: Done | Failed | None = None
        self.ended = False
        """The outcome is known and the process is gone."""
        self._process = process
        self._offset = 0
        self._stop_time: float | None = None
        self._signals = [(2 * grace, getattr(signal, "SIGKILL", signal.SIGTERM)), (grace, signal.SIGTERM)]
        self._cancelled = False

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        folder: Path,
        *,
        environment: Mapping[str, str] | None = None,
        keep_running: bool = False,
        grace: float = 10.0,
    ) -> "JobProcess":
        """Runs `command + ["run", folder]` on a folder that holds `job.json`; an earlier run's story is removed.

        With `keep_running` the child outlives this process. `grace` is how many seconds it has to end when asked to,
        before it is terminated and, as long again, killed.
        """
        if lock_is_held(folder):
            raise SparkError(f"{folder}: this job is running already; cancel it first")
        with filesystem_errors(folder):
            for name in ("events.jsonl", "cancel"):
                (folder / name).unlink(missing_ok=True)
            log = open(folder / "log.txt", "wb")  # noqa: SIM115 (the child goes on writing to it)
        with log:
            return cls(folder, spawn([*command, "run", str(folder)], folder, log, environment, keep_running), grace)

    @classmethod
    def attach(cls, folder: Path, *, grace: float = 10.0) -> "JobProcess":
        """Takes up a job that another process has started, running or over; `poll` tells its story from the start."""
        return cls(folder, None, grace)

    @property
    def process_id(self) -> int | None:
        """The number of the running process; None when nothing runs."""
        if self._process is not None:
            return self._process.pid if self._process.returncode is None else None
        return holder(self.folder)

    def poll(self) -> list[Event]:
        """What has been told since the last call; the last event of all is the one `Done` or `Failed`."""
        code = self._exit_code()  # before the tail: what the process wrote before it ended is then there to read
        self._escalate(code)
        if self.outcome is not None:
            self.ended = code is not None
            return []
        events, self._offset = read_events(self.folder, self._offset, CHUNK)
        for index, event in enumerate(events):
            if isinstance(event, Done | Failed):
                self.outcome = event
                self._stop_time = time.monotonic()
                self._let_go()
                return events[: index + 1]
        if code is not None and not events:
            self.outcome = self._verdict(code)
            events = [self.outcome]
        return events

    def cancel(self) -> None:
        """Asks the job to stop at its next report; it is terminated and then killed when it does not."""
        self._cancelled = True
        self._stop_time = self._stop_time or time.monotonic()
        with filesystem_errors(self.folder):
            (self.folder / "cancel").touch()

    def kill(self) -> None:
        """Ends the process and its children at once."""
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def detach(self) -> None:
        """Lets go of the pipe: the child ends itself, unless it was started to keep running."""
        self._let_go()

    def log_tail(self, lines: int = 20) -> list[str]:
        """The last lines that the process printed, empty ones left out."""
        return log_tail(self.folder, lines)

    def _exit_code(self) -> int | None:
        """None while the process runs; of a process that is not our child the code is unknown and given as 0."""
        if self._process is not None:
            return self._process.poll()
        return None if lock_is_held(self.folder) else 0

    def _verdict(self, code: int) -> Failed:
        """What an end without an outcome means."""
        if self._cancelled:
            return Failed("Cancelled", "cancelled")
        words = self.log_tail(1)
        told = f"; its last words: {words[0][:200]}" if words else ""
        if self._process is None:
            return Failed(f"the job ended without a result{told}", "internal")
        return Failed(f"the backend ended unexpectedly ({describe_exit(code)}){told}", "internal")

    def _escalate(self, code: int | None) -> None:
        """Terminates, then kills a process that should have ended."""
        if code is not None or self._stop_time is None:
            return
        while self._signals and time.monotonic() - self._stop_time > self._signals[-1][0]:
            self._signal(self._signals.pop()[1])

    def _let_go(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _signal(self, number: int) -> None:
        """Sends a signal to the process and everything it has started."""
        target = self.process_id
        if target is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if sys.platform == "win32":
                kill_tree_on_windows(target)
            elif os.getpgid(target) == target:
                os.killpg(target, number)
            else:
                os.kill(target, number)


def spawn(
    words: Sequence[str],
    folder: Path,
    log: IO[bytes],
    environment: Mapping[str, str] | None = None,
    keep_running: bool = False,
    output: IO[bytes] | int | None = None,
) -> "subprocess.Popen[bytes]":
    """Starts a process of its own group in `folder`, without a window; what it prints goes to `log`.

    With `output` (a file or `subprocess.PIPE`) that gets its stdout, and the log only stderr.
    """
    variables = {name: value for name, value in os.environ.items() if name not in FOREIGN_VARIABLES}
    variables |= {"PYTHONUTF8": "1", "PYTHONNOUSERSITE": "1", **(environment or {})}
    variables |= {} if keep_running else {WATCH_STDIN: "1"}
    try:
        return subprocess.Popen(
            words,
            cwd=folder,
            env=variables,
            stdin=subprocess.DEVNULL if keep_running else subprocess.PIPE,
            stdout=log if output is None else output,
            stderr=log,
            start_new_session=sys.platform != "win32",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise SparkError(f"{words[0]}: cannot be started ({reason}); choose another backend environment") from error


def describe_exit(code: int) -> str:
    """An exit code in words; a negative one is a POSIX signal."""
    if code == -9:
        return "killed; the system does so when memory runs out, so close other programs and try again"
    if code < 0:
        names = {number.value: number.name for number in signal.Signals}
        return f"stopped by {names.get(-code, f'signal {-code}')}"
    return f"exit code {code}"


def kill_tree_on_windows(process_id: int) -> None:
    """Windows has no process groups to signal; its own tool ends a process with all it has started."""
    subprocess.Popen(
        ("taskkill", "/F", "/T", "/PID", str(process_id)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )


def log_tail(folder: Path, lines: int = 20) -> list[str]:
    """The last lines of a job's log.txt, empty ones left out."""
    path = folder / "log.txt"
    if not path.exists():
        return []
    with filesystem_errors(path), open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 4 * CHUNK))
        text = file.read().decode("utf-8", "replace")
    return [line.strip() for line in text.splitlines() if line.strip()][-lines:]


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Marks the job of `folder` as running in this process, until the block or the process ends, however it ends."""
    path = folder / "process"
    with filesystem_errors(path):
        file = open(path, "a+b")  # noqa: SIM115 (closed below; "w" would truncate before the lock is ours)
    with file:
        deadline = time.monotonic() + 1.0
        while not try_lock(file):  # someone who only looks holds the lock for a moment
            if time.monotonic() > deadline:
                raise SparkError(f"{folder}: this job is running already; cancel it first")
            time.sleep(0.02)
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
        file.flush()
        yield


def lock_is_held(folder: Path) -> bool:
    """Whether some process works on the job of `folder` now."""
    path = folder / "process"
    if not path.exists():
        return False
    with filesystem_errors(path), open(path, "r+b") as file:
        return not try_lock(file, only_looking=True)


def holder(folder: Path) -> int | None:
    """The number of the process that works on the job of `folder`; None when none does."""
    if not lock_is_held(folder):
        return None
    text = (folder / "process").read_text(encoding="ascii", errors="replace").strip()
    return int(text) if text.isdigit() else None


def running_jobs(folder: Path) -> list[Path]:
    """The job folders right below `folder` on which some process works now, oldest name first."""
    if not folder.is_dir():
        return []
    return sorted(path.parent for path in folder.glob("*/process") if lock_is_held(path.parent))


def try_lock(file: IO[bytes], only_looking: bool = False) -> bool:
    """Locks an open file until it is closed; False when another process has it. Lookers do not hinder each other."""
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(LOCKED_BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, (fcntl.LOCK_SH if only_looking else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
