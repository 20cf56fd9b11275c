"""Frames a second of streaming tracking, decoding and everything else included, beside MediaPipe's Face Landmarker.

    python benchmarks/throughput.py PROJECT VIDEO... [--rounds 3]

The two take turns on the same video in the same run, both with the decoder in a thread ahead; the best round of each
is what counts. `generic` is what `spark track --tracker generic` does from the opened encoder to the finished take.
MediaPipe runs in video mode with its expression scores, and what it finds is thrown away. `cpu` is the processor's
time of all threads, milliseconds a frame: the figure to go by on a machine with other work.
"""

import argparse
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spark_backend.models import resolve_model
from spark_backend.pipeline.streamed import intrinsics, open_by_name, usual_focal
from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.project import open_project
from spark_backend.track.clip import watch_clip
from spark_backend.track.take import take_of
from spark_backend.video.ahead import ahead
from spark_backend.video.decode import read_frames
from spark_backend.video.networks import Landmarker


def main() -> None:
    """Prints a row for each video."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    project = open_project(options.project)
    avatar = load_avatar(project.avatar_folder)
    bundle = resolve_model("face_landmarker", print).read_bytes()
    encoder = open_by_name(project, avatar, "generic", bundle, print)

    def generic(video: Path) -> int:
        seen = watch_clip(video, bundle, encoder, None, print, lambda part: None)
        take_of(avatar, seen, intrinsics(usual_focal(project, avatar, video.stem, seen.size), seen.size), {})
        return len(seen.pts)

    def mediapipe(video: Path) -> int:
        count = 0
        with Landmarker(bundle, follow=True) as landmarker, ahead(read_frames(video, print)) as frames:
            for frame in frames:
                landmarker(frame.image, 33)
                count += 1
        return count

    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(f"{'video':24} {'frames':>6} {'generic fps':>11} {'cpu':>5} {'MediaPipe fps':>13} {'cpu':>5} {'ratio':>6}")
    for video in options.videos:
        best = {generic: Pace(0, 0.0, 0.0), mediapipe: Pace(0, 0.0, 0.0)}
        for _ in range(options.rounds):
            for run in best:
                best[run] = max(best[run], pace(run, video), key=lambda one: one.rate)
        mine, theirs = best[generic], best[mediapipe]
        print(
            f"{video.name:24} {mine.frames:6} {mine.rate:11.1f} {mine.cpu:5.1f} {theirs.rate:13.1f} {theirs.cpu:5.1f}"
            f" {mine.rate / theirs.rate:6.2f}",
            flush=True,
        )


class Pace(NamedTuple):
    """How fast a round was."""

    frames: int
    rate: float
    """Frames a second."""
    cpu: float
    """Milliseconds of the processor a frame."""


def pace(run: Callable[[Path], int], video: Path) -> Pace:
    """One round."""
    began, used = time.perf_counter(), time.process_time()
    frames = run(video)
    return Pace(frames, frames / (time.perf_counter() - began), 1000 * (time.process_time() - used) / frames)


if __name__ == "__main__":
    main()
