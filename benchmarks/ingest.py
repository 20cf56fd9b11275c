"""Ingests every video below a folder, each in a process of its own: what was found, how fast, in how much memory.

    python benchmarks/ingest.py FOLDER_OR_VIDEO ...

A `manifest.csv` in the folder (columns file, frames_decoded, face_fraction) gives the expected figures.
"""

import csv
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ENDINGS = {".mp4", ".mov", ".mkv", ".webm", ".avi"}
HEADER = (
    f"{'clip':36} {'frames':>6} {'expect':>6} {'face':>5} {'expect':>6} {'sure':>5} {'ms':>6} {'cpu':>5} {'MiB':>5}"
)

CHILD = """
import json, sys, tempfile, time
from pathlib import Path
import numpy as np
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import load_clip
from spark_backend.video.ingest import ingest_clip

with tempfile.TemporaryDirectory() as folder:
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        info = ingest_clip(Path(sys.argv[1]), Path(folder) / "clip", report=lambda event: None)
    except SparkError as error:
        sys.exit(print(json.dumps({"error": str(error)})))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    frames = load_clip(Path(folder) / "clip")[1]
try:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
except ImportError:
    peak = float("nan")
sure = float(np.median(frames.confidence[frames.valid]))
print(json.dumps({"frames": info.frames, "face": info.coverage, "sure": sure, "wall": wall, "cpu": cpu, "peak": peak,
                  "warnings": info.warnings}))
"""


def main(places: list[Path]) -> None:
    """Prints one line a clip."""
    print(HEADER + "   (ms, cpu: milliseconds a frame, start-up included)")
    for place in places:
        expected = manifest(place / "manifest.csv") if place.is_dir() else {}
        videos = sorted(p for p in place.rglob("*") if p.suffix.lower() in ENDINGS) if place.is_dir() else [place]
        for video in videos:
            known = expected.get(video.relative_to(place).as_posix() if place.is_dir() else "", {})
            print(line(video, measure(video), known), flush=True)


def manifest(path: Path) -> dict[str, dict[str, str]]:
    """Rows by file; none without the file."""
    if not path.exists():
        return {}
    with open(path, newline="", encoding="utf-8") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def measure(video: Path) -> dict[str, object]:
    """One ingest in a new process."""
    with tempfile.TemporaryFile("w+") as log:
        done = subprocess.run([sys.executable, "-c", CHILD, str(video)], stdout=subprocess.PIPE, stderr=log, text=True)
        log.seek(0)
        noise = log.read()
    result = json.loads(done.stdout) if done.returncode == 0 else {"error": noise[-200:]}
    return {**result, "noise": len(noise.splitlines())}


def line(video: Path, found: dict, known: dict[str, str]) -> str:
    """One row of the table; warnings below it."""
    name, frames, face = video.name, known.get("frames_decoded", "-"), known.get("face_fraction", "-")
    if "error" in found:
        return f"{name:36} {'-':>6} {frames:>6} {'-':>5} {face:>6}   {found['error']}"
    count = found["frames"]
    row = f"{name:36} {count:6} {frames:>6} {found['face']:5.2f} {face:>6} {found['sure']:5.2f} "
    row += f"{1000 * found['wall'] / count:6.1f} {1000 * found['cpu'] / count:5.1f} {found['peak']:5.0f}"
    extra = [*found["warnings"], *([f"{found['noise']} lines on standard error"] if found["noise"] else [])]
    return "\n".join([row, *(f"    {sentence}" for sentence in extra)])


if __name__ == "__main__":
    main([Path(argument) for argument in sys.argv[1:]])
