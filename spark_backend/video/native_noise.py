"""C++ libraries write their start-up chatter straight to file descriptor 2; here it is kept from the user's eyes."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

STANDARD_ERROR = 2
lock = threading.RLock()


@contextlib.contextmanager
def quiet_native_stderr() -> Iterator[None]:
    """Sends what native code writes to standard error to nowhere, for as long as the block runs.

    Python's own tracebacks come after the block and are seen. One block at a time; keep it short, since other
    threads' messages are lost meanwhile.
    """
    with lock:
        sys.stderr.flush()
        try:
            kept = os.dup(STANDARD_ERROR)
        except OSError:  # a windowed program without standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, STANDARD_ERROR)
            yield
        finally:
            os.dup2(kept, STANDARD_ERROR)
            os.close(nowhere)
            os.close(kept)
