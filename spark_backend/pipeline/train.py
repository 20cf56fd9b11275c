"""`spark train`: reads the videos that were not read yet, then fits the head to all clips of the project."""

from collections.abc import Mapping
from typing import Any

from ..protocol.job import Report
from ..protocol.project import open_project
from .capture import STEPS
from .fit import fit
from .ingest import ingest, is_clip_of, open_or_create
from .options import FitOptions, IngestOptions, TrainOptions
from .progress import sections


def train(options: TrainOptions, report: Report) -> Mapping[str, Any]:
    """Ingests and fits. A job that was stopped goes on where it was when it is run again: a clip is read once."""
    project = open_or_create(options.project)
    known = project.clips
    unread = tuple(video for video in options.clips if not any(is_clip_of(project, name, video) for name in known))
    step = sections(report, {**({"ingest": STEPS["ingest"]} if unread else {}), "fit": STEPS["fit"]})
    if unread:
        ingest(IngestOptions(options.project, unread), step["ingest"])
    result = fit(FitOptions(options.project, options.preset, subdivide=options.subdivide), step["fit"])
    return {**result, "project": str(options.project), "avatar": str(open_project(options.project).avatar_folder)}
