"""The slow teacher: what the person does in their clips, by the solver that compares pictures with their own look.

SPARK sends the gradient of every training step through the avatar and the renderer. Here pictures are compared once, by
`spark track --tracker optimise`, which sees a whole clip at a time; the encoder then learns the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Int

from ..adapt.sights import Taught
from ..encoders.crop import crop_around
from ..geometry.landmarks import LandmarkHead
from ..geometry.rotation import as_looked_at
from ..protocol.avatar import Avatar
from ..protocol.job import Report
from ..protocol.names import ARKIT_52
from ..protocol.posing import quaternion_to_matrix
from ..protocol.project import Frames, Project
from ..protocol.take import Take, load_take, save_take
from .options import TrackOptions
from .progress import shares
from .track import solved


@dataclass(frozen=True)
class Pupil:
    """Frames of one clip that the encoder is to learn from."""

    clip: str
    frames: Frames
    rows: Int[np.ndarray, "N"]


def teach(project: Project, avatar: Avatar, pupils: Sequence[Pupil], work: Path, report: Report) -> list[Taught]:
    """What the person does in the frames of each clip. Takes that lie in `work` are not made again."""
    answers = []
    for pupil, part in zip(pupils, shares(report, len(pupils)), strict=True):
        path = work / f"{pupil.clip}_teacher.npz"
        if not path.exists():
            options = TrackOptions(project.folder, pupil.clip, "optimise")
            save_take(path, solved(project, avatar, options, part).take)
        answers.append(taught_of(LandmarkHead(avatar), load_take(path), pupil))
    return answers


def taught_of(head: LandmarkHead, take: Take, pupil: Pupil) -> Taught:
    """Frames of a take in the terms of their crops."""
    rows = pupil.rows
    angle = torch.tensor([crop_around(landmarks).angle for landmarks in pupil.frames.landmarks[rows]])
    rotation = torch.as_tensor(quaternion_to_matrix(take.head_rotation[rows])).float()
    place = torch.as_tensor(take.head_translation[rows]).float() + rotation @ head.middle
    weights = np.stack([take.weight(name)[rows] for name in ARKIT_52], -1)
    return Taught(torch.as_tensor(weights).float(), as_looked_at(rotation, place, angle))
