"""The panel Live in a real Blender window with the real backend: a person who does not exist plays before a camera that
is a file. The head follows, a recording is baked and agrees with offline tracking, and no end of either program leaves
the other hanging.

With SPARK_WRITE_DOCS=1 the picture of docs/live.md is written anew.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from processes import is_running
from studio import ENVIRONMENT, MODULE, Studio, real_backend
from window import Window, missing

from spark_backend.evaluate.curves import agreement, compare
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.encode import write_video
from spark_backend.pipeline.footage import make_footage
from spark_backend.protocol.live_picture import memory_folder
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.project import create_project
from spark_backend.protocol.take import Take, load_take
from spark_backend.video.decode import read_frames

pytestmark = [pytest.mark.blender, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
LIVE = f"__import__('sys').modules['{MODULE}.live.state'].live()"
SECONDS, TIMES, RATE, SEED = 2.0, 3, 30.0, 3
"""What is rendered is played to and fro: six seconds for the price of two."""
PATIENCE = 180.0
AGREES = 0.95

PANELS = tuple(f"SPARK_PT_live{part}" for part in ("", "_latency", "_record", "_adjust", "_keys", "_streams"))
FRONT = """
with inside("WINDOW"):
    bpy.ops.view3d.view_axis(type="FRONT")
"""
WATCH = """
import time
def watch():
    seen, until = [], time.perf_counter() + {seconds}
    blocks = bpy.data.objects['{name} head'].data.shape_keys.key_blocks
    while time.perf_counter() < until:
        seen.append([time.perf_counter(), *(blocks[name].value for name in {names!r})])
        yield
    return seen
result = watch()
"""
"""What the shape keys show at each turn of Blender's loop."""
BAKED = """
action = bpy.data.objects['{name} head'].data.shape_keys.animation_data.action
curves = {{curve.data_path.split('"')[1]: curve for curve in action.fcurves if curve.data_path.endswith('"].value')}}
rate = bpy.context.scene.render.fps / bpy.context.scene.render.fps_base
def row(frame):
    return [curves[name].evaluate(frame) if name in curves else 0.0 for name in {names!r}]
result = [row({start} + rate * time) for time in {times}]
"""


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with the head of somebody who does not exist, and `film.mp4` of that person beside it."""
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("person")
    made = make_footage(load_anny(), folder / "made", SEED, SECONDS, lambda event: None)
    pictures = [frame.image for frame in read_frames(made.video, lambda message: None)]
    there_and_back = [*pictures, *pictures[-2:0:-1]]
    count = round(SECONDS * TIMES * RATE)
    frames = ((index / RATE, there_and_back[index % len(there_and_back)]) for index in range(count))
    write_video(folder / "film.mp4", frames, quality=14)
    shutil.copytree(folder / "made" / "truth", create_project(folder / "Anna.spark").avatar_folder)
    return folder


@pytest.fixture(scope="module")
def open_studio(addon_zip: Path, person: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Studio]:
    """Makes a window with the add-on, the real backend and a project of its own."""

    def make(window: Window) -> Studio:
        work = tmp_path_factory.mktemp("work")
        studio = Studio(window, work)
        studio.install(addon_zip, opened=PANELS)
        studio.set_preference("backend", ENVIRONMENT)
        shutil.copytree(person / "Anna.spark", work / "Anna.spark")
        window.call(f"bpy.ops.spark.open_project(directory={str(work / 'Anna.spark')!r})")
        window.wait_for("bpy.ops.spark.live_start.poll()", PATIENCE)
        settings = {"source": "FILE", "file": str(person / "film.mp4"), "count_in": 0, "take": "rehearsal"}
        for name, value in {**settings, "video": True}.items():
            window.call(f"bpy.context.scene.spark_live.{name} = {value!r}")
        window.call("bpy.context.preferences.system.viewport_aa = 'OFF'")  # Mesa draws on the same two cores
        return studio

    return make


@pytest.fixture(scope="module")
def studio(open_studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One window for all that goes well."""
    with Window(tmp_path_factory.mktemp("window"), real_backend()) as window:
        studio = open_studio(window)
        yield studio
        studio.assert_quiet()


