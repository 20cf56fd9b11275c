"""Makes small video files with known content for the tests of decoding and ingest."""

import itertools
import struct
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

STEP = 8  # brightness between the frames of `numbered`


def numbered(count: int, width: int = 64, height: int = 48) -> list[np.ndarray]:
    """Flat grey frames whose brightness tells their number; see `number_of`."""
    return [np.full((height, width, 3), 16 + STEP * index, np.uint8) for index in range(count)]


def number_of(image: np.ndarray) -> int:
    """Which of the `numbered` frames a decoded picture is."""
    return round((float(image.mean()) - 16) / STEP)


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    rate: Fraction | int = 25,
    ticks: Sequence[int] | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    first_shown: int = 0,
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Encodes RGB frames. `ticks` are presentation times in units of 1/90000 s instead of a constant rate; the frames
    before `first_shown` get negative times, which makes the container hide them by an edit list."""
    settings = {"crf": "10", "preset": "ultrafast"} if codec.startswith("libx26") else {}
    settings |= {"x265-params": "log-level=none"} if codec == "libx265" else {}
    hiding = {"avoid_negative_ts": "disabled"} if first_shown else {}
    frames = iter(frames)
    first = next(frames)
    with av.open(str(path), "w", options=hiding | (container_options or {})) as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=settings | (options or {}))
        stream.width, stream.height, stream.pix_fmt = first.shape[1], first.shape[0], pix_fmt
        unit = Fraction(1, 90000) if ticks is not None else 1 / Fraction(rate)
        stream.codec_context.time_base = unit
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        shift = round(first_shown / Fraction(rate) / unit)
        for index, image in enumerate(itertools.chain([first], frames)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = ticks[index] if ticks is not None else index
            frame.time_base = unit
            container.mux(shifted(stream.encode(frame), shift, unit))
        container.mux(shifted(stream.encode(None), shift, unit))
    return path


def shifted(packets: list[av.Packet], shift: int, unit: Fraction) -> list[av.Packet]:
    """The packets `shift` units earlier."""
    for packet in packets:
        moved = round(shift * unit / packet.time_base)
        packet.pts, packet.dts = packet.pts - moved, packet.dts - moved
    return packets


def write_planes(
    path: Path, planes: tuple[int, int, int], pix_fmt: str, matrix: int, full: bool, codec: str, curve: int = 1
) -> Path:
    """Three frames of one colour given as raw Y, Cb, Cr, tagged with a matrix (1 BT.709, 6 BT.601, 9 BT.2020), a range
    and a transfer curve (1 BT.709, 18 HLG)."""
    with av.open(str(path), "w") as container:
        log = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = container.add_stream(codec, rate=25, options={"crf": "4", **log})
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        stream.codec_context.colorspace, stream.codec_context.color_range = matrix, 2 if full else 1
        stream.codec_context.color_trc, stream.codec_context.color_primaries = curve, 9 if matrix == 9 else 1
        for index in range(3):
            frame = av.VideoFrame(64, 64, pix_fmt)
            for plane, value in zip(frame.planes, planes, strict=True):
                kind = np.uint16 if "10" in pix_fmt else np.uint8
                plane.update(np.full(plane.buffer_size // kind().itemsize, value, kind).tobytes())
            frame.colorspace, frame.color_range = matrix, 2 if full else 1
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def set_display_matrix(path: Path, a: int, b: int, c: int, d: int) -> None:
    """Writes the four turning elements of the track header's matrix (ISO 14496-12, 8.3.2) of an MP4 file."""
    data = bytearray(path.read_bytes())
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    place = data.index(identity, data.index(b"tkhd"))
    data[place : place + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
