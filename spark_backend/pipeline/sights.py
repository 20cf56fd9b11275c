"""What the judge sees of a clip: frames in pairs, cut to the face, with the regions that they show."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ..evaluate.crops import SIDE, Crop, face_crop
from ..evaluate.regions import BACKGROUND, BISENET, landmark_regions
from ..protocol.errors import SparkError
from ..protocol.project import ClipInfo, Frames
from ..render.colour import linear_from_bytes
from ..video.decode import read_selected

CLOSE_SCALE, CLOSE_SIZE = 2.2, 384
"""Window and size of the picture in which landmarks are looked for again: MediaPipe's detector wants some room."""
BISENET_HIDDEN = (0, 14, 15, 16, 17, 18)
"""BiSeNet's classes that SPARK blackens before it compares frames: background, neck, necklace, cloth, hair, hat."""


@dataclass(frozen=True)
class Sight:
    """One frame of the clip."""

    frame: int
    crop: Crop
    picture: np.ndarray
    """(SIDE, SIDE, 3) uint8 sRGB."""
    close_crop: Crop
    close: np.ndarray
    """(CLOSE_SIZE, CLOSE_SIZE, 3) uint8 sRGB of a wider window."""
    landmarks: np.ndarray
    """(478, 2) MediaPipe's, in pixels of `picture`."""
    regions: np.ndarray
    """(SIDE, SIDE) uint8, the true classes."""
    face: np.ndarray
    """(SIDE, SIDE) bool: what is compared between frames; the rest counts as black."""

    def linear(self) -> np.ndarray:
        """(SIDE, SIDE, 3) float32, black beside the face."""
        return linear_from_bytes(torch.from_numpy(self.picture)).numpy() * self.face[..., None]


def paired_sights(
    info: ClipInfo, frames: Frames, chosen: Sequence[int], interval: int, labels: Path | None
) -> Iterator[tuple[Sight, Sight]]:
    """For each chosen frame the one `interval` before and itself. Never holds more than `interval` + 1 frames."""
    needed = sorted({*chosen, *(frame - interval for frame in chosen)})
    wanted, held = frozenset(chosen), {}
    for index, shown in read_selected(Path(info.source), needed):
        held[index] = look_at(index, shown.image, frames.landmarks[index], labels)
        if index in wanted:
            yield held[index - interval], held[index]
        held = {frame: sight for frame, sight in held.items() if frame > index - interval}


def look_at(index: int, image: np.ndarray, landmarks: np.ndarray, labels: Path | None) -> Sight:
    """Cuts a frame (H, W, 3) to its face and labels what is seen there."""
    size = (image.shape[1], image.shape[0])
    crop, close = face_crop(landmarks, size), face_crop(landmarks, size, CLOSE_SCALE)
    places = crop.place(landmarks[:, :2])
    if labels is None:
        regions = landmark_regions(places, SIDE)
        face = regions != BACKGROUND
    else:
        classes = crop.cut(np.repeat(read_labels(labels / f"{index:06d}.png", size)[..., None], 3, 2))[..., 0]
        regions, face = BISENET[classes], ~np.isin(classes, BISENET_HIDDEN)
    return Sight(index, crop, crop.cut(image), close, close.cut(image, CLOSE_SIZE), places, regions, face)


def read_labels(path: Path, size: tuple[int, int]) -> np.ndarray:
    """(H, W) uint8 of a picture of class numbers as large as the frame."""
    try:
        with Image.open(path) as image:
            labels = np.asarray(image)
    except OSError as error:
        raise SparkError(f"{path}: no such label picture; write one PNG of class numbers for every frame") from error
    if labels.dtype != np.uint8 or labels.shape != size[::-1]:
        raise SparkError(
            f"{path}: not {size[0]} x {size[1]} class numbers in one 8-bit channel; write it as the clip is"
        )
    return labels
