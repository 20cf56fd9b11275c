"""Pictures of a webcam, a network camera or a file, the newest one first; what is wrong with a camera, in words."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar, runtime_checkable

import cv2

from ..protocol.errors import SparkError
from ..protocol.livelink import LiveLinkPacket
from ..video.decode import read_frames
from ..video.face import RGB
from .devices import find_camera, list_cameras, why_not

TIMEOUT = 3.0
"""Seconds after which a network camera that does not answer has failed."""
RETRY = 1.0
"""Seconds between two attempts at a camera that has gone."""
DAMAGED = 30
"""Pictures in a row that may be damaged before the camera has failed."""
LET_GO = 0.5
"""Seconds that a camera has to be let go of at the end; one that hangs goes with the process."""


@dataclass(frozen=True)
class Shot:
    """One moment of a camera."""

    content: RGB | LiveLinkPacket | None
    """The picture; of a phone that tracks by itself what it has sent, None when it sees no face."""
    pts: float
    """Seconds since the start; of a file its own time."""
    arrived: float
    """`time.perf_counter()` at which the camera had given it, before it is decoded."""
    malformed: int = 0
    """Packets before it that were none and were passed over."""


@runtime_checkable
class Source(Protocol):
    """What gives pictures. `read` waits for the next; None at the end of a file."""

    def read(self) -> Shot | None:
        """The next picture; `SparkError` when the camera gives none any more."""

    def close(self) -> None:
        """Lets go of the camera."""


def open_source(name: str, size: tuple[int, int], rate: float, started: float) -> Source:
    """The camera that is meant: its number, its name, an address with `://`, or a file. Times count from `started`."""
    if name.strip().isdigit():
        return Webcam(int(name), size, rate, started)
    if "://" in name:
        return NetworkCamera(name, started)
    if is_file(name):
        return FileCamera(Path(name), started)
    device = find_camera(name, list_cameras())
    return Webcam(device.number, size, rate, started, device.name)


def is_file(name: str) -> bool:
    """Whether it names a video rather than a camera."""
    return Path(name).is_file() or (Path(name).suffix != "" and len(Path(name).parts) > 1)


class Capture:
    """An OpenCV capture whose pictures are stamped when they arrive."""

    def __init__(self, capture: cv2.VideoCapture, what: str, started: float) -> None:
        self.capture, self.what, self.started = capture, what, started

    def read(self) -> Shot:
        """See `Source`. A damaged picture, as a loose cable gives now and then, is passed over."""
        for _ in range(DAMAGED):
            if not self.capture.grab():
                break
            arrived = time.perf_counter()
            there, image = self.capture.retrieve()
            if there and image is not None:
                return Shot(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), arrived - self.started, arrived)
        raise SparkError(f"{self.what}: gives no picture any more; was it unplugged? Trying again")

    def close(self) -> None:
        """See `Source`."""
        self.capture.release()


class Webcam(Capture):
    """A camera of this computer."""

    def __init__(self, number: int, size: tuple[int, int], rate: float, started: float, name: str = "") -> None:
        name = name or f"camera {number}"
        capture = cv2.VideoCapture(number)
        if not capture.isOpened():
            raise SparkError(f"{name}: {why_not(number)}")
        # MJPG: uncompressed, most webcams give 30 pictures of 640 x 480 a second and fewer of larger ones.
        settings = (
            (cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG")),
            (cv2.CAP_PROP_FRAME_WIDTH, size[0]),
            (cv2.CAP_PROP_FRAME_HEIGHT, size[1]),
            (cv2.CAP_PROP_FPS, rate),
            (cv2.CAP_PROP_BUFFERSIZE, 1),
        )
        for setting, value in settings:
            capture.set(setting, value)
        if not capture.grab():
            capture.release()
            raise SparkError(f"{name}: is there but gives no picture; close the program that uses it")
        super().__init__(capture, name, started)


class NetworkCamera(Capture):
    """A camera with an address, by way of FFmpeg."""

    def __init__(self, address: str, started: float) -> None:
        wait = int(1000 * TIMEOUT)
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, wait, cv2.CAP_PROP_READ_TIMEOUT_MSEC, wait]
        capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
        if not capture.isOpened():
            raise SparkError(f"{address}: no camera answers there; check the address and the network")
        super().__init__(capture, address, started)


class FileCamera:
    """A video that plays at its own pace, once."""

    def __init__(self, path: Path, started: float) -> None:
        self.frames = read_frames(path, lambda message: None)
        self.first = next(self.frames, None)
        self.begun = time.perf_counter()
        self.started = started

    def read(self) -> Shot | None:
        """See `Source`."""
        frame, self.first = self.first or next(self.frames, None), None
        if frame is None:
            return None
        time.sleep(max(0.0, self.begun + frame.pts - time.perf_counter()))
        return Shot(frame.image, frame.pts, time.perf_counter())

    def close(self) -> None:
        """See `Source`."""
        self.frames.close()


Item = TypeVar("Item")


class Newest(Generic[Item]):
    """Hands things from one thread to another; one that is not taken before the next comes is dropped."""

    def __init__(self) -> None:
        self.condition = threading.Condition()
        self.item: Item | None = None
        self.dropped = 0

    def put(self, item: Item) -> None:
        """Replaces what is waiting."""
        with self.condition:
            self.dropped += self.item is not None
            self.item = item
            self.condition.notify()

    def take(self, timeout: float) -> Item | None:
        """The newest; None when none comes within `timeout` seconds."""
        with self.condition:
            self.condition.wait_for(lambda: self.item is not None, timeout)
            item, self.item = self.item, None
            return item


class CameraThread:
    """Captures in a thread of its own, so that the camera's queue never grows, and opens a lost camera again."""

    def __init__(self, open_camera: Callable[[], Source], say: Callable[[str], None]) -> None:
        """`say` gets a sentence when the camera is lost, an empty text when it is back; from the camera's thread."""
        self.newest: Newest[Shot] = Newest()
        self.malformed = 0
        """Packets so far that were none."""
        self.over = threading.Event()
        """The file has come to its end."""
        self._open, self._say = open_camera, say
        self._stop, self._again = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="spark-camera", daemon=True)

    def start(self) -> None:
        """Begins to capture."""
        self._thread.start()

    def restart(self) -> None:
        """Opens the camera anew."""
        self.over.clear()
        self._again.set()

    def stop(self) -> None:
        """Ends; waits a moment for the camera to be let go of."""
        self._stop.set()
        self._again.set()
        self._thread.join(LET_GO)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._again.clear()
            try:
                source = self._open()
            except SparkError as error:
                self._say(str(error))
                self._again.wait(RETRY)
                continue
            try:
                self._capture(source)
            except SparkError as error:
                self._say(str(error))
            finally:
                source.close()

    def _capture(self, source: Source) -> None:
        seen = False
        while not self._again.is_set():
            shot = source.read()
            if shot is None:
                self.over.set()
                self._again.wait()
                return
            if not seen:  # a camera that can be opened may still give nothing
                self._say("")
                seen = True
            self.malformed += shot.malformed
            self.newest.put(shot)
