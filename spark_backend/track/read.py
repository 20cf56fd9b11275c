"""What the heads read in the faces that a stream has followed, many frames at a time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from jaxtyping import Float

from ..encoders.crop import to_picture
from ..encoders.cues import Cues
from ..encoders.engines import Engine
from ..encoders.mediapipe import CROP_SIZE
from .stream import Sight

BATCH = 32
"""Frames; a frame costs a fifth of what it costs by itself."""


@dataclass(frozen=True)
class Seen:
    """The face in one frame."""

    weights: Float[np.ndarray, "52"]
    rotation: Float[np.ndarray, "3 3"]
    """See `Parameters`: to the axes of a camera that looks at the head, its picture as upright as the crop."""
    middle: Float[np.ndarray, "2"]
    """Pixels of the frame."""
    scale: float
    """Pixels of the frame per metre."""
    confidence: float
    landmarks: Float[np.ndarray, "478 3"]
    """Pixels of the frame."""
    angle: float
    """Radians that the crop was turned clockwise."""


def read_all(sights: Iterable[Sight | None], heads: Engine) -> Iterator[Seen | None]:
    """The faces of many frames in their order, `BATCH` at a time."""
    sights = iter(sights)
    while batch := list(islice(sights, BATCH)):
        faces = [sight for sight in batch if sight is not None]
        # Engines are compiled for a size of batch, so the last one is filled up.
        read = iter(read_faces(faces + faces[-1:] * (BATCH - len(faces)), heads))
        yield from (None if sight is None else next(read) for sight in batch)


def read_faces(sights: Sequence[Sight], heads: Engine) -> list[Seen]:
    """The faces of some frames; `heads` is that of `track.network.Encoder`."""
    if not sights:
        return []
    answer = heads(*(np.concatenate([sight.cues[name] for sight in sights]) for name in Cues._fields))
    return [in_frame(sight, {name: value[row] for name, value in answer.items()}) for row, sight in enumerate(sights)]


def in_frame(sight: Sight, parameters: dict[str, np.ndarray]) -> Seen:
    """The `Parameters` of one crop in the frame's pixels."""
    return Seen(
        weights=parameters["weights"],
        rotation=parameters["rotation"],
        middle=to_picture(sight.crop, parameters["middle"][None], CROP_SIZE)[0],
        scale=float(parameters["scale"]) * sight.crop.side / CROP_SIZE,
        confidence=float(parameters["confidence"]),
        landmarks=sight.landmarks,
        angle=sight.crop.angle,
    )
