"""Captures clips, each as a person of its own, and prints how well each take fits, how still it is, how long it took.

    python benchmarks/capture.py VIDEO... [--preset draft|standard|high] [--tracker generic|landmarks|optimise]
                                 [--keep FOLDER] [--scorer SCRIPT]

`error` is the landmark error in % of the distance between the pupils; `scores` is the same of the baseline, MediaPipe's
own expression scores played on the average head with a rigid pose of each frame, and `ratio` the one over the other;
`2nd diff` is the mean second difference of the face's vertices in mm, `fps` frames a second of the whole command `spark
track`, from its start to its end. With `--scorer`, a video that has its truth beside it as `NAME.npz` is scored by
`SCRIPT NAME.npz TAKE.npz --json OUT`, and detrended reprojection (%), head rotation (degrees) and excess jitter (mm)
are added.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.files import export
from spark_backend.pipeline.fit import fit
from spark_backend.pipeline.ingest import ingest
from spark_backend.pipeline.measure import ClipFigures, clip_figures
from spark_backend.pipeline.options import ExportOptions, FitOptions, IngestOptions
from spark_backend.pipeline.trackers import play_scores
from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Event
from spark_backend.protocol.project import ClipInfo, Frames, load_clip, open_project
from spark_backend.protocol.take import load_take
from spark_backend.solve.options import SolveOptions
from spark_backend.solve.person import prior_focal

HEADER = (
    f"{'clip':32} {'frames':>6} {'found':>6} {'error %':>8} {'scores %':>8} {'ratio':>6} {'2nd diff':>8}"
    f" {'ingest s':>8} {'fit s':>6} {'fps':>6} {'detrended %':>11} {'rotation':>8} {'jitter':>7}"
)


@dataclass(frozen=True)
class Row:
    """One clip."""

    figures: ClipFigures
    baseline: ClipFigures
    ingest: float
    fit: float
    track: float
    score: tuple[float, float, float] | None


def main() -> None:
    """Prints a row for each clip as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--preset", default="draft")
    parser.add_argument("--tracker", default="landmarks")
    parser.add_argument("--keep", type=Path, help="leave the projects there")
    parser.add_argument("--scorer", type=Path)
    options = parser.parse_args()
    print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        for video in options.videos:
            folder = (options.keep or Path(scratch)) / f"{video.stem}.spark"
            try:
                print(line(video, capture(video, folder, options)), flush=True)
            except SparkError as error:
                print(f"{video.name:32} {error}", flush=True)


def capture(video: Path, folder: Path, options: argparse.Namespace) -> Row:
    """Ingests, fits, tracks and measures one clip."""
    began = time.perf_counter()
    ingest(IngestOptions(folder, (video,)), ignore)
    ingested = time.perf_counter()
    fit(FitOptions(folder, options.preset), ignore)
    fitted = time.perf_counter()
    project = open_project(folder)
    clip = project.clips[-1]
    run_track(folder, clip, options.tracker)
    tracked = time.perf_counter()
    take, (info, frames) = load_take(project.take_path(clip)), load_clip(project.clip_folder(clip))
    figures = clip_figures(load_avatar(project.avatar_folder), take, frames)
    plain = baseline(info, frames)
    truth = video.with_suffix(".npz")
    scorer = options.scorer if truth.exists() else None
    score = None if scorer is None else run_scorer(scorer, truth, folder, clip)
    return Row(figures, plain, ingested - began, fitted - ingested, tracked - fitted, score)


def run_track(folder: Path, clip: str, tracker: str) -> None:
    """`spark track` as a program of its own."""
    command = [sys.executable, "-m", "spark_backend", "track", str(folder), clip, "--tracker", tracker]
    ran = subprocess.run(command, capture_output=True, text=True)
    if ran.returncode:
        raise SparkError(ran.stderr)


def baseline(info: ClipInfo, frames: Frames) -> ClipFigures:
    """The baseline: the average head, MediaPipe's scores as weights, a rigid pose from each frame's landmarks alone."""
    head = load_anny()
    avatar = head.avatar()
    take = play_scores(head, avatar, info, frames, prior_focal(info, SolveOptions()))
    return clip_figures(avatar, take, frames)


def run_scorer(scorer: Path, truth: Path, folder: Path, clip: str) -> tuple[float, float, float]:
    """Detrended reprojection (%), rotation (degrees), excess jitter (mm) against the truth."""
    geometry, result = folder / "exports" / f"{clip}.npz", folder / "exports" / f"{clip}_score.json"
    export(ExportOptions(folder, geometry, clip, geometry=True), ignore)
    command = [sys.executable, str(scorer), str(truth), str(geometry), "--json", str(result)]
    subprocess.run(command, check=True, capture_output=True)
    score = json.loads(result.read_text("utf-8"))
    return (
        score["reproj_percent_ipd"]["detrended_mean"],
        score["rotation_deg"]["mean"],
        score["jitter_mm"]["excess"],
    )


def line(video: Path, row: Row) -> str:
    """One row of the table."""
    figures, rate = row.figures, row.figures.frames / row.track
    text = f"{video.name:32} {figures.frames:6} {figures.found:6} {figures.reprojection:8.2f}"
    baseline = row.baseline.reprojection
    text += f" {baseline:8.2f} {figures.reprojection / baseline:6.2f} {figures.jitter:8.3f}"
    text += f" {row.ingest:8.1f} {row.fit:6.1f} {rate:6.1f}"
    return text if row.score is None else text + f" {row.score[0]:11.2f} {row.score[1]:8.2f} {row.score[2]:7.3f}"


def ignore(event: Event) -> None:
    """A report for nobody."""


if __name__ == "__main__":
    main()
