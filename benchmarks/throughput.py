"""Frames a second of streaming tracking, decoding and everything else included, beside MediaPipe's Face Landmarker.

    python benchmarks/throughput.py PROJECT VIDEO... [--rounds 3]

The two take turns on the same video in the same run, both with the decoder in a thread ahead; the best round of each
is what counts. `generic` is what `spark track --tracker generic` does from the opened engine to the finished take.
MediaPipe runs in video mode with its expression scores, and what it finds is thrown away.
"""

import argparse
import time
from pathlib import Path

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
    engine = open_by_name(project, avatar, "generic", bundle, print)

    def generic(video: Path) -> int:
        seen = watch_clip(video, bundle, engine, None, print, lambda part: None)
        take_of(avatar, seen, intrinsics(usual_focal(project, avatar, video.stem, seen.size), seen.size), {})
        return len(seen.pts)

    def mediapipe(video: Path) -> int:
        count = 0
        with Landmarker(bundle, follow=True) as landmarker, ahead(read_frames(video, print)) as frames:
            for frame in frames:
                landmarker(frame.image, 33)
                count += 1
        return count

    print(f"{'video':28} {'frames':>6} {'generic fps':>11} {'MediaPipe fps':>13} {'ratio':>6}")
    for video in options.videos:
        rates = {generic: 0.0, mediapipe: 0.0}
        for _ in range(options.rounds):
            for run in rates:
                began = time.perf_counter()
                frames = run(video)
                rates[run] = max(rates[run], frames / (time.perf_counter() - began))
        mine, theirs = rates[generic], rates[mediapipe]
        print(f"{video.name:28} {frames:6} {mine:11.1f} {theirs:13.1f} {mine / theirs:6.2f}", flush=True)


if __name__ == "__main__":
    main()
