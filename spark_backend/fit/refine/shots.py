"""The pictures of a fit: chosen frames as square crops of one size, within a memory budget.

Crops are kept as bytes while they fit; what does not fit is decoded again when its turn comes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ...protocol.errors import SparkError
from ...protocol.posing import quaternion_to_matrix
from ...protocol.project import Frames
from ...protocol.take import Take
from ...video.decode import read_selected

MARGIN = 1.25
"""Side of a crop in sides of the landmarks' box."""
# MediaPipe's face oval, in order around the face.
OVAL = (
    *(10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377),
    *(152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109),
)
INSIDE = 0.96
"""Size of the mask in that of the oval: its very border is already hair or wall."""


@dataclass(frozen=True)
class ClipShots:
    """What a fit knows of one clip."""

    name: str
    video: Path
    take: Take
    """How the avatar of the landmarks moves in it."""
    frames: Frames
    rows: Int[np.ndarray, "M"]
    """The frames that take part."""


@dataclass(frozen=True)
class Shots:
    """Everything about `M` frames of all clips but the pictures themselves."""

    clip: Int[Tensor, "M"]
    left_top: Float[Tensor, "M 2"]
    """Corner of the crop in the frame, pixels."""
    zoom: Float[Tensor, "M"]
    """Pixels of the crop in one of the frame's."""
    middle: Float[Tensor, "M 2"]
    """Principal point, pixels of the frame."""
    landmarks: Float[Tensor, "M 478 2"]
    """Pixels of the crop."""
    unit: Float[Tensor, "M"]
    """Pixels of the crop between the pupils."""
    weights: Float[Tensor, "M E"]
    rotation: Float[Tensor, "M 3 3"]
    translation: Float[Tensor, "M 3"]
    neck: Float[Tensor, "M 3 3"]
    focal: Float[Tensor, "C"]
    """Of the clips, pixels."""

    def camera(self, rows: Int[Tensor, "B"], focal: Float[Tensor, "B"]) -> Float[Tensor, "B 3 3"]:
        """Intrinsics of the crops; `focal` in pixels of the frame."""
        zoom, zero = self.zoom[rows], torch.zeros_like(focal)
        centre = (self.middle[rows] - self.left_top[rows]) * zoom[:, None]
        rows_of_k = (
            torch.stack([focal * zoom, zero, centre[:, 0]], -1),
            torch.stack([zero, focal * zoom, centre[:, 1]], -1),
            torch.stack([zero, zero, torch.ones_like(focal)], -1),
        )
        return torch.stack(rows_of_k, -2)


def collect(clips: Sequence[ClipShots], size: int) -> Shots:
    """What is known of the chosen frames, for crops of `size` pixels."""
    parts = [one_clip(number, clip, size) for number, clip in enumerate(clips)]
    joined = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    focal = torch.tensor([float(clip.take.K.reshape(-1, 3, 3)[0, 0, 0]) for clip in clips])
    return Shots(**joined, focal=focal)


def one_clip(number: int, clip: ClipShots, size: int) -> dict[str, Tensor]:
    """The fields of `Shots` for the frames of one clip."""
    rows, take = clip.rows, clip.take
    points = clip.frames.landmarks[rows][..., :2]
    low, high = points.min(1), points.max(1)
    side = MARGIN * (high - low).max(1)
    left_top, zoom = (low + high) / 2 - side[:, None] / 2, size / side
    local = (points - left_top[:, None]) * zoom[:, None, None]
    unit = np.linalg.norm(local[:, 473] - local[:, 468], axis=-1)
    middle = take.K[..., :2, 2] if take.K.ndim == 2 else take.K[rows][..., :2, 2]
    arrays = {
        "left_top": left_top,
        "zoom": zoom,
        "middle": np.broadcast_to(middle, (len(rows), 2)),
        "landmarks": local,
        "unit": unit,
        "weights": take.weights[rows],
        "rotation": quaternion_to_matrix(take.head_rotation[rows]),
        "translation": take.head_translation[rows],
        "neck": quaternion_to_matrix(take.neck[rows]),
    }
    fields = {name: torch.as_tensor(np.ascontiguousarray(value)).float() for name, value in arrays.items()}
    return {"clip": torch.full((len(rows),), number), **fields}


def crop(image: UInt8[np.ndarray, "H W 3"], left_top: np.ndarray, zoom: float, size: int) -> UInt8[np.ndarray, "S S 3"]:
    """A square of a frame, made coarser by averaging so that no detail turns into noise."""
    matrix = np.array(
        [[zoom, 0, -zoom * left_top[0] + 0.5 * zoom - 0.5], [0, zoom, -zoom * left_top[1] + 0.5 * zoom - 0.5]]
    )
    if zoom < 0.8:
        image = cv2.GaussianBlur(image, (0, 0), 0.35 / zoom)
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def oval_mask(landmarks: Float[np.ndarray, "478 2"], size: int) -> UInt8[np.ndarray, "S S"]:
    """255 inside the face's outline, smooth at its border."""
    outline = landmarks[list(OVAL)]
    outline = outline.mean(0) + INSIDE * (outline - outline.mean(0))
    mask = cv2.fillPoly(np.zeros((size, size), np.uint8), [np.round(outline * 8).astype(np.int32)], 255, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(mask, (0, 0), size / 128)


@dataclass
class Album:
    """The crops, as many of them in memory as the budget allows."""

    clips: Sequence[ClipShots]
    shots: Shots
    size: int
    budget: int
    """Bytes."""
    kept: dict[int, np.ndarray] = field(default_factory=dict)

    def preload(self) -> None:
        """Reads as many frames as the budget holds, each clip once."""
        if self.kept:
            return
        nbytes = self.size * self.size * 4
        for row, picture in self.read(list(range(min(len(self.shots.clip), self.budget // nbytes)))):
            self.kept[row] = picture

    def pictures(self, rows: Sequence[int]) -> UInt8[np.ndarray, "B S S 4"]:
        """Colour and mask of some frames."""
        missing = sorted({row for row in rows if row not in self.kept})
        found = dict(self.read(missing)) if missing else {}
        for row, picture in found.items():
            if (len(self.kept) + 1) * picture.nbytes <= self.budget:
                self.kept[row] = picture
        return np.stack([found[row] if row in found else self.kept[row] for row in rows])

    def read(self, rows: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Decodes frames, each clip once."""
        first = 0
        for clip in self.clips:
            wanted = {int(clip.rows[row - first]): row for row in rows if first <= row < first + len(clip.rows)}
            first += len(clip.rows)
            found = 0
            for index, frame in read_selected(clip.video, sorted(wanted)) if wanted else ():
                found += 1
                yield wanted[index], self.one(wanted[index], frame.image)
            if found < len(wanted):
                raise SparkError(
                    f"{clip.video}: holds fewer frames than when it was read; run `spark ingest` on it again"
                )

    def one(self, row: int, image: np.ndarray) -> UInt8[np.ndarray, "S S 4"]:
        """The crop of a frame with its mask as the fourth channel."""
        colour = crop(image, self.shots.left_top[row].numpy(), float(self.shots.zoom[row]), self.size)
        mask = oval_mask(self.shots.landmarks[row].numpy(), self.size)
        return np.concatenate([colour, mask[..., None]], -1)
