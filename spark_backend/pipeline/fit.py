"""`spark fit`: the personal head from all ingested clips: who the person is, then what their skin looks like."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..fit.choice import Observation
from ..fit.texture import bake_textures
from ..heads.anny import load_anny
from ..protocol.avatar import Avatar, save_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Metric, Progress, Report
from ..protocol.project import Project, load_clip, open_project
from ..protocol.storage import filesystem_errors
from ..solve.options import SolveOptions
from ..solve.person import fit_person
from ..solve.to_take import state_to_take
from ..solve.tracking import track_clip
from .measure import clip_figures
from .options import FitOptions
from .progress import sections


@dataclass(frozen=True)
class Effort:
    """What a preset means for the landmark fit."""

    keyframes: int
    """Frames of all clips together from which the person is solved."""
    map_size: int
    """Pixels on a side of the texture maps."""


EFFORT = {"draft": Effort(40, 1024), "standard": Effort(72, 1024), "high": Effort(120, 2048)}
STEPS = {"person": 3.0, "tracks": 1.5, "texture": 3.0}


def fit(options: FitOptions, report: Report) -> Mapping[str, Any]:
    """Writes `avatar/` of the project; the old one stays until the new one is whole."""
    project = open_project(options.project)
    if not project.clips:
        raise SparkError(f"{options.project}: has no clips; add some with `spark ingest`")
    clips = [load_clip(project.clip_folder(name)) for name in project.clips]
    step, effort, solver = sections(report, STEPS), EFFORT[options.preset], SolveOptions()

    head = load_anny()
    person = fit_person(head, clips, effort.keyframes, solver, told(step["person"], "Finding the person's shape"))
    avatar = head.avatar(person.identity)
    observations, errors = [], []
    for number, ((info, frames), focal) in enumerate(zip(clips, person.focal, strict=True)):
        tick = told(step["tracks"], f"Tracking {project.clips[number]}", number / len(clips), 1 / len(clips))
        state = track_clip(head, avatar, info, frames, float(focal), solver, tick)
        take = state_to_take(avatar, info, frames, state, float(focal), {})
        errors.append(clip_figures(avatar, take, frames).reprojection)
        observations.append(Observation(Path(info.source), take))
    metrics = {"focal": {name: float(f) for name, f in zip(project.clips, person.focal, strict=True)}}
    metrics["reprojection"] = dict(zip(project.clips, errors, strict=True))
    report(Metric("reprojection", sum(errors) / len(errors), "% of the interocular distance"))
    avatar = replace(avatar, metrics=metrics)
    write_avatar(project, avatar, observations, effort.map_size, step["texture"])
    return {"avatar": str(project.avatar_folder), "reprojection": sum(errors) / len(errors)}


def told(report: Report, stage: str, start: float = 0.0, share: float = 1.0):
    """The solver's tick as progress."""
    return lambda part: report(Progress(stage, start + share * part))


def write_avatar(project: Project, avatar: Avatar, observations: list[Observation], size: int, report: Report) -> None:
    """Bakes the maps and writes everything beside the old avatar, then takes its place."""
    fresh, old = project.folder / ".avatar-new", project.folder / ".avatar-old"
    with filesystem_errors(fresh):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
    try:
        maps = bake_textures(avatar, observations, fresh, size=size, report=report)
        save_avatar(fresh, replace(avatar, maps=maps))
        shutil.rmtree(old, ignore_errors=True)
        if project.avatar_folder.exists():
            project.avatar_folder.replace(old)
        fresh.replace(project.avatar_folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
