"""The frames' faces as small grey pictures of one size, and what is compared in them.

Each face is cut out so that its eyes' centres are `INTEROCULAR` pixels apart. Compared is the logarithm of the
brightness, in which albedo and light are added.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample

from ..protocol.errors import SparkError
from ..protocol.project import Frames
from ..video.decode import read_selected

SIZE, INTEROCULAR = 288, 80.0
"""Side of a crop and distance between the eyes' centres, pixels."""
LUMA = np.array([0.3, 0.55, 0.15], np.float32)
"""Weights of red, green and blue: less blue, which is noisy, than Rec. 709's."""
DARKEST = 0.03
"""Added to the brightness before the logarithm: the level of noise."""


@dataclass(frozen=True)
class Crops:
    """Cut-out faces of `T` frames."""

    luma: UInt8[np.ndarray, "T S S"]
    centre: Float[Tensor, "T 2"]
    """Of the crop in the frame, pixels from the principal point."""
    zoom: Float[Tensor, "T"]
    """Pixels of the crop in a pixel of the frame."""


@dataclass(frozen=True)
class Pictures:
    """What is compared, of `T` frames: values and their slopes."""

    layers: Float[Tensor, "T 3 S S"]
    """Value, slope to the right and slope down, by pixel of the crop."""
    centre: Float[Tensor, "T 2"]
    zoom: Float[Tensor, "T"]

    def select(self, rows: slice) -> "Pictures":
        """Some of the frames."""
        return Pictures(self.layers[rows], self.centre[rows], self.zoom[rows])


@dataclass(frozen=True)
class Framing:
    """Which square of each of `T` frames is cut out."""

    centre: Float[np.ndarray, "T 2"]
    """Pixels of the frame."""
    zoom: Float[np.ndarray, "T"]
    """Pixels of the square in one of the frame's."""


def cut_faces(video: Path, frames: Frames, rows: np.ndarray, scale: Float[Tensor, "T"], size: tuple[int, int]) -> Crops:
    """Faces of the frames `rows` (T,) of a clip, with `scale` (T,) pixels between the eyes in a picture of `size`."""
    faces = framing(frames, rows, scale)
    return gathered(cuts(video, rows, faces), faces, size)


def framing(frames: Frames, rows: np.ndarray, scale: Float[Tensor, "T"]) -> Framing:
    """Where the faces are, their eyes `scale` pixels apart."""
    points = frames.landmarks[rows, :, :2]
    return Framing((points.min(1) + points.max(1)) / 2, INTEROCULAR / scale.numpy())


def cuts(video: Path, rows: np.ndarray, faces: Framing) -> Iterator[tuple[int, UInt8[np.ndarray, "S S"]]]:
    """One face after the other: which of `rows` (T,), and its grey square. `SparkError` when the clip ends early."""
    place, found = {int(row): n for n, row in enumerate(rows)}, 0
    for index, frame in read_selected(video, rows.tolist()):
        number, found = place[index], found + 1
        yield number, cut_out(frame.image, faces.centre[number], float(faces.zoom[number]))
    if found < len(rows):
        raise SparkError(f"{video}: holds fewer frames than when it was read; run `spark ingest` on it again")


def gathered(squares: Iterable[tuple[int, UInt8[np.ndarray, "S S"]]], faces: Framing, size: tuple[int, int]) -> Crops:
    """All of `cuts` together, from pictures of `size`."""
    luma = np.zeros((len(faces.zoom), SIZE, SIZE), np.uint8)
    for number, square in squares:
        luma[number] = square
    offset = faces.centre - np.array(size) / 2
    return Crops(luma, torch.as_tensor(offset).float(), torch.as_tensor(faces.zoom).float())


def cut_out(image: UInt8[np.ndarray, "H W 3"], centre: np.ndarray, zoom: float) -> UInt8[np.ndarray, "S S"]:
    """Grey square around a place, `zoom` of its pixels to one of the frame's."""
    half = SIZE / 2 / zoom
    left, top = np.floor(centre - half - 2).astype(int).clip(0)
    right, bottom = np.ceil(centre + half + 2).astype(int).clip(1)
    part = image[top:bottom, left:right]
    if not part.size:
        return np.zeros((SIZE, SIZE), np.uint8)
    grey = part.astype(np.float32) @ LUMA
    if zoom < 0.7:
        # Averaged first, or the resampling would pick single pixels.
        grey = cv2.GaussianBlur(grey, (0, 0), 0.4 / zoom)
    shift = SIZE / 2 - zoom * (centre - (left, top)) - 0.5 + 0.5 * zoom
    matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
    return cv2.warpAffine(grey, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(
        np.uint8
    )


def pictures(crops: Crops, blur: float) -> Pictures:
    """Smoothed by a Gaussian: standard deviation in pixels of the crop."""
    layers = np.zeros((len(crops.luma), 3, SIZE, SIZE), np.float32)
    for layer, luma in zip(layers, crops.luma, strict=True):
        value, across, down = layer
        np.log(cv2.GaussianBlur(luma.astype(np.float32) / 255, (0, 0), blur) + DARKEST, out=value)
        np.subtract(value[:, 2:], value[:, :-2], out=across[:, 1:-1])
        np.subtract(value[2:], value[:-2], out=down[1:-1])
    layers[:, 1:] *= 0.5
    return Pictures(torch.from_numpy(layers), crops.centre, crops.zoom)


def look_up(
    seen: Pictures, pixels: Float[Tensor, "T N 2"]
) -> tuple[Float[Tensor, "T N"], Float[Tensor, "T N 2"], Tensor]:
    """Values at pixels from the principal point, their slopes by these pixels, and which lie inside the crop (T, N)."""
    places = (pixels - seen.centre[:, None]) * seen.zoom[:, None, None] * (2 / SIZE)
    sampled = grid_sample(seen.layers, places[:, None], mode="bilinear", padding_mode="border", align_corners=False)
    value, slope = sampled[:, 0, 0], sampled[:, 1:, 0].mT * seen.zoom[:, None, None]
    return value, slope, (places.abs() < 1 - 8 / SIZE).all(-1)