def wait_until_tracking(window: Window) -> float:
    """Gives the seconds that it took."""
    begun = time.monotonic()
    window.until(lambda: window.value(f"{LIVE}.view.state in ('tracking', 'ended')"), "tracking", PATIENCE)
    assert window.value(f"{LIVE}.view.state") == "tracking", window.value(f"{LIVE}.view")
    return time.monotonic() - begun


def test_start_by_mouse_and_the_head_follows(studio: Studio, tmp_path: Path, capsys) -> None:
    window = studio.window
    studio.click("spark.live_start")
    seconds = wait_until_tracking(window)
    window.call(FRONT)
    window.type("mousemove 300 700")
    window.call("bpy.ops.spark.live_restart()")  # on a busy machine the film may be over by now
    window.wait_for(f"{LIVE}.view.state == 'tracking'")
    time.sleep(1.0)
    pictures = [window.screenshot(tmp_path / f"{number}.png") for number in range(2) if not time.sleep(0.7)]
    first, second = (Image.open(picture).convert("RGB") for picture in pictures)
    middle = (300, 250, 700, 700)  # of the viewport, away from the picture in the corner and the sidebar
    assert ImageChops.difference(first.crop(middle), second.crop(middle)).getbbox(), "the head stands still"
    with capsys.disabled():
        print(f"\n  {seconds:.1f} s from the click to the first pose")
    if os.environ.get("SPARK_WRITE_DOCS") == "1":
        second.save(CHECKOUT / "docs" / "images" / "live.jpg", quality=80, optimize=True)


def test_a_recording_is_baked_and_agrees_with_offline_tracking(studio: Studio, person: Path, capsys) -> None:
    window, project = studio.window, studio.work / "Anna.spark"
    window.wait_for(f"'over' in {LIVE}.view.message", PATIENCE)
    window.call("bpy.ops.spark.live_record()")
    window.wait_for(f"{LIVE}.view.recording == 'recording'")
    window.call("bpy.ops.spark.live_restart()")
    seen = np.array(window.call(WATCH.format(name="Anna", seconds=5.2, names=ARKIT_52)))
    window.call("bpy.ops.spark.live_record()")
    window.wait_for(f"{LIVE}.view.saved is not None")
    window.call("bpy.ops.spark.live_stop()")
    window.wait_for(f"{LIVE}.process is None", 10)
    take = load_take(project / "takes" / "rehearsal.npz")
    assert take.pts[-1] > 4.5
    assert take.valid.mean() > 0.95
    assert (take.source["tracker"], take.source["live"]) == ("generic", True)
    assert baked_curves_error(window, take) < 1e-4
    offline = tracked_offline(project, person / "film.mp4", "generic")
    recorded, shown = agreement(take, offline), follow(seen, offline)
    with capsys.disabled():
        print(f"\n  {len(take.pts)} of {len(offline.pts)} frames; of {len(recorded.names)} weights that move: all")
        print(f"  together {recorded.pooled:.3f}, the least {recorded.correlations.min():.3f}; on the rig {shown:.3f}")
    assert recorded.pooled > AGREES
    assert np.median(recorded.correlations) > AGREES
    assert shown > 0.75  # drawn by two busy cores, late by some pictures now and then


def baked_curves_error(window: Window, take: Take) -> float:
    """The largest difference between the baked curves and the take, at the take's own times."""
    times = take.pts[take.valid]
    words = {"name": "Anna", "names": take.names, "times": times.tolist()}
    baked = np.array(window.call(BAKED.format(start=1, **words)))
    return float(np.abs(baked - take.weights[take.valid]).max())


def tracked_offline(project: Path, video: Path, tracker: str) -> Take:
    """`spark track` in this test's own environment."""
    words = ("track", project, video, "--tracker", tracker, "-o", f"offline-{tracker}", "--json")
    subprocess.run((sys.executable, "-m", "spark_backend", *map(str, words)), check=True, capture_output=True)
    return load_take(project / "takes" / f"offline-{tracker}.npz")


