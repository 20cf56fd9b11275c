"""The training data: cues of crops, with what the head really did where that is known."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..encoders.crop import FaceCrop, crop_around, cut_crop, to_crop
from ..encoders.cues import Cues
from ..encoders.engines import Engine
from ..encoders.mediapipe import CROP_SIZE
from ..geometry.rotation import as_looked_at
from ..protocol.storage import read_npz, write_npz
from ..render.colour import bytes_from_linear
from ..render.rasterizer import Rasterizer
from .disturb import Odds, cover, film, fringe, occluder, over_background, put_glasses
from .pictures import SIZE, Drawn, Scene, Subject, draw, random_scene

JITTER_PLACE, JITTER_SIZE, JITTER_TURN = 0.04, 0.06, np.radians(5.0)
"""Standard deviations of the crop: in its own sides, of the logarithm of its side, radians."""


@dataclass(frozen=True)
class Rows:
    """`N` crops."""

    landmarks: Float[np.ndarray, "N 478 3"]
    presence: Float[np.ndarray, "N"]
    deep: Float[np.ndarray, "N 2560"]
    local: Float[np.ndarray, "N 3584"]
    weights: Float[np.ndarray, "N 52"]
    """The truth, as all that follows."""
    rotation: Float[np.ndarray, "N 3 3"]
    """Avatar axes to the axes of a camera that looks along the ray to the head, its picture as upright as the crop."""
    centre: Float[np.ndarray, "N 2"]
    """Of the face (`Subject.middle`), crop pixels."""
    scale: Float[np.ndarray, "N"]
    """Crop pixels per metre there."""
    true_landmarks: Float[np.ndarray, "N 478 2"]
    """The embedding's points, crop pixels."""
    visible: Float[np.ndarray, "N"]
    """Part of the face that nothing covers."""
    shape: Float[np.ndarray, "N 478 3"]
    """The embedding's points in the skull's frame, metres: rest and expression."""
    rest: Float[np.ndarray, "N 478 3"]
    """The same at rest."""

    def select(self, chosen: np.ndarray | slice) -> "Rows":
        """Some of the rows."""
        return Rows(*(getattr(self, field.name)[chosen] for field in fields(self)))


def joined(parts: list[Rows]) -> Rows:
    """One after the other."""
    return Rows(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Rows)))


def save_rows(path: Path, rows: Rows) -> None:
    """Writes rows; cues in half precision."""
    half = ("deep", "local")
    write_npz(
        path, {f.name: getattr(rows, f.name).astype(np.float16 if f.name in half else np.float32) for f in fields(Rows)}
    )


def load_rows(path: Path) -> Rows:
    """Reads rows."""
    content = read_npz(path, tuple(field.name for field in fields(Rows)))
    return Rows(**{field.name: content[field.name] for field in fields(Rows)})


def draw_rows(
    random: np.random.Generator,
    subject: Subject,
    weights: Float[np.ndarray, "N 52"],
    views: int,
    engine: Engine,
    rasterizer: Rasterizer,
    odds: Odds,
    batch: int = 8,
) -> Iterator[Rows]:
    """Pictures of a subject with these expressions, each seen `views` times with other disturbances; batch by batch."""
    for start in range(0, len(weights), batch):
        scene = random_scene(random, subject, weights[start : start + batch])
        with torch.no_grad():
            drawn = draw(subject, scene, SIZE, rasterizer)
        for _ in range(views):
            pictures, crops, visible = disturbed_crops(random, drawn, odds)
            cues = Cues(**engine(pictures))
            yield labelled(subject, scene, drawn, crops, cues, visible)


def disturbed_crops(
    random: np.random.Generator, drawn: Drawn, odds: Odds
) -> tuple[np.ndarray, list[FaceCrop], np.ndarray]:
    """Crops (B, 256, 256, 3) in bytes, their squares, and the part (B,) of each face that is seen."""
    straight = bytes_from_linear(drawn.colour / drawn.coverage.clamp(min=1e-3)).numpy()
    coverage, landmarks = drawn.coverage.numpy(), drawn.landmarks.numpy()
    crops = [jittered(random, crop_around(points)) for points in landmarks]
    pictures, seen = [], []
    for index, picture in enumerate(straight):
        picture, visible = disturbed(random, over_background(random, picture, coverage[index]), landmarks[index], odds)
        pictures.append(cut_crop(picture, crops[index], CROP_SIZE))
        seen.append(visible)
    return np.stack(pictures), crops, np.array(seen)


def jittered(random: np.random.Generator, crop: FaceCrop) -> FaceCrop:
    """The crop as the last frame's landmarks would have placed it."""
    place, size, turn = random.normal(size=2), random.normal(), random.normal()
    return FaceCrop(
        crop.centre + JITTER_PLACE * place * crop.side,
        crop.side * float(np.exp(JITTER_SIZE * size)),
        crop.angle + float(JITTER_TURN * turn),
    )


def disturbed(
    random: np.random.Generator, picture: np.ndarray, landmarks: Float[np.ndarray, "478 2"], odds: Odds
) -> tuple[np.ndarray, float]:
    """A frame of a video, and the part of the face that is seen in it."""
    size, covered = len(picture), np.zeros(len(landmarks), bool)
    if random.random() < odds.glasses:
        put_glasses(random, picture, landmarks)
    for chance, make in ((odds.fringe, fringe), (odds.occluder, occluder)):
        if random.random() < chance:
            mask, colour = make(random, landmarks, size)
            cover(random, picture, mask, colour)
            inside = landmarks.clip(0, size - 1).astype(int)
            covered |= mask[inside[:, 1], inside[:, 0]]
    return film(random, picture, odds), 1 - float(covered.mean())


def labelled(
    subject: Subject, scene: Scene, drawn: Drawn, crops: list[FaceCrop], cues: Cues, visible: np.ndarray
) -> Rows:
    """Cues with the truth about them, in the crop's terms."""
    middle = scene.translation + scene.rotation @ subject.middle
    rotation = as_looked_at(scene.rotation, middle, torch.tensor([crop.angle for crop in crops]))
    pixel = (scene.K @ (middle / middle[:, 2:])[..., None])[:, :2, 0]
    scale = scene.K[:, 0, 0] / middle[:, 2] * CROP_SIZE / torch.tensor([crop.side for crop in crops])
    return Rows(
        *(np.asarray(value) for value in cues),
        scene.weights.numpy(),
        rotation.numpy(),
        in_crops(crops, pixel[:, None])[:, 0],
        scale.numpy(),
        in_crops(crops, drawn.landmarks),
        visible.astype(np.float32),
        drawn.shape.numpy(),
        subject.rest.expand(len(crops), -1, -1).numpy(),
    )


def in_crops(crops: list[FaceCrop], points: Float[Tensor, "B L 2"]) -> Float[np.ndarray, "B L 2"]:
    """Each picture's points in its crop."""
    inside = [to_crop(crop, each, CROP_SIZE) for crop, each in zip(crops, points.numpy(), strict=True)]
    return np.stack(inside).astype(np.float32)
