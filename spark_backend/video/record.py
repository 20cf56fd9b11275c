"""What is kept of each frame while a video is read, on disk, so that memory does not grow with the video's length."""

import tempfile
from pathlib import Path
from typing import Self

import numpy as np

from ..protocol.project import FRAME_ARRAYS, Frames
from ..protocol.storage import filesystem_errors
from .follow import Observation

ROW = np.dtype(
    [
        ("pts", np.float64),
        ("valid", np.bool_),
        ("box", np.float32, (4,)),
        ("landmarks", np.float32, (478, 3)),
        ("scores", np.float32, (52,)),
        ("confidence", np.float32),
    ]
)


class Recorder:
    """Takes one row a frame and gives them back as arrays that lie on disk; they die with the recorder."""

    def __init__(self) -> None:
        self.file = tempfile.TemporaryFile(prefix="spark_frames_")  # noqa: SIM115 - closed in __exit__
        self.count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def add(self, pts: float, seen: Observation | None) -> None:
        """Writes the next frame; one without a face is NaN, with scores and confidence 0."""
        row = np.zeros((), ROW)
        row["pts"], row["box"], row["landmarks"] = pts, np.nan, np.nan
        if seen is not None:
            row["valid"], row["box"], row["landmarks"] = True, seen.face.box, seen.face.landmarks
            row["scores"], row["confidence"] = seen.face.scores, seen.confidence
        with filesystem_errors(Path(tempfile.gettempdir())):
            self.file.write(row.tobytes())
        self.count += 1

    def frames(self) -> Frames:
        """All rows so far, mapped from disk."""
        with filesystem_errors(Path(tempfile.gettempdir())):
            self.file.flush()
        rows = np.memmap(self.file, ROW, mode="r", shape=(self.count,))
        return Frames(**{name: rows[name] for name in FRAME_ARRAYS})
