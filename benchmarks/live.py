"""Latency, pace, dropped frames and memory of `spark live`, with OpenCV's own capture code, and its cost in Blender.

    python benchmarks/live.py PROJECT VIDEO [--tools DIR] [--seconds 20] [--minutes 0] [--sizes 640x480 1280x720]
                              [--rates 30 60] [--trackers auto generic adapted landmarks] [--blender PYTHON_WITH_BPY]

PROJECT has a fitted avatar; VIDEO shows that person and is played in a loop by two cameras that are none: an MJPEG
server (`VideoCapture("http://…")`, FFmpeg) and, where a C compiler and Linux allow it, a virtual /dev/video0
(`VideoCapture(0)`, V4L2). Both are in the folder DIR (`fake_cam.py`, `fakev4l.c`, `fakev4l_feed.py`), or in that of
SPARK_GUI_TOOLS. VIDEO is first written as MJPEG of the size that is wanted, with which a camera that is none takes 0.4
of a core in place of 0.6 (1280x720, 60 a second).

`latency` is from the moment at which OpenCV gave the frame to the pose; `pipe` from there to the launcher's side, less
the least of all frames. `cpu` is the processor's time of the whole backend, capture and picture included; the figure
to go by on a machine with other work, where latencies are upper bounds. `--minutes 10` watches the memory for so
long. The last line times one new pose in Blender: 52 shape keys, five bones and the root, and the scene's update.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import cv2
import numpy as np

from spark_backend.protocol.live import LiveFrame
from spark_backend.protocol.live_process import LiveProcess
from spark_backend.video.decode import read_frames

PORT = 8097
COMMAND = (sys.executable, "-u", "-m", "spark_backend")
START = 120.0
"""Seconds that the backend has to begin."""
POLL = 0.001


@dataclass(frozen=True)
class Run:
    """What one camera gave."""

    frames: list[LiveFrame]
    pipe: list[float]
    """Seconds from the pose to the launcher, but for the quickest one's."""
    seconds: float
    cpu: float
    """Seconds of the processor."""
    memory: list[float]
    """MiB, once a second."""


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("video", type=Path)
    parser.add_argument("--tools", type=Path, default=Path(os.environ.get("SPARK_GUI_TOOLS", "tools")))
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--minutes", type=float, default=0.0)
    parser.add_argument("--sizes", nargs="*", default=["640x480", "1280x720"])
    parser.add_argument("--rates", nargs="*", type=int, default=[30, 60])
    parser.add_argument("--trackers", nargs="*", default=["auto"])
    parser.add_argument("--blender", type=Path, default=Path(".venv-bpy/bin/python"))
    options = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    columns = "tracked/s | dropped % | latency ms: median, p95 | pipe ms: p95 | cpu ms a frame"
    print(f"| Tracker | Camera | Size | Rate | {columns} |")
    print("|---|---|---|---|---|---|---|---|---|")
    for size in options.sizes:
        with as_mjpeg(options.video, size) as video:
            for rate, (name, serve) in product(options.rates, CAMERAS.items()):
                with serve(options.tools, video, size, rate) as camera:
                    if camera is None:
                        print(f"| | {name} | {size} | {rate} | not possible here |")
                        continue
                    for tracker in options.trackers:
                        run = measure(options, camera, size, tracker, options.seconds)
                        print_row(f"{tracker} | {name}", size, rate, run)
    if options.minutes:
        print_memory(options)
    if options.blender.exists():
        print_cost(options)


@contextmanager
def as_mjpeg(video: Path, size: str) -> Iterator[Path]:
    """The film in pictures of that size, each by itself."""
    width, height = (int(side) for side in size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.avi"
        film = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 30, (width, height))
        for frame in read_frames(video, print):
            film.write(cv2.cvtColor(cv2.resize(frame.image, (width, height)), cv2.COLOR_RGB2BGR))
        film.release()
        yield path


@contextmanager
def http_camera(tools: Path, video: Path, size: str, rate: int) -> Iterator[tuple[str, dict[str, str]] | None]:
    """The MJPEG server."""
    words = ("serve", "--port", PORT, "--fps", rate, "--size", size, "--video", video)
    with program(tools / "fake_cam.py", words):
        yield f"http://127.0.0.1:{PORT}/video", {}


@contextmanager
def virtual_camera(tools: Path, video: Path, size: str, rate: int) -> Iterator[tuple[str, dict[str, str]] | None]:
    """The virtual /dev/video0, by a library that is loaded before all others."""
    if not sys.platform.startswith("linux") or not (tools / "fakev4l.c").exists():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        library, shared = Path(folder) / "fakev4l.so", Path(folder) / "camera"
        build = ("gcc", "-O2", "-shared", "-fPIC", "-o", library, tools / "fakev4l.c", "-ldl")
        if subprocess.run(build, check=False).returncode:
            yield None
            return
        with program(tools / "fakev4l_feed.py", (shared, "--fps", rate, "--size", size, "--video", video)):
            yield "0", {"LD_PRELOAD": str(library), "FAKEV4L_FILE": str(shared)}


