"""The trackers that are judged side by side: one table says how the take of each comes about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import torch

from ..heads.anny import load_anny
from ..heads.model import HeadModel
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report
from ..protocol.project import ClipInfo, Frames, Project, load_clip
from ..protocol.take import Take, load_take, save_take
from ..solve.landmark_model import FREE_INDEX, landmark_model
from ..solve.person import centred
from ..solve.start import initial_state
from ..solve.to_take import state_to_take
from .options import Tracker, TrackOptions
from .progress import shares
from .track import focal_of, track


@dataclass(frozen=True)
class Contender:
    """A tracker, or a take by its own name, and what it made of the clip."""

    name: str
    take: Take


Run = Callable[[Project, str, str, Report], None]
"""Writes the take of a clip: project, clip, name of the take, report."""


def run_mediapipe(project: Project, clip: str, take: str, report: Report) -> None:
    """MediaPipe's own scores played on the person's head: what there is without any of our solvers."""
    avatar, head = load_avatar(project.avatar_folder), load_anny()
    info, frames = load_clip(project.clip_folder(clip))
    focal = focal_of(head, avatar, clip, info, frames)
    save_take(project.take_path(take), play_scores(head, avatar, info, frames, focal, clip))


def run_tracker(tracker: Tracker, project: Project, clip: str, take: str, report: Report) -> None:
    """`spark track`."""
    track(TrackOptions(project.folder, clip, tracker, take), report)


TRACKERS: Mapping[str, Run] = {
    "mediapipe": run_mediapipe,
    **{name: partial(run_tracker, name) for name in get_args(Tracker)},
}


def play_scores(head: HeadModel, avatar: Avatar, info: ClipInfo, frames: Frames, focal: float, clip: str = "") -> Take:
    """MediaPipe's scores as weights and a rigid pose of each frame from its landmarks alone; gaze ahead."""
    seen = np.flatnonzero(frames.valid)
    scores, model = frames.scores[seen][:, FREE_INDEX], landmark_model(head, avatar)
    places, number = centred(info, frames)[seen], np.zeros(len(seen), int)
    state, _ = initial_state(model, places, scores, number, np.array([focal]))
    state = replace(state, weights=torch.as_tensor(scores).double())
    source = {"path": info.source, "digest": info.digest, "clip": clip, "tracker": "mediapipe", "smoothing": "none"}
    return state_to_take(avatar, info, frames, state, focal, source)


def contenders(project: Project, clip: str, names: Sequence[str], report: Report) -> list[Contender]:
    """The takes of the named trackers; those that are missing, or older than the avatar, are made first."""
    check_names(project, names)
    _, frames = load_clip(project.clip_folder(clip))
    result = []
    for name, part in zip(names, shares(report, len(names)), strict=True):
        path = find_take(project, clip, name)
        if path is None:
            path = project.take_path(f"{clip}_{name}")
            TRACKERS[name](project, clip, path.stem, part)
        result.append(Contender(name, matching_take(path, clip, frames)))
    return result


def check_names(project: Project, names: Sequence[str]) -> None:
    """Refuses what is neither a tracker nor a take, before any work is done."""
    if not names:
        raise SparkError(f"No tracker named; choose some of {', '.join(TRACKERS)} or takes of the project")
    if len(set(names)) < len(names):
        raise SparkError(f"{', '.join(names)}: a tracker is named twice; name each once")
    for name in names:
        if name not in TRACKERS and not project.take_path(name).is_file():
            takes = sorted(path.stem for path in project.take_path("x").parent.glob("*.npz"))
            known = f", and its takes are {', '.join(takes)}" if takes else ""
            raise SparkError(
                f"{name}: neither a tracker nor a take of {project.folder}; trackers are {', '.join(TRACKERS)}{known}"
            )


def find_take(project: Project, clip: str, name: str) -> Path | None:
    """The file of a take by its name, or of what a tracker made of the clip on the present avatar."""
    if name not in TRACKERS:
        return project.take_path(name)
    avatar_time = (project.avatar_folder / "avatar.npz").stat().st_mtime
    for path in (project.take_path(clip), project.take_path(f"{clip}_{name}")):
        if path.is_file() and path.stat().st_mtime >= avatar_time:
            source = load_take(path).source
            if source.get("clip") == clip and source.get("tracker") == name:
                return path
    return None


def matching_take(path: Path, clip: str, frames: Frames) -> Take:
    """The take, which must be of this clip."""
    take = load_take(path)
    if take.source.get("clip", clip) != clip or len(take.pts) != len(frames.pts):
        raise SparkError(
            f"{path.stem}: not a take of the clip {clip} as it is now; track the clip again or leave it out"
        )
    return take
