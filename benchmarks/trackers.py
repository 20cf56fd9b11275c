"""Fits a person's head to all clips but one and judges trackers on the one held out, as `spark evaluate` does.

    python benchmarks/trackers.py VIDEO VIDEO... [--trackers NAME...] [--preset draft|standard|high]
                                  [--adapt-preset draft|standard|high] [--all-folds] [--frame-interval N]
                                  [--num-frames N] [--keep FOLDER]

The videos show one person. The last one is held out, or each in turn with `--all-folds`. The encoder is adapted to the
others too when `adapted` is among the trackers. Prints a table a fold, means over the frames, and the pages' paths when
the projects are kept. `spread` is the standard deviation over frames of the first tracker.
"""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spark_backend.evaluate.measures import MEASURES
from spark_backend.pipeline.adapt import adapt
from spark_backend.pipeline.evaluate import evaluate
from spark_backend.pipeline.fit import fit
from spark_backend.pipeline.ingest import ingest
from spark_backend.pipeline.options import AdaptOptions, EvaluateOptions, FitOptions, IngestOptions
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Event


def main() -> None:
    """Prints a table for each fold as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--trackers", nargs="+", default=list(EvaluateOptions.trackers))
    parser.add_argument("--preset", default="draft", help="of the head")
    parser.add_argument("--adapt-preset", help="of the encoder; the head's when left out")
    parser.add_argument("--all-folds", action="store_true")
    parser.add_argument("--frame-interval", type=int, default=EvaluateOptions.frame_interval)
    parser.add_argument("--num-frames", type=int, default=EvaluateOptions.num_frames)
    parser.add_argument("--keep", type=Path, help="leave the projects there")
    options = parser.parse_args()
    if len(options.videos) < 2:
        parser.error("name at least two videos of the person: one is held out")
    with tempfile.TemporaryDirectory() as scratch:
        for held_out in options.videos if options.all_folds else options.videos[-1:]:
            folder = (options.keep or Path(scratch)) / f"without_{held_out.stem}.spark"
            try:
                print(table(held_out, judge(held_out, folder, options), options.trackers), flush=True)
            except SparkError as error:
                print(f"{held_out.name}: {error}", flush=True)


def judge(held_out: Path, folder: Path, options: argparse.Namespace) -> Mapping[str, Any]:
    """By tracker what the evaluation found on the held-out clip. A project that is kept is used again."""
    others = tuple(video for video in options.videos if video != held_out)
    if not (folder / "avatar" / "avatar.json").exists():
        ingest(IngestOptions(folder, others), ignore)
        fit(FitOptions(folder, options.preset), ignore)
        if "adapted" in options.trackers:
            adapt(AdaptOptions(folder, options.adapt_preset or options.preset), ignore)
    clip = next(iter(ingest(IngestOptions(folder, (held_out,)), ignore)["clips"]))
    wanted = EvaluateOptions(
        folder,
        (clip,),
        tuple(options.trackers),
        frame_interval=options.frame_interval,
        num_frames=options.num_frames,
    )
    figures = evaluate(wanted, ignore)["figures"]
    return json.loads(Path(figures).read_text("utf-8"))["clips"][clip]


def table(held_out: Path, figures: Mapping[str, Any], trackers: Sequence[str]) -> str:
    """A row a measure, a column a tracker."""
    lines = [f"\n{held_out.name}, fitted to the other clips", f"{'':44}" + "".join(f"{name:>12}" for name in trackers)]
    for name, measure in MEASURES.items():
        cells = [figures[tracker]["measures"][name] for tracker in trackers]
        digits, spread = measure.digits, cells[0]["deviation"]
        title = f"{measure.title}{f', {measure.unit}' if measure.unit else ''}"
        numbers = "".join("           –" if c["mean"] is None else f"{c['mean']:12.{digits}f}" for c in cells)
        lines.append(f"{title:44}{numbers}" + ("" if spread is None else f"   spread {spread:.{digits}f}"))
    return "\n".join(lines)


def ignore(event: Event) -> None:
    """A report for nobody."""


if __name__ == "__main__":
    main()
