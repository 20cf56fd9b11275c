"""Reading and writing files: whole or not at all, no pickles, versions checked, faults in one sentence."""

import contextlib
import errno
import json
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from .errors import SparkError

FORMAT_VERSION = 1


@contextlib.contextmanager
def filesystem_errors(path: Path) -> Iterator[None]:
    """Turns the operating system's refusals (no permission, full disk, missing folder) into a `SparkError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise SparkError(f"{error.filename or path}: no such file or folder; check the path") from error
    except (PermissionError, NotADirectoryError, IsADirectoryError, FileExistsError) as error:
        raise SparkError(f"{path}: cannot be written or read; choose a folder you have write permission for") from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise SparkError(f"{path}: the disk is full; free some space and run the command again") from error
        if error.errno == errno.EROFS:
            raise SparkError(f"{path}: the disk is read-only; choose another folder") from error
        raise


def write_atomic(path: Path, write: Callable[[IO[bytes]], Any]) -> None:
    """Calls `write(file)` on a temporary neighbour of `path`, then moves it into place; nothing is left on failure."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with filesystem_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes `content` with the format's version in front."""
    text = json.dumps({"format_version": FORMAT_VERSION, **content}, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path, lambda file: file.write(text.encode()))


def read_json(path: Path) -> dict[str, Any]:
    """The file's content, its version checked and taken out."""
    with filesystem_errors(path):
        data = path.read_bytes()
    try:
        content = json.loads(data)
    except ValueError as error:
        raise SparkError(f"{path}: not a readable JSON file; restore it from a backup or make it again") from error
    if not isinstance(content, dict):
        raise SparkError(f"{path}: not a file of this program")
    check_version(path, content.pop("format_version", None))
    return content


def write_npz(path: Path, arrays: Mapping[str, Any]) -> None:
    """Writes arrays compressed, with the format's version among them."""
    for name, value in arrays.items():
        if np.asarray(value).dtype.hasobject:
            raise TypeError(f"{name} would need a pickle")
    write_atomic(path, lambda file: np.savez_compressed(file, format_version=FORMAT_VERSION, **arrays))


def read_npz(path: Path, required: tuple[str, ...] = (), only: tuple[str, ...] | None = None) -> dict[str, np.ndarray]:
    """All arrays of a file, or `only` those named that it has; its version is checked and taken out.

    Missing `required` names are a `SparkError`.
    """
    with filesystem_errors(path):
        try:
            with np.load(path, allow_pickle=False) as file:
                content = {name: file[name] for name in file.files if only is None or name in only}
        except (ValueError, zipfile.BadZipFile, EOFError) as error:
            raise SparkError(f"{path}: damaged or not a file of this program; make it again") from error
    check_version(path, content.pop("format_version", None))
    missing = [name for name in required if name not in content]
    if missing:
        raise SparkError(f"{path}: has no {', '.join(missing)}; make it again")
    return content


def check_version(path: Path, version: Any) -> None:
    """Refuses a file that is not ours or that a newer release has written."""
    if version is None:
        raise SparkError(f"{path}: has no format version, so it is not a file of this program")
    if int(version) > FORMAT_VERSION:
        raise SparkError(f"{path}: written by a newer version (format {int(version)}); update SPARK to open it")
