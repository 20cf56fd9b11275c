"""From a decoded frame to an upright RGB picture with square pixels and the colours that were meant."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av import VideoFrame as CodedFrame
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from jaxtyping import UInt8

MATRICES = {1: "BT.709", 4: "FCC", 5: "BT.601", 6: "BT.601", 7: "SMPTE 240M", 9: "BT.2020", 10: "BT.2020"}
CURVES = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}
UNSPECIFIED_MATRIX = 2
NON_SQUARE = 0.08  # real formats differ from square by 9 % or more; smaller ratios are rounding or an editor's mistake


@dataclass(frozen=True)
class Orientation:
    """How the stored picture is brought upright: mirrored left to right first, then turned."""

    quarter_turns: int = 0
    """Counter-clockwise, 0 to 3."""
    mirrored: bool = False

    def upright(self, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "H W 3"]:
        """The picture as it is meant to be seen, contiguous."""
        image = image[:, ::-1] if self.mirrored else image
        return np.ascontiguousarray(np.rot90(image, self.quarter_turns))

    def upright_size(self, width: int, height: int) -> tuple[int, int]:
        """Width and height after turning."""
        return (height, width) if self.quarter_turns % 2 else (width, height)


@dataclass(frozen=True)
class Layout:
    """How the frames of a stream become pictures."""

    orientation: Orientation
    width: int
    """Of the stored picture, in square pixels."""
    height: int


def orientation_of(frame: CodedFrame) -> Orientation:
    """Reads the display matrix of a frame (ISO 14496-12, 8.3.2.3); rounded to quarter turns."""
    matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return Orientation()
    a, b, _, c, d, *_ = np.frombuffer(bytes(matrix), np.int32).astype(float)
    mirrored = bool(a * d - b * c < 0)
    # The matrix maps (x, y) of the stored picture, y down, to (a x + c y, b x + d y); mirroring first negates a and b.
    angle = np.arctan2(-b, a) if not mirrored else np.arctan2(b, -a)
    return Orientation(int(np.round(angle / (np.pi / 2))) % 4, mirrored)


def layout_of(frame: CodedFrame, aspect: Fraction | None) -> Layout:
    """Orientation and size of a stream's pictures, from its first frame and the aspect ratio of its pixels."""
    square = not aspect or abs(aspect - 1) < NON_SQUARE
    return Layout(orientation_of(frame), frame.width if square else max(2, round(frame.width * aspect)), frame.height)


def matrix_of(frame: CodedFrame) -> Colorspace | None:
    """The matrix to decode with when the stream names none: BT.709 for high definition, else the default BT.601."""
    if frame.colorspace != UNSPECIFIED_MATRIX:
        return None
    return Colorspace.ITU709 if frame.height >= 720 or frame.width >= 1280 else Colorspace.ITU601


def describe_colour(frame: CodedFrame) -> str:
    """For people: "yuv420p10le BT.2020 limited HLG"."""
    guessed = "BT.709 (assumed)" if matrix_of(frame) == Colorspace.ITU709 else "BT.601 (assumed)"
    matrix = MATRICES.get(frame.colorspace, guessed)
    full = frame.color_range == ColorRange.JPEG or frame.format.name.startswith("yuvj")
    parts = [frame.format.name, matrix, "full" if full else "limited", CURVES.get(frame.color_trc, "")]
    return " ".join(part for part in parts if part)


def to_rgb(
    frame: CodedFrame, width: int, height: int, reformatter: VideoReformatter
) -> UInt8[np.ndarray, "height width 3"]:
    """Display-ready RGB in full range; high dynamic range is brought to sRGB and BT.709 primaries."""
    high_range = frame.color_trc in CURVES
    converted = reformatter.reformat(
        frame,
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=matrix_of(frame),
        dst_color_range=ColorRange.JPEG,
        dst_color_trc=ColorTrc.IEC61966_2_1 if high_range else None,
        dst_color_primaries=ColorPrimaries.BT709 if high_range else None,
    )
    return converted.to_ndarray()


def sparse_brightness(frame: CodedFrame, across: int = 32, down: int = 24) -> UInt8[np.ndarray, "h w"]:
    """Samples of the first plane on a grid: brightness in all planar formats; enough to tell a cut."""
    plane = frame.planes[0]
    deep = frame.format.components[0].bits > 8
    samples = np.frombuffer(plane, np.uint16 if deep else np.uint8).reshape(plane.height, -1)
    width = min(samples.shape[1], frame.width)
    grid = samples[plane.height // (2 * down) :: max(1, plane.height // down), : width : max(1, width // across)]
    return (grid >> (frame.format.components[0].bits - 8)).astype(np.uint8) if deep else grid.copy()
