"""C++ libraries write their start-up chatter straight to file descriptor 2; here it is kept from the user's eyes."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

STANDARD_ERROR = 2
lock = threading.Lock()
kept: list[int] = []
"""One copy of standard error for every block that runs; the first is the true one."""


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Sends what native code writes to standard error to nowhere, for as long as any such block runs in any thread.

    Python's own tracebacks come after the block and are seen. Keep it short, since other threads' messages are lost
    meanwhile.
    """
    with lock:
        silent = silence()
    try:
        yield
    finally:
        with lock:
            if silent:
                restore()


def silence() -> bool:
    """Puts nowhere in the place of standard error; False for a windowed program, which has none."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        copy = os.dup(STANDARD_ERROR)
    except OSError:
        return False
    kept.append(copy)
    if len(kept) == 1:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, STANDARD_ERROR)
        os.close(nowhere)
    return True


def restore() -> None:
    """Ends one block; the last one gives standard error back."""
    copy = kept.pop()
    if not kept:
        os.dup2(copy, STANDARD_ERROR)
    os.close(copy)
