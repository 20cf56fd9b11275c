"""`spark evaluate`: trackers side by side, judged by SPARK's protocol and some measures of our own."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..evaluate.measures import MEASURES, Summary, summarise
from ..evaluate.regions import CLASSES
from ..protocol.avatar import load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from ..protocol.project import Project, load_clip, load_clip_info, open_project
from ..protocol.storage import write_json
from .evaluate_page import write_evaluation
from .judge import Protocol, Verdict, judge_clip
from .options import EvaluateOptions
from .progress import section, shares
from .trackers import check_names, contenders

TRACKING = 0.6
"""Part of the time that tracking takes, when it is needed."""


def evaluate(options: EvaluateOptions, report: Report) -> Mapping[str, Any]:
    """Writes the page and the figures; `scores` of the result has a row a measure, with the mean of each tracker."""
    project = open_project(options.project)
    check(options, project)
    avatar = load_avatar(project.avatar_folder)
    fitted = set(avatar.metrics.get("focal", {})) & set(options.clips)
    if fitted:
        report(Warning(f"The avatar was fitted to {', '.join(sorted(fitted))}; hold clips out for a fair judgement"))
    verdicts: list[Verdict] = []
    for clip, part in zip(options.clips, shares(report, len(options.clips)), strict=True):
        rivals = contenders(project, clip, options.trackers, section(part, 0, TRACKING))
        labels = None if options.labels is None else options.labels / clip
        protocol = Protocol(options.frame_interval, options.num_frames, options.seed, labels)
        info, frames = load_clip(project.clip_folder(clip))
        verdicts += judge_clip(avatar, clip, info, frames, rivals, protocol, section(part, TRACKING, 1))
    page = options.output or project.folder / "exports" / "evaluation.html"
    figures = page.with_suffix(".json")
    write_json(figures, {"protocol": protocol_of(options), "clips": clip_figures(verdicts)})
    write_evaluation(page, options, verdicts)
    return {"page": str(page), "figures": str(figures), "scores": score_rows(options.trackers, verdicts)}


def check(options: EvaluateOptions, project: Project) -> None:
    """Refuses what cannot be done before anything is."""
    if not options.clips:
        known = f"; its clips are {', '.join(project.clips)}" if project.clips else ""
        raise SparkError(f"No clip named{known}; name at least one, as in `spark evaluate anna.spark interview`")
    for clip in options.clips:
        load_clip_info(project.clip_folder(clip))
    if options.frame_interval < 1 or options.num_frames < 1 or options.seed < 0:
        raise SparkError("--frame-interval and --num-frames must be 1 or more, --seed 0 or more")
    if options.output is not None and options.output.suffix.lower() not in (".html", ".htm"):
        raise SparkError(f"{options.output}: the page is HTML; end its name in .html")
    load_avatar(project.avatar_folder)
    check_names(project, options.trackers)


def protocol_of(options: EvaluateOptions) -> dict[str, Any]:
    """How the figures came about."""
    return {
        "frame_interval": options.frame_interval,
        "num_frames": options.num_frames,
        "seed": options.seed,
        "labels": None if options.labels is None else str(options.labels),
    }


def pooled(verdicts: Sequence[Verdict], tracker: str, measure: str) -> Summary:
    """One tracker's values over all clips."""
    return summarise([verdict.values[measure] for verdict in verdicts if verdict.tracker == tracker])


def score_rows(trackers: Sequence[str], verdicts: Sequence[Verdict]) -> list[dict[str, Any]]:
    """The means, for the screen."""
    rows = []
    for name, measure in MEASURES.items():
        means = {tracker: known(asdict(pooled(verdicts, tracker, name)))["mean"] for tracker in trackers}
        rows.append({"measure": measure.title, "unit": measure.unit, **means})
    return rows


def clip_figures(verdicts: Sequence[Verdict]) -> dict[str, dict[str, Any]]:
    """By clip and tracker: every measure summarised, regions one by one, renders without a face."""
    result: dict[str, dict[str, Any]] = {}
    for verdict in verdicts:
        measures = {name: known(asdict(summarise([values]))) for name, values in verdict.values.items()}
        regions = dict(zip(CLASSES, np.round(verdict.classes.mean(0), 5).tolist(), strict=True))
        figures = {"measures": measures, "iou_by_region": regions, "renders_without_a_face": verdict.unseen}
        result.setdefault(verdict.clip, {})[verdict.tracker] = figures
    return result


def known(figures: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: value if np.isfinite(value) else None for name, value in figures.items()}
