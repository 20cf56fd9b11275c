"""Recording: armed, counted in, written as it happens, made a take at once."""

import contextlib
import queue
import re
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..protocol.errors import SparkError
from ..protocol.live import LiveFrame, LiveRecording
from ..protocol.live_commands import StartRecording
from ..protocol.live_recording import SUFFIX, RecordingHeader, RecordingWriter, finish_recording, free_path
from ..protocol.storage import filesystem_errors
from ..video.face import RGB

TIME_BASE = Fraction(1, 1000)
"""Matroska's own. A file that breaks off can be read up to there."""
WAITING = 60
"""Pictures that may wait for the encoder, one or two seconds; more are left out."""
TELL_INTERVAL = 0.5

Describe = Callable[[str, str], RecordingHeader]
"""Name and path of the video to the header of a recording."""


class VideoWriter:
    """H.264 in Matroska at the true times, encoded in a thread of its own."""

    def __init__(self, path: Path) -> None:
        self.path, self.lost = path, 0
        self.fault = ""
        self._queue: queue.Queue[tuple[float, RGB] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="spark-video", daemon=True)
        self._thread.start()

    def add(self, seconds: float, image: RGB) -> None:
        """Keeps a picture, or counts it as lost when the encoder cannot follow."""
        try:
            self._queue.put_nowait((seconds, image))
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Waits until all is written."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with filesystem_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._encode()
        except (SparkError, av.FFmpegError, OSError) as error:
            self.fault = f"{self.path}: the picture could not be recorded ({error}); the take is kept"
            while self._queue.get() is not None:
                continue

    def _encode(self) -> None:
        item = self._queue.get()
        if item is None:
            return
        height, width = (length // 2 * 2 for length in item[1].shape[:2])
        with av.open(str(self.path), "w", format="matroska", options={"cluster_time_limit": "500"}) as output:
            stream = output.add_stream("libx264", rate=30, options={"crf": "18", "preset": "ultrafast", "threads": "1"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = TIME_BASE
            while item is not None:
                seconds, image = item
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[:height, :width]), format="rgb24")
                frame.pts, frame.time_base = round(seconds / TIME_BASE), TIME_BASE
                output.mux(stream.encode(frame))
                item = self._queue.get()
            output.mux(stream.encode())


class Recorder:
    """At most one recording at a time."""

    def __init__(self, project: Path, describe: Describe, tell: Callable[[LiveRecording], None]) -> None:
        self.project, self.describe, self.tell = project, describe, tell
        self.wish: StartRecording | None = None
        self.due = self.told = 0.0
        self.writer: RecordingWriter | None = None
        self.video: VideoWriter | None = None
        self.first = 0.0
        self.name = ""

    @property
    def begun(self) -> bool:
        """Whether there is a frame in it."""
        return self.writer is not None and self.writer.count > 0

    def start(self, wish: StartRecording, now: float) -> None:
        """Arms; recording begins after the count-in."""
        if self.writer is None:
            self.wish, self.due, self.told = wish, now + max(wish.count_in, 0.0), -1.0
            self.tick(now)

    def tick(self, now: float) -> None:
        """Counts down, and begins when it is time."""
        if self.wish is None:
            return
        left = self.due - now
        if left <= 0:
            self._begin()
        elif np.ceil(left) != self.told:
            self.told = float(np.ceil(left))
            self.tell(LiveRecording("counting", self.wish.name, self.told))

    def add(self, frame: LiveFrame, image: RGB | None) -> None:
        """The next frame of the performance."""
        if self.writer is None:
            return
        if self.writer.count == 0:
            self.first = frame.pts
        self.writer.add(frame.pts, frame.valid, frame.confidence, frame.pose)
        if self.video is not None and image is not None:
            self.video.add(self.writer.last, image)
        if self.writer.last - self.told >= TELL_INTERVAL:
            self.told = self.writer.last
            self.tell(LiveRecording("recording", self.name, self.told))

    def stop(self) -> None:
        """Makes a take of what was recorded, or ends the countdown."""
        if self.wish is not None:
            self.tell(LiveRecording("failed", self.wish.name, message="The recording was called off"))
            self.wish = None
        if self.writer is None:
            return
        writer, video, self.writer, self.video = self.writer, self.video, None, None
        writer.close()
        faults = []
        if video is not None:
            video.close()
            faults += [video.fault] if video.fault else []
            faults += [f"{video.lost} pictures of the video are missing: the computer was too slow"] * (video.lost > 0)
        try:
            path = finish_recording(writer.path, writer.path.with_suffix(".npz"))
        except SparkError as error:
            with contextlib.suppress(OSError):
                writer.path.unlink()
            self.tell(LiveRecording("failed", self.name, message=str(error)))
            return
        kept = str(video.path) if video is not None and not video.fault else ""
        self.tell(LiveRecording("saved", self.name, writer.last, str(path), kept, " ".join(faults)))

    def _begin(self) -> None:
        """Opens the files."""
        wish, self.wish = self.wish, None
        takes = self.project / "takes"
        path = free_take(takes, take_name(wish.name))
        self.name = path.stem
        video = free_path(self.project / "recordings" / f"{self.name}.mkv") if wish.video else None
        try:
            self.writer = RecordingWriter(path, self.describe(self.name, str(video.absolute()) if video else ""))
        except SparkError as error:
            self.tell(LiveRecording("failed", self.name, message=str(error)))
            return
        self.video = VideoWriter(video) if video else None
        self.told = 0.0
        self.tell(LiveRecording("recording", self.name))


def take_name(text: str) -> str:
    """A take's name in characters that every system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "live"


def free_take(folder: Path, name: str) -> Path:
    """Path of a new recording under a name that no take has."""
    candidates = (name, *(f"{name}_{number}" for number in range(2, 10_000)))
    free = (c for c in candidates if not any((folder / f"{c}{suffix}").exists() for suffix in (".npz", SUFFIX)))
    return folder / f"{next(free)}{SUFFIX}"
