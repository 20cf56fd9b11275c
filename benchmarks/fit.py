"""Fits a head to some clips of a person and judges it on a clip that was not fitted, before and after the pictures.

    python benchmarks/fit.py CLIP... --held CLIP [--preset draft|standard|high] [--scorer SCRIPT] [--keep FOLDER]
                             [--without LOSS...] [--also LOSS...] [--each-loss [LOSS...]]

`landmarks` is the head solved from landmarks alone, tracked by `landmarks`; the others are the head fitted to pictures
too, tracked by `landmarks` and by `optimise`. Without `--scorer` the measures are those of `spark evaluate`. With it, a
held clip that has its truth beside it as `NAME.npz` is scored by `SCRIPT NAME.npz TAKE.npz --json OUT`: error of the
core surface and of its neutral frame (median, mm), detrended reprojection (%), of lips and of lids, head rotation
(degrees, and after a constant offset), excess jitter (mm), mean correlation of the curves. `redetected` of `spark
evaluate` is how far apart MediaPipe finds the face in the frame and in the picture of the head.

`--each-loss` says what each loss (or each of those named) is worth, and nothing else: the fit to pictures anew without
each of the preset's losses in turn and with each of the extra ones, judged in the frames that were fitted, with the
poses that the fit found there; no texture is baked and no clip tracked. It needs `--scorer`, and truths beside the
fitted clips.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from spark_backend.evaluate.measures import MEASURES
from spark_backend.fit.refine.outcome import Outcome
from spark_backend.fit.refine.stages import CURRICULA, EXTRA, also, without
from spark_backend.fit.texture import take_rows
from spark_backend.pipeline.evaluate import evaluate
from spark_backend.pipeline.export import write_geometry
from spark_backend.pipeline.files import export
from spark_backend.pipeline.fit import EFFORT, curriculum, fit, fit_key, landmark_stage, work_folder, write_avatar
from spark_backend.pipeline.ingest import ingest
from spark_backend.pipeline.options import EvaluateOptions, ExportOptions, FitOptions, IngestOptions, TrackOptions
from spark_backend.pipeline.refining import refine
from spark_backend.pipeline.track import track
from spark_backend.protocol.avatar import Avatar, load_avatar
from spark_backend.protocol.job import Event
from spark_backend.protocol.project import Project, load_clip, open_project
from spark_backend.protocol.take import Take
from spark_backend.solve.look import LOOK


def main() -> None:
    """Prints a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    parser.add_argument("--held", type=Path, required=True)
    parser.add_argument("--preset", default="standard")
    parser.add_argument("--scorer", type=Path)
    parser.add_argument("--keep", type=Path, help="leave the projects there")
    parser.add_argument("--without", nargs="*", default=[])
    parser.add_argument("--also", nargs="*", default=[])
    parser.add_argument("--each-loss", nargs="*")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = (options.keep or Path(scratch)) / f"{options.held.stem}.spark"
        if not (folder / "project.json").exists():
            ingest(IngestOptions(folder, tuple(options.clips)), ignore)
        if options.each_loss is not None:
            worth_of_losses(folder, options)
            return
        before = folder.with_name(f"{options.held.stem}_landmarks.spark")
        fit_to_landmarks(folder, before, options)
        judge("landmarks", before, "landmarks", options)
        began = time.perf_counter()
        fit(FitOptions(folder, options.preset, tuple(options.without), tuple(options.also)), ignore)
        print(f"fitted: {time.perf_counter() - began:.0f} s, {peak_memory()} at most", flush=True)
        for tracker in ("landmarks", "optimise"):
            judge("fitted", folder, tracker, options)


def worth_of_losses(folder: Path, options: argparse.Namespace) -> None:
    """Prints a row for each curriculum; the landmarks' part is found once."""
    project, effort, every = open_project(folder), EFFORT[options.preset], CURRICULA[options.preset]
    clips = tuple(load_clip(project.clip_folder(name)) for name in project.clips)
    known = landmark_stage(project, clips, effort, fit_key(clips, effort, every), ignore)
    chosen = options.each_loss or [*dict.fromkeys(name for stage in every for name in stage.loss_weights), *EXTRA]
    curricula = {"all": every}
    for name in chosen:
        extra = name in EXTRA
        curricula[f"{'also' if extra else 'without'} {name}"] = (also if extra else without)(every, name)
    for name, stages in curricula.items():
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as scratch:
            outcome = refine(known, stages, effort.keyframes, effort.batch, Path(scratch), name, ignore)
        seconds = time.perf_counter() - began
        pairs = zip(options.clips, outcome.takes, strict=True)
        figures = [fitted_frames(outcome.avatar, *pair, options.scorer) for pair in pairs]
        cells = [f"{key} {np.mean([each[key] for each in figures]):.3f}" for key in figures[0]]
        print(f"{name:24} {seconds:4.0f} s  " + "  ".join(cells), flush=True)


