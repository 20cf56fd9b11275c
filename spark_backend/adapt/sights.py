"""Real frames of a person for training: each crop as it is and once disturbed, in short, beside what it shows."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.crop import FaceCrop, crop_around, cut_crop, to_crop
from ..encoders.cues import Cues
from ..encoders.engines import Engine
from ..encoders.mediapipe import CROP_SIZE, ScoreNetwork
from ..encoders.readout import Glance, Readout
from ..protocol.project import Frames
from ..video.decode import read_selected
from .disturb import Odds, cover, film, occluder
from .rows import jittered

BATCH = 8


class Views(NamedTuple):
    """`N` frames of one clip."""

    clean: Glance
    disturbed: Glance
    """The same frames in other crops, with other colours, out of focus, behind things, compressed."""


class Taught(NamedTuple):
    """What a teacher says that the person does in `N` frames."""

    weights: Float[Tensor, "N 52"]
    rotation: Float[Tensor, "N 3 3"]
    """Avatar axes to those of a camera that looks along the ray to the head, its picture as upright as the crop."""


class Sights(NamedTuple):
    """`N` frames, of one clip or of several."""

    clean: Glance
    disturbed: Glance
    taught: Taught

    def count(self) -> int:
        """Of the frames."""
        return len(self.clean.presence)

    def select(self, rows: Tensor) -> "Sights":
        """Some of the frames."""
        return Sights(*(type(part)(*(value[rows] for value in part)) for part in self))


def joined_sights(parts: list[Sights]) -> Sights:
    """Several clips, one after the other."""
    columns = [list(zip(*same, strict=True)) for same in zip(*parts, strict=True)]
    kinds = (Glance, Glance, Taught)
    return Sights(*(kind(*map(torch.cat, column)) for kind, column in zip(kinds, columns, strict=True)))


@dataclass(frozen=True)
class Looker:
    """The frozen networks that make cues in short."""

    cues: Engine
    """Crops in bytes to `Cues`."""
    scores: ScoreNetwork
    readout: Readout

    def __call__(self, crops: np.ndarray) -> Glance:
        """(B, 256, 256, 3) bytes."""
        with torch.no_grad():
            cues = Cues(**{name: torch.from_numpy(value) for name, value in self.cues(crops).items()})
            return self.readout.glance(cues, self.scores(cues.landmarks))


def spread_rows(frames: Frames, most: int) -> Int[np.ndarray, "N"]:
    """At most so many of the frames in which the face is seen, evenly spread."""
    seen = np.flatnonzero(frames.valid)
    return seen[np.unique(np.linspace(0, len(seen) - 1, min(most, len(seen))).round().astype(int))]


def see_clip(
    video: Path,
    frames: Frames,
    rows: Int[np.ndarray, "N"],
    looker: Looker,
    random: np.random.Generator,
    tick: Callable[[float], None],
) -> Views:
    """The frames `rows` of an ingested clip."""
    clean, disturbed = [], []
    for done, (straight, other) in enumerate(batches(crop_pairs(video, frames, rows, random))):
        clean.append(looker(straight))
        disturbed.append(looker(other))
        tick(min((done + 1) * BATCH / len(rows), 1.0))
    return Views(*(Glance(*(torch.cat(values) for values in zip(*g, strict=True))) for g in (clean, disturbed)))


def crop_pairs(
    video: Path, frames: Frames, rows: Int[np.ndarray, "N"], random: np.random.Generator
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each frame's crop, and another one that is disturbed."""
    for index, frame in read_selected(video, rows.tolist()):
        crop = crop_around(frames.landmarks[index])
        other = jittered(random, crop)
        yield (
            cut_crop(frame.image, crop, CROP_SIZE),
            disturbed_crop(frame.image, other, frames.landmarks[index], random),
        )


def disturbed_crop(image: np.ndarray, crop: FaceCrop, landmarks: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """A crop behind something at times, filmed badly."""
    odds = Odds()
    picture = cut_crop(image, crop, CROP_SIZE)
    if random.random() < odds.occluder:
        inside = to_crop(crop, landmarks[:, :2], CROP_SIZE)
        cover(random, picture, *occluder(random, inside, CROP_SIZE))
    return film(random, picture, odds)


def batches(pairs: Iterator[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Stacked, `BATCH` at a time."""
    held: list[tuple[np.ndarray, np.ndarray]] = []
    for pair in pairs:
        held.append(pair)
        if len(held) == BATCH:
            yield tuple(np.stack(column) for column in zip(*held, strict=True))
            held = []
    if held:
        yield tuple(np.stack(column) for column in zip(*held, strict=True))
