"""A live recording while it goes on: one row a frame, appended, flushed every half second. See docs/formats/live.md.

A process that is killed loses nothing that it has written, a computer that loses power at most the last second.
`take_from_recording` makes a take of what is there, when the recording ends or at any time later, on either side.
"""

import json
import os
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .errors import SparkError
from .launch import try_lock
from .live import POSE_COLUMNS, POSE_SIZE, LivePose
from .names import ARKIT_52
from .storage import FORMAT_VERSION, check_version, filesystem_errors
from .take import Take, save_take
from .timeline import sign_continuous

SUFFIX = ".live"
ROW = np.dtype(
    [("pts", "<f8"), ("valid", "?"), ("confidence", "<f4"), ("pose", "<f4", (POSE_SIZE,)), ("end", "S1")], align=False
)
END = b"\n"
"""Last byte of every whole row."""
FLUSH_INTERVAL = 0.5
"""Seconds between two orders to the disk."""


@dataclass(frozen=True)
class RecordingHeader:
    """What is known when a recording begins."""

    name: str
    size: tuple[int, int]
    """Width and height of the picture."""
    focal: float
    """Pixels."""
    camera: str
    tracker: str
    calibrated: bool
    """Whether the head's pose is counted from a resting one; then the camera's picture does not lie behind it."""
    video: str = ""
    """Path of the recorded picture, when there is one."""
    sound: str = ""
    """Path of the recorded sound: the same when there is a picture too."""


class RecordingWriter:
    """Appends rows to a new file, which is locked as long as this is open."""

    def __init__(self, path: Path, header: RecordingHeader) -> None:
        self.path, self.header, self.count, self.last = path, header, 0, 0.0
        self._first: float | None = None
        with filesystem_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "xb", buffering=0)  # noqa: SIM115 (closed in `close`)
        try_lock(self._file)
        line = json.dumps({"format_version": FORMAT_VERSION, **asdict(header)})
        self._file.write(line.encode() + b"\n")
        self._ended = threading.Event()
        self._flusher = threading.Thread(target=self._flush, name="spark-recording", daemon=True)
        self._flusher.start()

    def add(self, pts: float, valid: bool, confidence: float, pose: LivePose) -> None:
        """Writes the next frame; the first one's time becomes 0. A time that is not after the last is left out."""
        self._first = pts if self._first is None else self._first
        seconds = pts - self._first
        if self.count and seconds <= self.last:
            return
        row = np.zeros((), ROW)
        row["pts"], row["valid"], row["confidence"], row["end"] = seconds, valid, confidence, END
        row["pose"] = pose.vector()
        with filesystem_errors(self.path):
            self._file.write(row.tobytes())
        self.count, self.last = self.count + 1, seconds

    def close(self) -> None:
        """No more rows."""
        self._ended.set()
        self._flusher.join()
        self._file.close()

    def _flush(self) -> None:
        while not self._ended.wait(FLUSH_INTERVAL):
            os.fsync(self._file.fileno())
        os.fsync(self._file.fileno())


def read_recording(path: Path) -> tuple[RecordingHeader, np.ndarray]:
    """The header and the whole rows (T,) of `ROW`; a row cut off at the end is left out."""
    with filesystem_errors(path):
        line, _, data = path.read_bytes().partition(b"\n")
    try:
        content = json.loads(line)
        check_version(path, content.pop("format_version", None))
        known = {name: content[name] for name in RecordingHeader.__dataclass_fields__ if name in content}
        header = RecordingHeader(**{**known, "size": tuple(known["size"])})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SparkError(f"{path}: not a recording that can be read; delete it") from error
    rows = np.frombuffer(data[: len(data) // ROW.itemsize * ROW.itemsize], ROW)
    return header, rows[: first_damage(rows)]


def first_damage(rows: np.ndarray) -> int:
    """How many rows are whole, from the start: after a loss of power the end of a file may hold zeros."""
    good = (rows["end"] == END) & np.isfinite(rows["pose"]).all(axis=1)
    good[1:] &= np.diff(rows["pts"]) > 0
    return len(rows) if good.all() else int(np.argmin(good))


def take_from_recording(path: Path) -> Take:
    """The recording as a take; `SparkError` when it holds no frame with a face."""
    header, rows = read_recording(path)
    if not rows["valid"].any():
        raise SparkError(f"{header.name}: no face was seen during the recording; nothing is kept")
    pose = {name: rows["pose"][:, columns].astype(float) for name, columns in POSE_COLUMNS.items()}
    for name, values in pose.items():
        if name not in ("weights", "head_translation"):
            pose[name] = sign_continuous(values / np.linalg.norm(values, axis=1, keepdims=True))
    width, height = header.size
    source = {"tracker": header.tracker, "camera": header.camera, "live": True, "calibrated": header.calibrated}
    if header.video and Path(header.video).is_file():
        source |= {"video": header.video} if header.calibrated else {"video": header.video, "path": header.video}
    if header.sound and Path(header.sound).is_file():
        source["sound"] = header.sound
    return Take(
        pts=rows["pts"].copy(),
        names=ARKIT_52,
        K=np.array([[header.focal, 0, width / 2], [0, header.focal, height / 2], [0, 0, 1.0]]),
        size=np.array(header.size),
        confidence=np.where(rows["valid"], rows["confidence"], 0.0).astype(float),
        valid=rows["valid"].copy(),
        source=source,
        **pose,
    )


def finish_recording(path: Path, take_path: Path) -> Path:
    """Writes the take of a recording and removes the recording; gives the take's path."""
    take = take_from_recording(path)
    save_take(take_path, take)
    path.unlink()
    return take_path


def unfinished_recordings(folder: Path) -> list[Path]:
    """Recordings in a project's folder of takes on which no process works any more."""
    found = []
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        with filesystem_errors(path), open(path, "r+b") as file:
            if try_lock(file):
                found.append(path)
    return found


def recover_recordings(folder: Path) -> tuple[list[Path], list[str]]:
    """Makes takes of the recordings that a crash has left; gives their paths and a sentence for each that is lost."""
    takes, faults = [], []
    for path in unfinished_recordings(folder):
        try:
            takes.append(finish_recording(path, free_path(path.with_suffix(".npz"))))
        except SparkError as error:
            faults.append(str(error))
            path.rename(path.with_suffix(".damaged"))
    return takes, faults


def free_path(path: Path) -> Path:
    """The path, or one with a number when something is there already."""
    candidates = (path, *(path.with_stem(f"{path.stem}_{number}") for number in range(2, 10_000)))
    return next(candidate for candidate in candidates if not candidate.exists())
