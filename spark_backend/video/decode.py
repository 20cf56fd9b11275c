"""Frames of a video file at their true presentation times, whatever the container says about them.

Decoding is PyAV's (FFmpeg); edit lists are applied by its demuxer, rotation and colour by `picture`.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av import VideoFrame as CodedFrame
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from jaxtyping import UInt8

from ..protocol.errors import SparkError
from ..protocol.storage import filesystem_errors
from .picture import (
    Layout,
    Orientation,
    describe_colour,
    layout_of,
    sparse_brightness,
    to_rgb,
)

PICTURE_FORMATS = ("image2", "_pipe", "ico")
PICTURE_BRANDS = ("heic", "heix", "mif1", "avif")
# On all cores while all is well. Only a single thread conceals damage well, and the same way each time: at the first
# fault the file is opened once more, and what has been given already is passed over.
THREADING = ("AUTO", "SLICE")
ReportWarning = Callable[[str], None]


@dataclass(frozen=True)
class VideoInfo:
    """What a video file says about itself, and what its first frame shows."""

    path: Path
    codec: str
    size: tuple[int, int]
    """Width and height of the upright picture in square pixels."""
    orientation: Orientation
    rate: float
    """Average frames a second as the header has it; 0 when it has none."""
    duration: float
    """Seconds as the header has it, of the picture if it tells; 0 when it does not."""
    colour: str
    has_sound: bool
    sound_start: float
    """Seconds from the first shown frame to the first sample of sound; 0 without sound."""

    @property
    def rotation(self) -> int:
        """Degrees that the stored picture is turned counter-clockwise to stand upright."""
        return 90 * self.orientation.quarter_turns

    @property
    def expected_frames(self) -> int:
        """A guess for progress bars; 0 when the header tells nothing."""
        return round(self.duration * self.rate)


@dataclass(frozen=True)
class VideoFrame:
    """One shown frame."""

    pts: float
    """Seconds after the first shown frame."""
    image: UInt8[np.ndarray, "H W 3"]
    """RGB, upright, square pixels."""


@dataclass(frozen=True)
class LazyFrame:
    """One shown frame whose picture is made when asked for; good until the next one is taken."""

    pts: float
    coded: CodedFrame
    layout: Layout
    reformatter: VideoReformatter

    def picture(self) -> UInt8[np.ndarray, "H W 3"]:
        """RGB, upright, square pixels."""
        return self.layout.orientation.upright(
            to_rgb(self.coded, self.layout.width, self.layout.height, self.reformatter)
        )

    def thumbnail(self) -> UInt8[np.ndarray, "h w"]:
        """A few hundred brightness samples, not upright; costs next to nothing."""
        return sparse_brightness(self.coded)


@dataclass
class Tally:
    """What went wrong on the way through a file."""

    undecodable: int = 0
    damaged: int = 0
    repeated: int = 0
    untimed: int = 0
    interlaced: int = 0
    cut: bool = False
    """The container itself could not be read to its end."""

    @property
    def is_damaged(self) -> bool:
        return self.undecodable + self.damaged > 0


def probe(path: Path) -> VideoInfo:
    """Reads the header and the first frame. `SparkError` when it is no video that can be opened."""
    with open_video(path) as (container, stream):
        first = next(shown_frames(container, stream, Tally()), None)
        if first is None:
            raise SparkError(f"{path}: holds no frame that can be decoded; record or copy it again")
        start, frame = first
        layout = layout_of(frame, stream.sample_aspect_ratio)
        sounds = container.streams.audio
        begins = sounds[0].start_time * sounds[0].time_base if sounds and sounds[0].start_time is not None else start
        return VideoInfo(
            path=path,
            codec=stream.codec_context.name,
            size=layout.orientation.upright_size(layout.width, layout.height),
            orientation=layout.orientation,
            rate=float(stream.average_rate or stream.guessed_rate or 0),
            duration=duration_of(container, stream),
            colour=describe_colour(frame),
            has_sound=bool(sounds),
            sound_start=float(begins) - start,
        )


def read_frames(path: Path, report_warning: ReportWarning) -> Iterator[VideoFrame]:
    """All shown frames in order, one at a time in memory; damage is skipped and told through `report_warning`."""
    for frame in walk_frames(path, report_warning):
        yield VideoFrame(frame.pts, frame.picture())


def read_selected(path: Path, indices: Iterable[int]) -> Iterator[tuple[int, VideoFrame]]:
    """The frames at these positions in the order of `read_frames`, ascending; the others are not converted."""
    wanted = frozenset(indices)
    if not wanted:
        return
    last = max(wanted)
    for index, frame in enumerate(walk_frames(path, lambda message: None)):
        if index in wanted:
            yield index, VideoFrame(frame.pts, frame.picture())
        if index == last:
            return


def walk_frames(path: Path, report_warning: ReportWarning) -> Iterator[LazyFrame]:
    """All shown frames in order, for those who do not need the picture of each."""
    given, tally, end, promised = 0, Tally(), 0.0, 0.0
    for threading in THREADING:
        with open_video(path) as (container, stream):
            stream.thread_type = threading
            tally, layout, start, reformatter = Tally(), None, 0.0, VideoReformatter()
            for index, (time, frame) in enumerate(shown_frames(container, stream, tally)):
                if layout is None:
                    layout, start = layout_of(frame, stream.sample_aspect_ratio), time
                if threading != THREADING[-1] and tally.is_damaged:
                    break
                if index >= given:
                    end, given = time - start, index + 1
                    yield LazyFrame(end, frame, layout, reformatter)
            promised = duration_of(container, stream) - 1 / float(stream.average_rate or 25)
        if not tally.is_damaged:
            break
    if not given:
        raise SparkError(f"{path}: holds no frame that can be decoded; record or copy it again")
    for message in damage_report(tally, given, end, promised - end):
        report_warning(message)


@contextlib.contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The open container and its video stream; a `SparkError` names what is there instead of a video."""
    path = Path(path)
    with filesystem_errors(path):
        if path.is_dir():
            raise SparkError(f"{path}: is a folder; give the video file itself")
        path.open("rb").close()
    try:
        container = av.open(str(path), metadata_errors="ignore")
    except (av.error.FFmpegError, ValueError) as error:
        raise SparkError(
            f"{path}: cannot be opened as a video, it is damaged, unfinished or another kind of file; "
            "copy or record it again"
        ) from error
    with container:
        streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not streams:
            raise SparkError(f"{path}: has no picture, only sound or data; give a video file")
        if is_picture(container, streams[0]):
            raise SparkError(f"{path}: is a picture; give a video of the person moving")
        yield container, streams[0]


