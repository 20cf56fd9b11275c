"""The camera's picture from the backend to Blender through shared memory. See docs/formats/live.md.

Two slots: the writer fills the one that is not shown and then shows it, so a reader has a whole frame's time to copy.
Sequence numbers say whether a slot was written meanwhile, and a checksum proves that the copy is whole on processors
that reorder stores too. Nothing is ever waited for.

Not `multiprocessing.shared_memory`: before Python 3.13 it starts a tracker process inside Blender, which removes
segments of others when it ends. Here Blender makes the memory, and the backend takes its name away as soon as it has it
open. From then on it goes with the last of the two processes, however that ends.
"""

import contextlib
import mmap
import os
import secrets
import struct
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from .errors import SparkError
from .storage import filesystem_errors

LARGEST = (640, 480)
"""Width and height of the largest picture that is handed over; larger ones are made smaller by the writer."""
HEAD = struct.Struct("<4sI")
"""Mark, and the slot that is shown."""
SLOT = struct.Struct("<QIIIIQ")
"""Sequence before, width, height, checksum, nothing, sequence after."""
MARK = b"SPPM"
PREFIX = "spark-picture-"
STALE = 60.0
"""Seconds after which a backend has opened its memory, or never will."""
SLOT_SIZE = SLOT.size + LARGEST[0] * LARGEST[1] * 3
SIZE = 64 + 2 * SLOT_SIZE


class PictureMemory:
    """One end of the shared memory; `make_picture_memory` and `open_picture_memory` give it."""

    def __init__(self, name: str, memory: mmap.mmap, path: Path | None) -> None:
        self.name = name
        self._memory, self._path = memory, path
        self._written, self._read = 0, 0

    def write(self, picture: np.ndarray) -> None:
        """Shows a picture (H, W, 3) uint8 of at most `LARGEST`; readers get it from now on."""
        height, width = picture.shape[:2]
        if width > LARGEST[0] or height > LARGEST[1]:
            raise ValueError(f"{width} x {height} does not fit into {LARGEST}")
        content = np.ascontiguousarray(picture).tobytes()
        self._written += 1
        slot = self._written % 2
        start = 64 + slot * SLOT_SIZE
        body = start + SLOT.size
        # The first number says "being written" to everyone who looks in between.
        struct.pack_into("<Q", self._memory, start, self._written)
        self._memory[body : body + len(content)] = content
        SLOT.pack_into(self._memory, start, self._written, width, height, zlib.crc32(content), 0, self._written)
        HEAD.pack_into(self._memory, 0, MARK, slot)

    def read(self) -> np.ndarray | None:
        """The newest picture (H, W, 3) uint8; None when there is none, no newer one, or it is being replaced."""
        mark, slot = HEAD.unpack_from(self._memory)
        if mark != MARK or slot > 1:
            return None
        start = 64 + slot * SLOT_SIZE
        before, width, height, checksum, _, after = SLOT.unpack_from(self._memory, start)
        if before != after or before == self._read or width > LARGEST[0] or height > LARGEST[1]:
            return None
        body = start + SLOT.size
        content = self._memory[body : body + width * height * 3]
        again, *_ = SLOT.unpack_from(self._memory, start)
        if again != before or zlib.crc32(content) != checksum:
            return None
        self._read = before
        return np.frombuffer(content, np.uint8).reshape(height, width, 3)

    def forget_name(self) -> None:
        """Nobody else can open it any more, and nothing stays when both ends have gone."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Lets go of the memory."""
        self.forget_name()
        self._memory.close()


def make_picture_memory() -> PictureMemory:
    """New memory, for the process that reads."""
    name = f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}"
    if sys.platform == "win32":  # a named mapping, which Windows drops with its last handle
        return PictureMemory(name, mmap.mmap(-1, SIZE, tagname=name), None)
    sweep(memory_folder())
    path = memory_folder() / name
    with filesystem_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.ftruncate(descriptor, SIZE)
            return PictureMemory(name, mmap.mmap(descriptor, SIZE), path)
        finally:
            os.close(descriptor)


def open_picture_memory(name: str) -> PictureMemory:
    """The memory of that name, for the process that writes; the name is gone from then on."""
    if Path(name).name != name or not name.startswith(PREFIX):
        raise SparkError(f"{name}: not the name of a picture memory; leave the option out")
    if sys.platform == "win32":
        return PictureMemory(name, mmap.mmap(-1, SIZE, tagname=name), None)
    path = memory_folder() / name
    with filesystem_errors(path):
        descriptor = os.open(path, os.O_RDWR)
        try:
            memory = PictureMemory(name, mmap.mmap(descriptor, SIZE), path)
        finally:
            os.close(descriptor)
    memory.forget_name()
    return memory


def sweep(folder: Path) -> None:
    """Removes what two processes have left that were both killed before the second one had the memory open."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, or gone meanwhile
            if time.time() - path.stat().st_mtime > STALE:
                path.unlink()


def memory_folder() -> Path:
    """Where files lie in memory, on Linux; elsewhere the folder for temporary files, which the system caches."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) else Path(tempfile.gettempdir())
