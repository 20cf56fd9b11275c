"""From an avatar and its takes to texture files beside it."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.posing import pose_vertices, quaternion_to_matrix
from ..protocol.storage import write_atomic
from ..protocol.take import ROTATIONS, Take
from ..video.decode import read_selected
from .appearance import Texture, fit_texture
from .choice import Observation, choose_frames
from .paint import bytes_from_albedo
from .sightings import Frame

FRAMES = 24
"""Frames that a texture is made of."""


def bake_textures(
    avatar: Avatar,
    observations: Sequence[Observation],
    folder: Path,
    *,
    size: int = 1024,
    report: Report = lambda event: None,
) -> dict[str, Path]:
    """Writes albedo.png (sRGB, RGBA), roughness.png, specular.png (linear data, grey) and normal.png (tangent space,
    +Y up the map); their absolute paths by name.

    `SparkError` when no clip has a frame in which a face was tracked.
    """
    frames = load_frames(avatar, observations, FRAMES, report)
    report(Progress("Painting the texture", 0.4))
    texture = fit_texture(
        avatar, frames, size, lambda done: report(Progress("Painting the texture", 0.4 + 0.55 * done))
    )
    report(Progress("Writing the texture", 0.95))
    maps = write_maps(texture, folder)
    report(Progress("Writing the texture", 1.0))
    return maps


def load_frames(avatar: Avatar, observations: Sequence[Observation], count: int, report: Report) -> list[Frame]:
    """The chosen frames with the mesh as it lies in them."""
    chosen = choose_frames(avatar, observations, count)
    if not chosen:
        names = ", ".join(str(o.video) for o in observations) or "no clip given"
        raise SparkError(f"{names}: no frame with a tracked face to take the skin from; add a clip that shows the face")
    frames = []
    for number, observation in enumerate(observations):
        rows = np.array([pick.frame for pick in chosen if pick.observation == number], int)
        if not len(rows):
            continue
        take = take_rows(observation.take, rows)
        posed = np.concatenate(list(pose_vertices(avatar, take)))
        rotations = quaternion_to_matrix(take.head_rotation)
        pictures = {index: frame.image for index, frame in read_selected(observation.video, rows.tolist())}
        for row, vertices, rotation in zip(rows, posed, rotations, strict=True):
            if int(row) in pictures:
                K = observation.take.K if observation.take.K.ndim == 2 else observation.take.K[row]
                frames.append(Frame(pictures[int(row)], vertices, np.asarray(K, float), number, rotation))
        report(Progress("Reading frames for the texture", 0.4 * (number + 1) / len(observations)))
    if not frames:
        raise SparkError(f"{observations[0].video}: holds fewer frames than its take; track the clip again")
    return frames


def take_rows(take: Take, rows: np.ndarray) -> Take:
    """Some frames of a take."""
    names = (*ROTATIONS, "pts", "weights", "head_translation", "confidence", "valid")
    K = take.K if take.K.ndim == 2 else take.K[rows]
    return replace(take, **{name: getattr(take, name)[rows] for name in names}, K=K)


def write_maps(texture: Texture, folder: Path) -> dict[str, Path]:
    """Writes the pictures and returns their absolute paths."""
    grey = {"roughness": texture.roughness, "specular": texture.specular}
    pictures = {name: (values * 255 + 0.5).astype(np.uint8) for name, values in grey.items()}
    pictures["normal"] = np.round(texture.normal[..., ::-1] * 127.5 + 127.5).astype(np.uint8)
    pictures["albedo"] = cv2.cvtColor(bytes_from_albedo(texture.albedo), cv2.COLOR_RGBA2BGRA)
    paths = {}
    for name, picture in pictures.items():
        paths[name] = (folder / f"{name}.png").absolute()
        coded = cv2.imencode(".png", picture)[1].tobytes()
        write_atomic(paths[name], lambda file, coded=coded: file.write(coded))
    return paths
