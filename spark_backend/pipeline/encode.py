"""Writing video: H.264 in MP4 at the true time of every frame, with the sound of the source."""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from ..protocol.errors import SparkError
from ..protocol.storage import filesystem_errors

TIME_BASE = Fraction(1, 90000)
# What MP4 takes as it is; other sound is encoded anew.
COPIED_SOUND = ("aac", "mp3", "ac3", "eac3", "alac")
BT709 = 1  # AVColorSpace, AVColorPrimaries and AVColorTransferCharacteristic agree on this number
LIMITED = 1


def write_video(
    path: Path, frames: Iterable[tuple[float, np.ndarray]], *, sound_of: Path | None = None, quality: int = 18
) -> int:
    """Encodes (seconds, (H, W, 3) uint8 sRGB) pairs with increasing times; gives the number of frames.

    Odd sizes are cropped by a pixel, as 4:2:0 asks. Sound that cannot be read is left out. The file appears when it is
    whole. `SparkError` when the disk refuses or there is no frame.
    """
    temporary = path.with_name(f".{path.stem}.part.mp4")
    with filesystem_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = encode(temporary, frames, sound_of, quality)
            if not count:
                raise SparkError(f"{path}: there is no frame to write")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    return count


def encode(path: Path, frames: Iterable[tuple[float, np.ndarray]], sound_of: Path | None, quality: int) -> int:
    """Writes the file and gives the number of frames."""
    count = 0
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(av.open(str(path), "w", options={"movflags": "+faststart"}))
        video, mux_sound = None, None
        for seconds, image in frames:
            if video is None:
                video = add_video_stream(output, image.shape[1] // 2 * 2, image.shape[0] // 2 * 2, quality)
                mux_sound = stack.enter_context(sound_track(output, sound_of))
            mux_sound(seconds)
            frame = to_video_frame(image[: video.height, : video.width])
            frame.pts, frame.time_base = round(seconds / TIME_BASE), TIME_BASE
            output.mux(video.encode(frame))
            count += 1
        if video is not None:
            output.mux(video.encode())
            mux_sound(seconds + 0.05)
    return count


def add_video_stream(output: av.container.OutputContainer, width: int, height: int, quality: int):
    """An H.264 stream that says which colours it holds."""
    # The rate is a hint for players only; every frame carries its own time.
    stream = output.add_stream("libx264", rate=30, options={"crf": str(quality), "preset": "veryfast"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = TIME_BASE
    context.color_range, context.colorspace = LIMITED, BT709
    context.color_primaries, context.color_trc = BT709, BT709
    return stream


def to_video_frame(image: np.ndarray) -> av.VideoFrame:
    """(H, W, 3) uint8 sRGB to a frame in BT.709, limited range."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")


@contextlib.contextmanager
def sound_track(output: av.container.OutputContainer, source: Path | None) -> Iterator[Callable[[float], None]]:
    """A function that writes the source's sound up to a time in seconds from the first picture."""
    packets = None if source is None else open_sound(output, source)
    if packets is None:
        yield lambda seconds: None
        return
    container, encoded = packets
    waiting: list[av.Packet] = []

    def mux_until(seconds: float) -> None:
        while True:
            packet = waiting.pop() if waiting else next(encoded, None)
            if packet is None:
                return
            if packet.pts * packet.time_base > seconds:
                waiting.append(packet)
                return
            output.mux(packet)

    with container:
        yield mux_until


def open_sound(output: av.container.OutputContainer, source: Path):
    """The opened source and its sound as packets of a new stream of `output`; None when there is no sound."""
    try:
        container = av.open(str(source))
    except (av.FFmpegError, OSError):
        return None
    if not container.streams.audio or not container.streams.video:
        container.close()
        return None
    sound, video = container.streams.audio[0], container.streams.video[0]
    origin = (video.start_time or 0) * video.time_base
    if sound.codec_context.name in COPIED_SOUND:
        return container, copied_packets(container, sound, output.add_stream_from_template(sound), origin)
    layout = "mono" if sound.codec_context.channels == 1 else "stereo"
    encoder = output.add_stream("aac", rate=sound.codec_context.sample_rate, layout=layout)
    return container, encoded_packets(container, sound, encoder, origin)


def copied_packets(container, sound, stream, origin: Fraction) -> Iterator[av.Packet]:
    """The source's packets, their times counted from `origin`."""
    with contextlib.suppress(av.FFmpegError):  # a damaged source: the sound ends here
        for packet in container.demux(sound):
            if packet.pts is None or packet.dts is None:
                continue
            shift = round(origin / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.pts >= 0:
                packet.stream = stream
                yield packet


def encoded_packets(container, sound, stream, origin: Fraction) -> Iterator[av.Packet]:
    """The source's sound encoded anew."""
    resampler = av.AudioResampler("fltp", stream.layout, stream.sample_rate)
    with contextlib.suppress(av.FFmpegError):  # a damaged source: the sound ends here
        for frame in container.decode(sound):
            if frame.pts is None or frame.pts * frame.time_base < origin:
                continue
            frame.pts -= round(origin / frame.time_base)
            for resampled in resampler.resample(frame):
                yield from stream.encode(resampled)
        yield from stream.encode()