@contextmanager
def program(path: Path, words: Sequence[object]) -> Iterator[None]:
    """A Python program that runs meanwhile."""
    process = subprocess.Popen((sys.executable, path, *map(str, words)), stderr=subprocess.DEVNULL)
    time.sleep(3.0)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


CAMERAS = {"MJPEG over HTTP": http_camera, "V4L2 MJPEG": virtual_camera}


def measure(
    options: argparse.Namespace, camera: tuple[str, dict[str, str]], size: str, tracker: str, seconds: float
) -> Run:
    """Runs the backend as Blender does."""
    source, environment = camera
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        with tempfile.TemporaryDirectory() as folder:
            words = [str(options.project.absolute()), "--camera", source, "--size", *size.split("x")]
            process = LiveProcess.start(COMMAND, Path(folder), [*words, "--tracker", tracker])
            os.environ.clear()
            os.environ.update(before)
            try:
                return watch(process, seconds)
            finally:
                process.stop()
                while not process.ended:
                    process.poll()
                    time.sleep(0.01)
    finally:
        os.environ.clear()
        os.environ.update(before)


def watch(process: LiveProcess, seconds: float) -> Run:
    """All frames for some seconds, after two of warming up."""
    deadline = time.monotonic() + START
    while process.poll()[0] is None:
        if time.monotonic() > deadline or process.ended:
            raise SystemExit(f"the backend did not begin; see the log: {process.folder / 'log.txt'}")
        time.sleep(POLL)
    settle = time.monotonic() + 2
    while time.monotonic() < settle:
        process.poll()
        time.sleep(POLL)
    frames, taken, memory, next_look = [], [], [], 0.0
    begun, cpu = time.monotonic(), cpu_seconds(process.process_id)
    while time.monotonic() - begun < seconds and not process.ended:
        frame, _ = process.poll()
        if frame is not None:
            frames.append(frame)
            taken.append(time.perf_counter() - frame.pts - frame.latency)
        if time.monotonic() > next_look:
            memory.append(resident(process.process_id))
            next_look = time.monotonic() + 1
        time.sleep(POLL)
    elapsed, used = time.monotonic() - begun, cpu_seconds(process.process_id) - cpu
    return Run(frames, list(np.array(taken) - min(taken)), elapsed, used, memory)


def cpu_seconds(process_id: int) -> float:
    """Of the processor, so far; NaN where there is no /proc."""
    path = Path(f"/proc/{process_id}/stat")
    if not path.exists():
        return float("nan")
    fields = path.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(process_id: int) -> float:
    """MiB that a process has in memory; NaN where there is no /proc."""
    path = Path(f"/proc/{process_id}/statm")
    return int(path.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if path.exists() else float("nan")


def print_row(name: str, size: str, rate: int, run: Run) -> None:
    """One line of the table."""
    latency = 1000 * np.array([frame.latency for frame in run.frames])
    tracked = run.frames[-1].number - run.frames[0].number + 1
    dropped = run.frames[-1].dropped - run.frames[0].dropped
    print(
        f"| {name} | {size} | {rate} | {tracked / run.seconds:.1f} | {100 * dropped / (tracked + dropped):.1f} "
        f"| {np.median(latency):.1f}, {np.percentile(latency, 95):.1f} | {1000 * np.percentile(run.pipe, 95):.1f} "
        f"| {1000 * run.cpu / tracked:.1f} |",
        flush=True,
    )


def print_memory(options: argparse.Namespace) -> None:
    """How the memory goes over a long run."""
    size, tracker = options.sizes[0], options.trackers[0]
    with as_mjpeg(options.video, size) as video, http_camera(options.tools, video, size, 30) as camera:
        run = measure(options, camera, size, tracker, 60 * options.minutes)
    memory = np.array(run.memory)
    tenth = max(len(memory) // 10, 1)
    slope = np.polyfit(np.arange(len(memory)) / 60, memory, 1)[0]
    print(
        f"\nMemory over {options.minutes:g} minutes: {np.median(memory[:tenth]):.0f} MiB in the first tenth, "
        f"{np.median(memory[-tenth:]):.0f} in the last, {slope:+.2f} MiB a minute, {len(run.frames)} frames"
    )


def print_cost(options: argparse.Namespace) -> None:
    """What a pose costs Blender's main thread."""
    probe = Path(__file__).with_name("live_in_blender.py")
    words = (options.blender, probe, options.project.absolute())
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    print(f"\n{done.stdout.strip() or done.stderr[-600:]}")


if __name__ == "__main__":
    main()