def is_picture(container: InputContainer, stream: VideoStream) -> bool:
    """Whether the file is a still image rather than a video."""
    name = container.format.name
    if any(mark in name for mark in PICTURE_FORMATS) or stream.disposition & Disposition.still_image:
        return True
    if container.metadata.get("major_brand", "").strip() in PICTURE_BRANDS:
        return True
    return name in ("gif", "apng", "webp", "webp_anim") and stream.frames <= 1 and counts_one_packet(container, stream)


def counts_one_packet(container: InputContainer, stream: VideoStream) -> bool:
    """Whether an animation format holds a single picture. Leaves the container at its start."""
    packets = [packet for _, packet in zip(range(3), container.demux(stream), strict=False) if packet.size]
    container.seek(0)
    return len(packets) < 2


def duration_of(container: InputContainer, stream: VideoStream) -> float:
    """Seconds of picture that the header promises; of the whole file when the stream does not tell; 0 if unknown."""
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else 0.0


def shown_frames(container: InputContainer, stream: VideoStream, tally: Tally) -> Iterator[tuple[float, CodedFrame]]:
    """(seconds in the container's time, frame) of what a player shows, times strictly increasing."""
    previous, step = None, 1 / float(stream.average_rate or 25)
    for frame in decoded_frames(container, stream, tally):
        tally.damaged += frame.is_corrupt
        tally.interlaced += frame.interlaced_frame
        time = frame.time
        if time is None:
            tally.untimed += 1
            time = 0.0 if previous is None else previous + step
        if previous is not None and time <= previous:
            tally.repeated += 1
            continue
        previous = time
        yield time, frame


def decoded_frames(container: InputContainer, stream: VideoStream, tally: Tally) -> Iterator[CodedFrame]:
    """Everything the decoder gives; what it cannot decode is counted and skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except (av.error.FFmpegError, OSError):
            tally.cut = True
            packet = None
        try:
            # None flushes the decoder; after the demuxer's own flush packet it gives end of file at once.
            yield from stream.codec_context.decode(packet)
        except av.error.EOFError:
            pass
        except av.error.FFmpegError:
            tally.undecodable += 1
        if packet is None:
            return


def damage_report(tally: Tally, frames: int, end: float, missing: float) -> list[str]:
    """One sentence for each kind of fault."""
    messages = []
    if tally.cut or missing > max(0.5, 0.1 * end):
        messages.append(f"The file ends early; kept its first {frames} frames ({end:.1f} s)")
    if tally.is_damaged:
        count = tally.undecodable + tally.damaged
        messages.append(f"Damaged data in {count} places, pictures after them may be wrong; copy the file again")
    if tally.repeated:
        messages.append(f"{tally.repeated} frames with a time that was already taken, left out")
    if tally.untimed:
        messages.append(f"{tally.untimed} frames without a time, placed by the average rate")
    if tally.interlaced > frames // 2:
        messages.append("Interlaced video; deinterlace it first for steadier tracking")
    return messages