def follow(seen: np.ndarray, offline: Take) -> float:
    """How well what the window showed agrees with the clip, at the delay that fits best: a restart tells no time."""
    assert np.ptp(seen[:, 1:], axis=0).max() > 0.2, "the rig stands still"
    times = seen[:, 0] - seen[0, 0]
    return max(compare(ARKIT_52, times - delay, seen[:, 1:], offline).pooled for delay in np.arange(0.0, 2.0, 0.02))


def test_retrack_by_one_click(studio: Studio, capsys) -> None:
    window, project = studio.window, studio.work / "Anna.spark"
    live = load_take(project / "takes" / "rehearsal.npz")
    before = {path.name for path in (project / "takes").glob("*.npz")}
    studio.click("spark.live_retrack")
    studio.wait_for_job("job.status == 'done'", PATIENCE)
    (name,) = {path.name for path in (project / "takes").glob("*.npz")} - before
    again = load_take(project / "takes" / name)
    assert again.source["tracker"] == window.value("bpy.context.scene.spark_capture.tracker")
    assert abs(len(again.pts) - len(live.pts)) <= 2
    assert window.value("bpy.data.objects['Anna'].animation_data.action.name") == Path(name).stem
    found = agreement(live, again)
    with capsys.disabled():
        print(f"\n  live against {again.source['tracker']} of the recorded picture: {found.pooled:.3f}")
    assert found.pooled > 0.7


def test_a_killed_backend_is_told_within_a_second(studio: Studio, tmp_path: Path) -> None:
    window = studio.window
    window.call("bpy.ops.spark.live_start()")
    wait_until_tracking(window)
    os.kill(window.value(f"{LIVE}.process.process_id"), signal.SIGKILL)
    begun = time.monotonic()
    window.wait_for(f"{LIVE}.view.state == 'ended'", 10)
    assert time.monotonic() - begun < 1.0
    assert "ended unexpectedly" in window.value(f"{LIVE}.view.message")
    assert window.value(f"{LIVE}.view.fault")
    studio.settle(1.0)
    window.find("spark.live_start")  # it can be started again


def test_a_backend_that_hangs_holds_nobody_up(studio: Studio) -> None:
    window = studio.window
    window.call("bpy.ops.spark.live_start()")
    wait_until_tracking(window)
    backend = window.value(f"{LIVE}.process.process_id")
    os.kill(backend, signal.SIGSTOP)
    begun = time.monotonic()
    window.call("for _ in range(20): bpy.ops.spark.live_calibrate()")
    window.call("bpy.ops.spark.live_stop()")
    window.turns()
    assert time.monotonic() - begun < 2.0
    window.wait_for(f"{LIVE}.process is None", 10)  # it is killed when it does not obey
    assert not is_running(backend)


@pytest.mark.parametrize("ending", ["closed", "killed"])
def test_blenders_end_is_the_backends(ending: str, open_studio, tmp_path_factory: pytest.TempPathFactory) -> None:
    with Window(tmp_path_factory.mktemp(ending), real_backend()) as window:
        studio = open_studio(window)
        window.call("bpy.ops.spark.live_start()")
        wait_until_tracking(window)
        window.call("bpy.ops.spark.live_record()")
        window.wait_for(f"{LIVE}.view.recording == 'recording' and {LIVE}.view.seconds > 0.4")
        blender, backend = window.value(f"__import__('os').getpid(), {LIVE}.process.process_id")
        if ending == "killed":
            os.kill(blender, signal.SIGKILL)
        else:
            window.call("bpy.context.preferences.view.use_save_prompt = False")
            window.hand.stdin.write(b"mousemove 400 400\nkey ctrl+q\n")
            window.hand.stdin.flush()
        while is_running(blender):
            time.sleep(0.01)
        begun = time.monotonic()
        while is_running(backend) and time.monotonic() - begun < 10:
            time.sleep(0.01)
        assert time.monotonic() - begun < 2.0
        assert load_take(studio.work / "Anna.spark" / "takes" / "rehearsal.npz").pts[-1] > 0.3
        assert not list(memory_folder().glob(f"spark-picture-{blender}-*"))
