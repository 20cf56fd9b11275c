"""The live backend from the launcher's side: started, listened to, told what to do, never waited for.

One thread reads the child's stdout and the shared picture; it touches nothing but plain Python and numpy. `poll` only
takes what lies ready. The child ends when its stdin closes, which the end of this process does in every case.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .errors import SparkError
from .launch import describe_exit, kill_tree_on_windows, log_tail, spawn
from .live import LiveFrame, LiveRecord, LiveStatus, RecordStream
from .live_commands import LiveCommand, Stop, encode_command
from .live_picture import PictureMemory, make_picture_memory
from .storage import filesystem_errors

CHUNK = 1 << 16
GRACE = 3.0
"""Seconds that the child has to end after it was told to."""


class LiveProcess:
    """A running `spark live --records`."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path, memory: PictureMemory) -> None:
        self.folder = folder
        self.ended = False
        """The process is gone and its last words have been given."""
        self._process, self._memory = process, memory
        self._stream = RecordStream()
        self._frame: LiveFrame | None = None
        self._picture: np.ndarray | None = None
        self._told: deque[LiveRecord] = deque()
        self._stop_time: float | None = None
        self._reader = threading.Thread(target=self._listen, name="spark-live-reader", daemon=True)
        self._reader.start()

    @classmethod
    def start(cls, command: Sequence[str], folder: Path, options: Sequence[str]) -> "LiveProcess":
        """Runs `command + ["live", *options]`; its log goes into `folder`, which is made."""
        with filesystem_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            log = open(folder / "log.txt", "wb")  # noqa: SIM115 (the child goes on writing to it)
        memory = make_picture_memory()
        words = [*command, "live", *options, "--records", "--picture-memory", memory.name]
        try:
            with log:
                process = spawn(words, folder, log, output=subprocess.PIPE)
        except SparkError:
            memory.close()
            raise
        return cls(process, folder, memory)

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def malformed(self) -> int:
        """Bytes and records in the pipe that could not be read."""
        return self._stream.skipped

    def poll(self) -> tuple[LiveFrame | None, list[LiveRecord]]:
        """The newest frame, None when it was given already, and what has been told since the last call."""
        self._escalate()
        frame, self._frame = self._frame, None
        told = [self._told.popleft() for _ in range(len(self._told))]
        if not self.ended and not self._reader.is_alive() and not self._told and self._process.poll() is not None:
            self.ended = True
            told.append(self._last_words(self._process.returncode))
        return frame, told

    def picture(self) -> np.ndarray | None:
        """The newest picture (H, W, 3) uint8, None when it was given already."""
        picture, self._picture = self._picture, None
        return picture

    def send(self, command: LiveCommand) -> None:
        """Tells the child what to do; nothing happens when it has gone."""
        with contextlib.suppress(OSError, ValueError):
            self._process.stdin.write(encode_command(command))
            self._process.stdin.flush()

    def stop(self) -> None:
        """Asks the child to end, with its recording saved; it is killed when it does not."""
        if self._stop_time is None:
            self._stop_time = time.monotonic()
            self.send(Stop())
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def kill(self) -> None:
        """Ends the child, and everything that it has started, at once."""
        if self._process.poll() is not None:
            return
        if sys.platform == "win32":
            kill_tree_on_windows(self._process.pid)
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Lets go of the child, which ends by itself, and of the memory."""
        self.stop()
        if not self._reader.is_alive():
            self._memory.close()
        else:
            self._memory.forget_name()

    def _escalate(self) -> None:
        if self._stop_time is not None and time.monotonic() - self._stop_time > GRACE and self._process.poll() is None:
            self.kill()

    def _last_words(self, code: int) -> LiveStatus:
        """How it has ended, in words."""
        if self._stop_time is not None or code == 0:
            return LiveStatus("ended", "Stopped")
        words = log_tail(self.folder, 1)
        told = words[0][:200] if words else ""
        if code == 1 and told:
            return LiveStatus("ended", told, True)
        ending = f"The backend ended unexpectedly ({describe_exit(code)})"
        return LiveStatus("ended", f"{ending}: {told}" if told else ending, True)

    def _listen(self) -> None:
        """The reader's thread: to the end of the child's stdout."""
        descriptor = self._process.stdout.fileno()
        try:
            while data := os.read(descriptor, CHUNK):
                for record in self._stream.feed(data):
                    if isinstance(record, LiveFrame):
                        self._frame = record
                    else:
                        self._told.append(record)
                picture = self._memory.read()
                if picture is not None:
                    self._picture = picture
        finally:
            self._process.stdout.close()
            self._memory.close()
