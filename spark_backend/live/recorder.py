"""Recording: armed, counted in, written as it happens, made a take at once."""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..protocol.errors import SparkError
from ..protocol.live import LiveFrame, LiveRecording
from ..protocol.live_commands import StartRecording
from ..protocol.live_recording import SUFFIX, RecordingHeader, RecordingWriter, finish_recording, free_path
from .camera import Shot
from .media import MediaWriter
from .sound import Hear, Microphone

TELL_INTERVAL = 0.5

Describe = Callable[[str, str, str], RecordingHeader]
"""Name, path of the video and of the sound to the header of a recording."""


class Recorder:
    """At most one recording at a time."""

    def __init__(
        self,
        project: Path,
        describe: Describe,
        tell: Callable[[LiveRecording], None],
        *,
        films: bool = True,
        listen: Callable[[Hear], Microphone] = Microphone,
    ) -> None:
        """`films`: whether there are pictures. `listen` opens the microphone when a recording with sound is armed."""
        self.project, self.describe, self.tell, self.films, self.listen = project, describe, tell, films, listen
        self.wish: StartRecording | None = None
        self.due = self.told = 0.0
        self.writer: RecordingWriter | None = None
        self.media: MediaWriter | None = None
        self.microphone: Microphone | None = None
        self.first: float | None = None
        """`time.perf_counter()` at which the first frame had arrived."""
        self.name = ""
        self.faults: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether there is a frame in it."""
        return self.writer is not None and self.writer.count > 0

    def start(self, wish: StartRecording, now: float) -> None:
        """Arms; recording begins after the count-in."""
        if self.writer is None:
            self.wish, self.faults, self.first = wish, [], None
            if wish.video and not self.films:
                self.faults.append("No video: the phone sends no picture")
            if wish.sound:
                self._listen()
            self.due, self.told = now + max(wish.count_in, 0.0), -1.0
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

    def hear(self, heard: float, samples: np.ndarray) -> None:
        """A block of sound, from the microphone's thread."""
        media, first = self.media, self.first
        if media is not None and first is not None:
            media.add_sound(heard - first, samples)

    def add(self, frame: LiveFrame, shot: Shot) -> None:
        """The next frame of the performance."""
        if self.writer is None:
            return
        if self.writer.count == 0:
            self.first = shot.arrived
        self.writer.add(frame.pts, frame.valid, frame.confidence, frame.pose)
        if self.media is not None:
            self.media.add(self.writer.last, shot.content if isinstance(shot.content, np.ndarray) else None)
        if self.writer.last - self.told >= TELL_INTERVAL:
            self.told = self.writer.last
            self.tell(LiveRecording("recording", self.name, self.told, message=". ".join(self.faults)))

    def stop(self) -> None:
        """Makes a take of what was recorded, or ends the countdown."""
        if self.wish is not None:
            self.tell(LiveRecording("failed", self.wish.name, message="The recording was called off"))
            self.wish = None
        self._hang_up()
        if self.writer is None:
            return
        writer, media, self.writer, self.media = self.writer, self.media, None, None
        writer.close()
        faults = [*self.faults, *(media.close() if media is not None else ())]
        try:
            path = finish_recording(writer.path, writer.path.with_suffix(".npz"))
        except SparkError as error:
            with contextlib.suppress(OSError):
                writer.path.unlink()
            self.tell(LiveRecording("failed", self.name, message=str(error)))
            return
        video, sound = (kept if Path(kept).is_file() else "" for kept in (writer.header.video, writer.header.sound))
        told = ". ".join(faults)
        self.tell(LiveRecording("saved", self.name, writer.last, str(path), video, told, sound))

    def _begin(self) -> None:
        """Opens the files."""
        wish, self.wish = self.wish, None
        takes = self.project / "takes"
        path = free_take(takes, take_name(wish.name))
        self.name = path.stem
        rate = self.microphone.rate if self.microphone is not None else None
        picture = wish.video and self.films
        # A name of its own, for a clip's take is named after it: tracked again, it must not replace what was live.
        name = f"{self.name}_film.mkv" if picture else f"{self.name}.mka"
        file = free_path(self.project / "recordings" / name).absolute()
        video, sound = str(file) if picture else "", str(file) if rate is not None else ""
        try:
            self.writer = RecordingWriter(path, self.describe(self.name, video, sound))
        except SparkError as error:
            self._hang_up()
            self.tell(LiveRecording("failed", self.name, message=str(error)))
            return
        self.media = MediaWriter(file, picture=picture, sound_rate=rate) if video or sound else None
        self.told = 0.0
        self.tell(LiveRecording("recording", self.name, message=". ".join(self.faults)))

    def _listen(self) -> None:
        """Opens the microphone; without one the recording goes on, and it is told."""
        try:
            self.microphone = self.microphone or self.listen(self.hear)
        except SparkError as error:
            self.faults.append(str(error))

    def _hang_up(self) -> None:
        """Lets go of the microphone."""
        if self.microphone is not None:
            self.microphone.close()
        self.microphone = None


def take_name(text: str) -> str:
    """A take's name in characters that every system takes."""
    return re.sub(r"[^\w.-]+", "_", text).strip("._") or "live"


def free_take(folder: Path, name: str) -> Path:
    """Path of a new recording under a name that no take has."""
    candidates = (name, *(f"{name}_{number}" for number in range(2, 10_000)))
    free = (c for c in candidates if not any((folder / f"{c}{suffix}").exists() for suffix in (".npz", SUFFIX)))
    return folder / f"{next(free)}{SUFFIX}"
