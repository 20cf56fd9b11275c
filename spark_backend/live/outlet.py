"""The way out to Blender: a thread that writes records, the newest frame only, and the small picture with landmarks.

When nobody reads, the pipe is full and the thread waits; tracking and recording go on.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float

from ..protocol.live import LiveFrame, LiveRecord, encode_record
from ..protocol.live_picture import PictureMemory
from ..video.face import RGB

PICTURE_SIZE = 320
"""Pixels of the longer side of the picture that is handed over."""
PICTURE_INTERVAL = 1 / 31
MARK = (80, 255, 120)


class RecordOutlet:
    """Writes records without making anyone wait."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        """`write` sends bytes off, all of them; from a thread of its own."""
        self._write = write
        self._condition = threading.Condition()
        self._frame: LiveFrame | None = None
        self._told: deque[LiveRecord] = deque()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="spark-outlet", daemon=True)
        self._thread.start()

    def __call__(self, record: LiveRecord) -> None:
        """Hands over a record; a frame takes the place of one that was not written yet."""
        with self._condition:
            if isinstance(record, LiveFrame):
                self._frame = record
            else:
                self._told.append(record)
            self._condition.notify()

    def close(self, patience: float = 1.0) -> None:
        """Waits a moment for what is left to be written."""
        with self._condition:
            self._ended = True
            self._condition.notify()
        self._thread.join(patience)

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._ended or self._frame is not None or self._told)
                records = [*self._told, *([self._frame] if self._frame is not None else [])]
                self._told.clear()
                self._frame = None
                if not records:
                    return
            try:
                self._write(b"".join(map(encode_record, records)))
            except OSError:  # the reader has gone; stdin tells the rest
                return


class PictureOutlet:
    """Shows the camera's picture, small, with the landmarks on it."""

    def __init__(self, memory: PictureMemory) -> None:
        self.memory, self.next = memory, 0.0

    def __call__(self, image: RGB, landmarks: Float[np.ndarray, "478 2"] | None) -> None:
        """At most 30 times a second."""
        now = time.perf_counter()
        if now < self.next:
            return
        self.next = now + PICTURE_INTERVAL
        self.memory.write(small_picture(image, landmarks))


def small_picture(image: RGB, landmarks: Float[np.ndarray, "478 2"] | None) -> RGB:
    """The picture at `PICTURE_SIZE` with a dot at each landmark."""
    height, width = image.shape[:2]
    scale = min(PICTURE_SIZE / max(height, width), 1.0)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    if landmarks is not None:
        x, y = np.floor(landmarks.T * scale).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < size[0]) & (y < size[1])
        small[y[inside], x[inside]] = MARK
    return small
