"""`spark light`: the light of a clip as three lamps and an even rest, for a scene that shall look like it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.optimize import nnls

from ..protocol.avatar import load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.project import open_project
from ..protocol.take import load_take
from ..render.shading import Light, irradiance
from .files import find_take, source_video
from .options import LightOptions
from .relight import clip_light

NORMALS = 600
"""Directions in which the light is compared."""
RIM = np.array([0.0, -0.5, 0.87])
"""Towards the rim lamp: behind the head and above it, in camera axes (+Y down, +Z away from the camera)."""
TURNED_AWAY, UNSEEN = 0.3, 0.3
"""Z of a normal from which the camera has not seen that side, and what such a side counts."""
SIDE = 0.5
"""Least sideways part of the key's direction: a key straight from the camera has no other side to fill."""


def light(options: LightOptions, report: Report) -> Mapping[str, Any]:
    """Finds the light of the clip from some of its frames; `lamps` and `ambient` are those of `three_lamps`."""
    project = open_project(options.project)
    path = find_take(project, options.take)
    report(Progress(f"Finding the light of {path.stem}", 0.1))
    video = source_video(project, path, report)
    found = clip_light(load_avatar(project.avatar_folder), load_take(path), video) if video is not None else None
    if found is None:
        raise SparkError(f"{options.take}: the light of its clip cannot be seen; put the video back where it was")
    lamps, ambient = three_lamps(found)
    return {"project": str(options.project), "take": path.stem, "lamps": lamps, "ambient": ambient.tolist()}


def three_lamps(found: Light) -> tuple[list[dict[str, Any]], Float[np.ndarray, "3"]]:
    """Key, fill and rim lamps with an even rest, whose irradiance is nearest to that of `found`.

    A lamp is its `name`, its `towards`, a unit vector from the head in camera axes (OpenCV), and its `colour`: what a
    white matt surface that faces it reflects, linear. Colours are not negative (non-negative least squares).
    """
    directions = {"Key": key_direction(found), "Rim": RIM / np.linalg.norm(RIM)}
    fill = directions["Key"] * (-1, 0, 1)
    directions["Fill"] = fill / np.linalg.norm(fill)
    normals = sphere(NORMALS)
    seen = irradiance(torch.as_tensor(normals).float(), found).double().numpy()
    shade = [np.ones(len(normals)), *((normals @ towards).clip(min=0) for towards in directions.values())]
    weight = np.where(normals[:, 2] < TURNED_AWAY, 1.0, UNSEEN)[:, None]
    design, target = np.stack(shade, axis=1) * weight, seen.clip(min=0) * weight
    colours = np.stack([nnls(design, target[:, channel])[0] for channel in range(3)], axis=1)
    lamps = [
        {"name": name, "towards": towards.tolist(), "colour": colour.tolist()}
        for (name, towards), colour in zip(directions.items(), colours[1:], strict=True)
    ]
    return lamps, colours[0]


def key_direction(found: Light) -> Float[np.ndarray, "3"]:
    """Where the light is strongest, on the camera's side of the head and to one side of it."""
    towards = found.direction.double().numpy().copy()
    towards[2] = min(towards[2], -0.3)
    side = np.sign(towards[0]) or 1.0
    towards[0] = side * max(abs(towards[0]), SIDE)
    return towards / np.linalg.norm(towards)


def sphere(count: int) -> Float[np.ndarray, "N 3"]:
    """Evenly spread unit vectors (Fibonacci)."""
    index = np.arange(count) + 0.5
    z, turn = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    ring = np.sqrt(1 - z**2)
    return np.stack([ring * np.cos(turn), ring * np.sin(turn), z], axis=1)