def fitted_frames(avatar: Avatar, video: Path, take: Take, scorer: Path) -> Mapping[str, float]:
    """Errors in the frames of a clip that took part; no jitter, for they do not follow each other."""
    with tempfile.TemporaryDirectory() as scratch:
        geometry = Path(scratch) / "geometry.npz"
        write_geometry(geometry, avatar, take_rows(take, np.flatnonzero(take.valid)))
        figures = dict(score(video.with_suffix(".npz"), geometry, scorer))
    figures.pop("jitter")
    return figures


def fit_to_landmarks(source: Path, folder: Path, options: argparse.Namespace) -> None:
    """A project with the head as it is before any picture is compared."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("avatar", "takes", "fit"))
    project, effort = open_project(folder), EFFORT[options.preset]
    clips = tuple(load_clip(project.clip_folder(name)) for name in project.clips)
    key = fit_key(clips, effort, curriculum(FitOptions(folder, options.preset)))
    known = landmark_stage(project, clips, effort, key, ignore)
    keep_landmarks(project, open_project(source))
    focal = tuple(float(take.K[0, 0]) for take in known.takes)
    metrics = {"focal": dict(zip(project.clips, focal, strict=True))}
    metrics["picture_size"] = {name: list(info.size) for name, (info, _) in zip(project.clips, clips, strict=True)}
    avatar = replace(known.avatar, metrics=metrics)
    write_avatar(project, Outcome(avatar, focal, known.takes), clips, effort.map_size, {}, ignore)
    (project.avatar_folder / LOOK).unlink()


def keep_landmarks(project: Project, other: Project) -> None:
    """Gives what the landmarks told to the fit that follows, so that it is not found twice."""
    shutil.rmtree(work_folder(other), ignore_errors=True)
    shutil.copytree(work_folder(project), work_folder(other))


def judge(name: str, folder: Path, tracker: str, options: argparse.Namespace) -> None:
    """Tracks the held clip and prints its row; the clip then leaves the project again."""
    judged = folder.with_name(f"{folder.stem}_judged.spark")
    shutil.rmtree(judged, ignore_errors=True)
    shutil.copytree(folder, judged)
    clip = next(iter(ingest(IngestOptions(judged, (options.held,)), ignore)["clips"]))
    track(TrackOptions(judged, clip, tracker), ignore)
    truth = options.held.with_suffix(".npz")
    by_truth = options.scorer is not None and truth.exists()
    figures = scored(judged, clip, truth, options.scorer) if by_truth else evaluated(judged, clip, tracker)
    focal = np.exp(np.mean(np.log(list(load_avatar(judged / "avatar").metrics["focal"].values()))))
    cells = [f"{key} {value:.3f}" for key, value in figures.items()]
    print(f"{name:20} {tracker:9} focal {focal:.0f}  " + "  ".join(cells), flush=True)


def scored(folder: Path, clip: str, truth: Path, scorer: Path) -> Mapping[str, float]:
    """Errors against the truth."""
    geometry = folder / "exports" / f"{clip}.npz"
    export(ExportOptions(folder, geometry, clip, geometry=True), ignore)
    return score(truth, geometry, scorer)


def score(truth: Path, geometry: Path, scorer: Path) -> Mapping[str, float]:
    """The scorer's figures that a row has."""
    result = geometry.with_name(f"{geometry.stem}_score.json")
    command = [sys.executable, str(scorer), str(truth), str(geometry), "--json", str(result)]
    subprocess.run(command, check=True, capture_output=True)
    score = json.loads(result.read_text("utf-8"))
    regions = score["reproj_regions_mean"]
    return {
        "core": score["geometry_core_mm"]["median"],
        "neutral": score["geometry_neutral_mm"]["median"],
        "detrended": score["reproj_percent_ipd"]["detrended_mean"],
        "lips": regions["lips"][1],
        "lids": regions["eyelids"][1],
        "rotation": score["rotation_deg"]["mean"],
        "after offset": score["rotation_deg"]["mean_after_constant_offset"],
        "jitter": score["jitter_mm"]["excess"],
        "r": score["expression"]["mean_r"],
    }


def evaluated(folder: Path, clip: str, tracker: str) -> Mapping[str, float]:
    """The measures of `spark evaluate`."""
    path = Path(evaluate(EvaluateOptions(folder, (clip,), (tracker,)), ignore)["figures"])
    figures = json.loads(path.read_text("utf-8"))
    measures = figures["clips"][clip][tracker]["measures"]
    return {name: measures[name]["mean"] for name in MEASURES if measures[name]["mean"] is not None}


def peak_memory() -> str:
    """Of this process until now."""
    if sys.platform == "win32":
        return "unknown memory"
    import resource  # Windows has none

    unit = 1 if sys.platform == "darwin" else 1024
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30:.2f} GB"


def ignore(event: Event) -> None:
    """A report for nobody."""


if __name__ == "__main__":
    main()
