"""What the encoder learns a person from: renders of their own avatar and frames of their clips, kept meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load, save
from torch import Tensor

from ..adapt.disturb import Odds
from ..adapt.expressions import random_weights
from ..adapt.lessons import lessons_of
from ..adapt.pictures import Subject, subject_of
from ..adapt.rows import draw_rows, joined
from ..adapt.sights import Looker, Sights, Views, joined_sights, see_clip, spread_rows
from ..adapt.train import Lessons
from ..encoders.mediapipe import load_score_network
from ..encoders.readout import Glance, Readout
from ..heads.anny import load_anny
from ..protocol.avatar import Avatar
from ..protocol.job import Progress, Report
from ..protocol.project import Project, load_clip
from ..protocol.storage import write_atomic
from ..render.choice import rasterizer_by_name
from ..render.reflectance import Maps
from ..render.surface import linear_map
from ..track.network import open_cues
from .look import PLAIN_COLOURS, SHINE, read_picture
from .people import moments
from .progress import shares, told
from .teacher import Pupil, teach

JUDGED_PART = 0.2
"""Of the renders, and of the frames when there is one clip only."""
BATCH = 8


@dataclass(frozen=True)
class Effort:
    """What a preset means."""

    renders: int
    frames: int
    """Of each clip, at most."""
    epochs: int


EFFORT = {"draft": Effort(320, 80, 30), "standard": Effort(960, 300, 40), "high": Effort(2400, 900, 60)}
VIEWS = 2
"""Of each render, differently disturbed."""


@dataclass(frozen=True)
class Studio:
    """Where lessons are made."""

    project: Project
    avatar: Avatar
    bundle: bytes
    readout: Readout
    """Whose projections shorten the cues."""
    seed: int
    work: Path
    """Folder for what is kept, so that a run that was stopped goes on."""


def own_lessons(studio: Studio, renders: int, report: Report) -> tuple[Lessons, Lessons]:
    """Renders of the avatar under random expressions, poses and lights: to learn from, and to judge by."""
    path = studio.work / "renders.safetensors"
    if path.exists():
        lessons = lessons_from(load(path.read_bytes()))
    else:
        lessons = draw_lessons(studio, renders, report)
        keep(path, tensors_of(lessons))
    judged = torch.arange(len(lessons)) >= (1 - JUDGED_PART) * len(lessons)
    return lessons.select((~judged).nonzero()[:, 0]), lessons.select(judged.nonzero()[:, 0])


def draw_lessons(studio: Studio, renders: int, report: Report) -> Lessons:
    """Draws and looks at them, without gradients."""
    random = np.random.default_rng((studio.seed, 1))
    subject, rasterizer = own_subject(studio.avatar), rasterizer_by_name()
    engine = open_cues(studio.bundle, report)
    weights = random_weights(random, moments(load_anny(), (), (), studio.seed), renders)
    parts = []
    for rows in draw_rows(random, subject, weights, VIEWS, engine, rasterizer, Odds(), BATCH):
        parts.append(rows)
        report(Progress("Drawing the person", len(parts) * BATCH / (renders * VIEWS)))
    return lessons_of(iter([joined(parts)]), studio.readout, load_score_network(studio.bundle))


def own_subject(avatar: Avatar) -> Subject:
    """The avatar with its own maps, or in plain colours where it has none."""
    albedo = avatar.maps.get("albedo")
    colour = torch.tensor(PLAIN_COLOURS["skin"]).expand(8, 8, 3) if albedo is None else linear_map(read_picture(albedo))
    texels = torch.zeros(*colour.shape[:2], 8)
    texels[..., :3], texels[..., 7] = colour[..., :3], 1.0
    texels[..., 3], texels[..., 4] = SHINE["skin"]
    return subject_of(avatar, Maps(texels))


def person_sights(studio: Studio, clips: Sequence[str], frames: int, look: Report, compare: Report) -> list[Sights]:
    """Real frames of each clip, at most so many, with what the teacher says of them."""
    looker = Looker(open_cues(studio.bundle, look), load_score_network(studio.bundle), studio.readout)
    pupils, views = [], []
    for number, (clip, part) in enumerate(zip(clips, shares(look, len(clips)), strict=True)):
        info, seen = load_clip(studio.project.clip_folder(clip))
        pupils.append(Pupil(clip, seen, spread_rows(seen, frames)))
        random = np.random.default_rng((studio.seed, 2, number))
        views.append(
            clip_views(studio, pupils[-1], Path(info.source), looker, random, told(part, f"Looking at {clip}"))
        )
    taught = teach(studio.project, studio.avatar, pupils, studio.work, compare)
    return [Sights(*one, answer) for one, answer in zip(views, taught, strict=True)]


def learned_and_judged(parts: list[Sights]) -> tuple[Sights, Sights]:
    """All clips but the last to learn from, and the last to judge by; of one clip, its end."""
    if len(parts) > 1:
        return joined_sights(parts[:-1]), parts[-1]
    count = round((1 - JUDGED_PART) * parts[0].count())
    rows = torch.arange(parts[0].count())
    return parts[0].select(rows[:count]), parts[0].select(rows[count:])


def clip_views(
    studio: Studio,
    pupil: Pupil,
    video: Path,
    looker: Looker,
    random: np.random.Generator,
    tick: Callable[[float], None],
) -> Views:
    """Frames of one clip, from the work folder when they are there."""
    path = studio.work / f"{pupil.clip}.safetensors"
    if path.exists():
        tensors = load(path.read_bytes())
        return Views(*(glance_from(tensors, name) for name in Views._fields))
    views = see_clip(video, pupil.frames, pupil.rows, looker, random, tick)
    keep(path, glance_tensors(views.clean, "clean") | glance_tensors(views.disturbed, "disturbed"))
    return views


def glance_tensors(glance: Glance, prefix: str) -> dict[str, Tensor]:
    """By name, for a file."""
    return {f"{prefix}.{name}": value.contiguous() for name, value in glance._asdict().items()}


def glance_from(tensors: Mapping[str, Tensor], prefix: str) -> Glance:
    """What `glance_tensors` gave."""
    return Glance(**{name: tensors[f"{prefix}.{name}"] for name in Glance._fields})


def tensors_of(lessons: Lessons) -> dict[str, Tensor]:
    """By name, for a file."""
    plain = {f.name: getattr(lessons, f.name).contiguous() for f in fields(lessons) if f.name != "glance"}
    return plain | glance_tensors(lessons.glance, "glance")


def lessons_from(tensors: Mapping[str, Tensor]) -> Lessons:
    """What `tensors_of` gave."""
    plain = {f.name: tensors[f.name] for f in fields(Lessons) if f.name != "glance"}
    return Lessons(glance_from(tensors, "glance"), **plain)


def keep(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Writes tensors."""
    content = save(dict(tensors))
    write_atomic(path, lambda file: file.write(content))
