"""Picture and sound of a recording, in Matroska at their true times. A file that breaks off can be read up to there."""

import queue
import threading
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from jaxtyping import Int16

from ..protocol.errors import SparkError
from ..protocol.storage import filesystem_errors
from ..video.face import RGB

TIME_BASE = Fraction(1, 1000)
"""Matroska's own."""
WAITING = 60
"""Pictures that may wait for the encoder, one or two seconds; more are left out."""
OUT_OF_STEP = 0.05
"""Seconds by which the sound's own clock may differ from the picture's before samples are put in or left out."""
DEAF = 2.0
"""Seconds without sound at the end that are worth a word."""
# At most half a second is kept back: in a cluster, and of one stream while the other gives nothing.
CONTAINER = {"cluster_time_limit": "500", "max_interleave_delta": "500000", "flush_packets": "1"}

Samples = Int16[np.ndarray, "N"]


class MediaWriter:
    """H.264 and uncompressed sound, written by a thread of its own. Seconds count from the recording's first frame."""

    def __init__(self, path: Path, *, picture: bool, sound_rate: int | None) -> None:
        """`sound_rate` is samples a second; None for no sound. Both may be wanted, or either."""
        self.path, self.picture, self.sound_rate = path, picture, sound_rate
        self.lost = 0
        self.fault = ""
        self.last = self.heard = 0.0
        """Seconds of the newest picture, and of the end of the newest sound."""
        self._room = threading.Semaphore(WAITING)
        self._queue: queue.SimpleQueue[tuple[float, np.ndarray] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="spark-media", daemon=True)
        self._thread.start()

    def add(self, seconds: float, image: RGB | None) -> None:
        """Keeps a frame's picture where one is wanted, or counts it as lost when the encoder cannot follow."""
        self.last = seconds
        if not self.picture or image is None:
            return
        if self._room.acquire(blocking=False):
            self._queue.put((seconds, image))
        else:
            self.lost += 1

    def add_sound(self, seconds: float, samples: Samples) -> None:
        """Keeps a block of sound whose first sample was heard then; what was heard before the start is left out."""
        early = min(max(round(-seconds * self.sound_rate), 0), len(samples))
        if early < len(samples):
            self.heard = seconds + len(samples) / self.sound_rate
            self._queue.put((max(seconds, 0.0), samples[early:]))

    def close(self) -> list[str]:
        """Waits until all is written; gives what the user should know."""
        self._queue.put(None)
        self._thread.join()
        told = [self.fault] if self.fault else []
        if self.lost:
            told.append(f"{self.lost} pictures of the video are missing: the computer was too slow")
        if self.sound_rate is not None and self.last - self.heard > DEAF:
            told.append(f"The sound ends after {self.heard:.0f} s; was the microphone unplugged?")
        return told

    def _run(self) -> None:
        try:
            with filesystem_errors(self.path):
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._write()
        except (SparkError, av.FFmpegError, OSError) as error:
            self.fault = f"{self.path}: picture and sound could not be recorded ({error}); the take is kept"
            while self._queue.get() is not None:
                continue

    def _write(self) -> None:
        early = []  # the header has the picture's size, so sound waits for it
        item = self._queue.get()
        while item is not None and self.picture and item[1].ndim == 1:
            early.append(item)
            item = self._queue.get()
        if item is None:
            return
        with av.open(str(self.path), "w", format="matroska", options=CONTAINER) as output:
            tracks = Tracks(output, item[1].shape if self.picture else None, self.sound_rate)
            for waited in early:
                tracks.write_sound(*waited)
            while item is not None:
                seconds, content = item
                if content.ndim == 1:
                    tracks.write_sound(seconds, content)
                else:
                    tracks.write_picture(seconds, content)
                    self._room.release()
                item = self._queue.get()
            tracks.finish()


class Tracks:
    """The streams of a file that is being written."""

    def __init__(self, output: OutputContainer, shape: tuple[int, ...] | None, rate: int | None) -> None:
        self.output, self.picture, self.sound = output, None, None
        if shape is not None:
            self.height, self.width = (length // 2 * 2 for length in shape[:2])
            options = {"crf": "18", "preset": "ultrafast", "threads": "1"}
            self.picture = output.add_stream("libx264", rate=30, options=options)
            self.picture.width, self.picture.height, self.picture.pix_fmt = self.width, self.height, "yuv420p"
            self.picture.codec_context.time_base = TIME_BASE
        if rate is not None:
            self.sound, self.rate, self.written = output.add_stream("pcm_s16le", rate=rate, layout="mono"), rate, 0

    def write_picture(self, seconds: float, image: RGB) -> None:
        """Appends a picture."""
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image[: self.height, : self.width]), format="rgb24")
        frame.pts, frame.time_base = round(seconds / TIME_BASE), TIME_BASE
        self.output.mux(self.picture.encode(frame))

    def write_sound(self, seconds: float, samples: Samples) -> None:
        """Appends sound. Where the sound card's clock has drifted away, or sound is missing, silence fills the gap."""
        ahead = round(seconds * self.rate) - self.written
        if ahead > OUT_OF_STEP * self.rate or self.written == 0:
            samples = np.concatenate([np.zeros(max(ahead, 0), np.int16), samples])
        elif ahead < -OUT_OF_STEP * self.rate:
            samples = samples[-ahead:]
        if len(samples) == 0:
            return
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self.rate, self.written, Fraction(1, self.rate)
        self.written += len(samples)
        self.output.mux(self.sound.encode(frame))

    def finish(self) -> None:
        """Writes what the encoders have kept back."""
        for stream in (self.picture, self.sound):
            if stream is not None:
                self.output.mux(stream.encode())
