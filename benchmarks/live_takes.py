"""A performance recorded live beside the same video tracked offline: how alike the curves are, by tracker.

    python benchmarks/live_takes.py PROJECT VIDEO [--live generic adapted landmarks] [--offline same landmarks optimise]

PROJECT has a fitted avatar; VIDEO is played at its own pace as if it were a camera and recorded by `spark live`, with
its default smoothing. `same` is `spark track` with the tracker that was live. Of the weights that move by more than 0.1
offline: how many, the median and the least of their correlations, the correlation of all of them together, each about
its mean, and the delay at which that is best. `--truth TAKE` adds a take that is known to be true.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spark_backend.evaluate.curves import agreement
from spark_backend.pipeline.commands import run_command
from spark_backend.pipeline.options import IngestOptions, TrackOptions
from spark_backend.protocol.live import LiveRecording, LiveStatus
from spark_backend.protocol.live_commands import Restart, StartRecording
from spark_backend.protocol.live_process import LiveProcess
from spark_backend.protocol.project import open_project
from spark_backend.protocol.take import Take, load_take

COMMAND = (sys.executable, "-u", "-m", "spark_backend")
DELAYS = np.arange(-0.1, 0.1, 0.005)
"""Seconds that are tried."""


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--live", nargs="*", default=["generic"])
    parser.add_argument("--offline", nargs="*", default=["same", "landmarks", "optimise"])
    parser.add_argument("--truth", type=Path)
    options = parser.parse_args()
    print("| Live | Against | Frames live | Weights that move | Median, least | All together | Delay, ms |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        project = Path(shutil.copytree(options.project, Path(folder) / options.project.name))
        if options.video.stem not in open_project(project).clips:
            run_command("ingest", IngestOptions(project, (options.video,)), lambda event: None)
        tracked: dict[str, Take] = {}
        for live in options.live:
            take = recorded(project, options.video.absolute(), live)
            for name in dict.fromkeys(live if offline == "same" else offline for offline in options.offline):
                if name not in tracked:
                    tracked[name] = offline_take(project, options.video.stem, name)
                print_row(live, f"`{name}`", take, tracked[name])
            if options.truth:
                print_row(live, "the truth", take, load_take(options.truth))


def recorded(project: Path, video: Path, tracker: str) -> Take:
    """The whole video, recorded live at its second playing: by then the networks are awake."""
    process = LiveProcess.start(COMMAND, project / "log", [str(project), "--camera", str(video), "--tracker", tracker])
    take, over = None, False
    while not process.ended:
        for record in process.poll()[1]:
            if isinstance(record, LiveStatus) and "over" in record.message and not over:
                over = True
                process.send(StartRecording(f"live-{tracker}"))
                process.send(Restart())
            if isinstance(record, LiveRecording) and record.state == "saved":
                take = load_take(Path(record.path))
                process.stop()
            if isinstance(record, LiveStatus) and record.fault:
                raise SystemExit(record.message)
        time.sleep(0.005)
    if take is None:
        raise SystemExit(f"nothing was recorded; see {process.folder / 'log.txt'}")
    return take


def offline_take(project: Path, clip: str, tracker: str) -> Take:
    """`spark track`."""
    name = f"offline-{tracker}"
    run_command("track", TrackOptions(project, clip, tracker=tracker, output=name), lambda event: None)
    return load_take(project / "takes" / f"{name}.npz")


def print_row(live: str, against: str, take: Take, reference: Take) -> None:
    """One line of the table."""
    found = agreement(take, reference)
    delay = max(DELAYS, key=lambda seconds: agreement(take, reference, seconds).pooled)
    frames = f"{take.valid.sum()} of {len(reference.pts)}"
    print(
        f"| `{live}` | {against} | {frames} | {len(found.names)} "
        f"| {np.median(found.correlations):.3f}, {found.correlations.min():.3f} | {found.pooled:.3f} "
        f"| {1000 * delay:.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
