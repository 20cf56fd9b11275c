"""Running one program, line by line, so that it can be stopped at any moment."""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.launch import FOREIGN_VARIABLES

BEAT = 0.1
"""Seconds between two looks at whether to stop."""
KEPT_LINES = 60


def variables() -> dict[str, str]:
    """The environment variables of the program: without those that lead Python or pip elsewhere than told."""
    hidden = (*FOREIGN_VARIABLES, "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER", "PIP_REQUIRE_VIRTUALENV")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return kept | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}


def run(
    words: Sequence[str], folder: Path, on_line: Callable[[str], None], on_beat: Callable[[], None]
) -> tuple[int, list[str]]:
    """Runs a program in `folder`. Gives its exit code and its last lines.

    `on_line` gets every line, `on_beat` is called ten times a second; what either raises ends the program.
    """
    try:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env=variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
    except OSError as error:
        raise SparkError(f"{words[0]}: cannot be started ({error.strerror}); choose another Python") from error
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=read_lines, args=(process, lines), daemon=True).start()
    last: deque[str] = deque(maxlen=KEPT_LINES)
    try:
        while (line := next_line(lines, on_beat)) is not None:
            last.append(line)
            on_line(line)
        return process.wait(), list(last)
    except BaseException:
        end_tree(process)
        raise


def read_lines(process: "subprocess.Popen[bytes]", lines: "queue.SimpleQueue[str | None]") -> None:
    """Passes on what the program prints; None at its end."""
    for line in process.stdout or ():
        lines.put(line.decode("utf-8", "replace").rstrip())
    lines.put(None)


def next_line(lines: "queue.SimpleQueue[str | None]", on_beat: Callable[[], None]) -> str | None:
    """Waits for a line, with a beat before each wait."""
    while True:
        on_beat()
        with contextlib.suppress(queue.Empty):
            return lines.get(timeout=BEAT)


def end_tree(process: "subprocess.Popen[bytes]") -> None:
    """Ends a program with what it has started. A job leads a process group of its own, in which all of these are."""
    if sys.platform == "win32":
        words = ("taskkill", "/F", "/T", "/PID", str(process.pid))
        subprocess.run(words, capture_output=True, creationflags=subprocess.CREATE_NO_WINDOW, check=False)
    elif os.getpgrp() == os.getpid() and threading.current_thread() is threading.main_thread():
        before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)
        signal.signal(signal.SIGTERM, before)
    process.kill()
    process.wait()
