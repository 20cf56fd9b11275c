"""`spark track`: what every frame of a clip does, on the person's own head."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..heads.anny import load_anny
from ..heads.model import HeadModel
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.job import Metric, Report
from ..protocol.project import ClipInfo, Frames, Project, load_clip, open_project
from ..protocol.take import save_take
from ..solve.look import LOOK, load_look
from ..solve.options import SolveOptions
from ..solve.person import fit_person
from ..solve.to_take import state_to_take
from ..solve.tracking import Clip, track_clip
from .expressions import read_expressions
from .measure import clip_figures
from .options import TrackOptions
from .progress import sections, told
from .streamed import streamed
from .tracked import Tracked, source_of

FOCAL_FRAMES = 24
"""Keyframes from which the focal length of a clip is found that the fit has not seen."""


def track(options: TrackOptions, report: Report) -> Mapping[str, Any]:
    """Writes `takes/NAME.npz` of the project."""
    project = open_project(options.project)
    avatar = load_avatar(project.avatar_folder)
    solves = options.tracker in ("landmarks", "optimise")
    tracked = (solved if solves else streamed)(project, avatar, options, report)
    path = project.take_path(options.output or tracked.name)
    save_take(path, tracked.take)
    figures = clip_figures(avatar, tracked.take, tracked.frames)
    report(Metric("reprojection", figures.reprojection, "% of the interocular distance"))
    report(Metric("jitter", figures.jitter, "mm"))
    return {"take": str(path), "reprojection": figures.reprojection, "jitter": figures.jitter}


def solved(project: Project, avatar: Avatar, options: TrackOptions, report: Report) -> Tracked:
    """All frames of an ingested clip together: from their landmarks, from what the encoder reads in them and, with
    `optimise`, from the pictures."""
    info, frames = load_clip(project.clip_folder(options.clip))
    head, solver = load_anny(), SolveOptions()
    focal = focal_of(head, avatar, options.clip, info, frames)
    stage, pictures = f"Tracking {options.clip}", options.tracker == "optimise"
    parts = sections(report, {"read": 1.0, "solve": 4.0 if pictures else 1.0})
    [evidence] = read_expressions(avatar, [(info, frames)], solver, parts["read"], stage)
    look = load_look(project.avatar_folder / LOOK) if pictures else None
    clip, tick = Clip(info, frames, evidence, focal), told(parts["solve"], stage)
    state = track_clip(head, avatar, clip, solver, tick, with_pictures=pictures, look=look)
    source = source_of(info.source, info.digest, options, "second differences, Huber")
    return Tracked(state_to_take(avatar, info, frames, state, focal, source), frames, options.clip)


def focal_of(head: HeadModel, avatar: Avatar, clip: str, info: ClipInfo, frames: Frames) -> float:
    """Focal length of a clip in pixels.

    As the fit found it; of another clip, that of the fitted clips with pictures of the same size, which are taken to be
    of the same camera, for landmarks alone hardly tell; else found now on the head that there is.
    """
    focal, size = avatar.metrics.get("focal", {}), avatar.metrics.get("picture_size", {})
    if clip in focal:
        return float(focal[clip])
    alike = [focal[name] for name in focal if tuple(size.get(name, ())) == tuple(info.size)]
    if alike:
        return float(np.exp(np.mean(np.log(alike))))
    return float(fit_person(head, [(info, frames)], FOCAL_FRAMES, SolveOptions(), avatar=avatar).focal[0])
