"""`spark capture`: videos in, a personal head and a take of every clip out."""

from collections.abc import Mapping
from typing import Any

from ..protocol.avatar import load_avatar
from ..protocol.job import Report
from ..protocol.project import open_project
from .options import CaptureOptions, FitOptions, IngestOptions, TrackOptions
from .progress import sections, shares

# Relative durations of the steps, measured on 150 frames of 720p.
STEPS = {"ingest": 1.0, "fit": 4.0, "track": 1.5}
PICTURES_FACTOR = 3.0
"""How much longer tracking takes when pictures are compared."""


def capture(options: CaptureOptions, report: Report) -> Mapping[str, Any]:
    """Ingests the clips, fits the head to all clips of the project unless it is kept, tracks the given ones.

    `takes` of the result maps each clip's name to the path of its take. `SparkError` before anything is read when the
    head is to be kept and there is none.
    """
    from .fit import fit
    from .track import track

    if options.keep_head:
        load_avatar(open_project(options.project).avatar_folder)
    step = sections(report, durations(options))
    ingested = ingest_clips(options, step["ingest"])
    if not options.keep_head:
        fit(FitOptions(options.project, options.preset), step["fit"])
    takes = {}
    for clip, part in zip(ingested, shares(step["track"], len(ingested)), strict=True):
        track(TrackOptions(options.project, clip, options.tracker), part)
        takes[clip] = str(open_project(options.project).take_path(clip))
    return {
        "project": str(options.project),
        "avatar": str(open_project(options.project).avatar_folder),
        "takes": takes,
    }


def durations(options: CaptureOptions) -> dict[str, float]:
    """Relative durations of the steps that the options ask for."""
    track = STEPS["track"] * (PICTURES_FACTOR if options.tracker == "optimise" else 1)
    fit = {} if options.keep_head else {"fit": STEPS["fit"]}
    return {"ingest": STEPS["ingest"], **fit, "track": track}


def ingest_clips(options: CaptureOptions, report: Report) -> list[str]:
    """Names of the clips after ingesting them."""
    from .ingest import ingest

    return list(ingest(IngestOptions(options.project, options.clips, options.face), report)["clips"])
