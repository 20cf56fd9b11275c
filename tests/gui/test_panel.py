"""The panel in a real Blender window, with a backend that does no work: what only a window has, drawing, timers, the
mouse. About a minute; needs the root that make_root.sh makes."""

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from studio import JOB, SESSION, SHOWN, Studio

FRAME = """
from bpy_extras.view3d_utils import location_3d_to_region_2d as seen
def frame():
    area = view3d()[1]
    for _ in range(5):
        area.tag_redraw()
        yield
    region, scene = region_of(area, 'WINDOW'), bpy.context.scene
    corners = [scene.camera.matrix_world @ corner for corner in scene.camera.data.view_frame(scene=scene)]
    corners = [list(seen(region, area.spaces.active.region_3d, corner)) for corner in corners]
    sidebar, tools = region_of(area, 'UI'), region_of(area, 'TOOLS')
    return {'corners': corners, 'free': [tools.x + tools.width - region.x, sidebar.x - region.x, region.height]}
result = frame()
"""


def assert_frame_is_seen(found: dict[str, Any]) -> None:
    """The camera's picture fills what sidebar and toolbar leave."""
    left, right, height = found["free"]
    x, y = zip(*found["corners"], strict=True)
    assert left < min(x) < max(x) < right
    assert 0 < min(y) < max(y) < height
    assert max(x) - min(x) > 0.9 * (right - left)


PICTURES = Path(os.environ.get("SPARK_GUI_PICTURES") or tempfile.mkdtemp())
PANELS = ("backend", "project", "clips", "avatar", "import", "capture", "takes", "live", "export")
"""Those that are open at first."""

pytestmark = [pytest.mark.blender, pytest.mark.slow]


def test_check_by_mouse_and_timer(studio: Studio) -> None:
    studio.click("spark.check_backend")
    studio.window.wait_for(f"{SESSION}.backend.status == 'ready'")


def test_a_video_is_dragged_into_the_viewport(studio: Studio) -> None:
    (studio.work / "dropped").mkdir()
    (studio.work / "dropped" / "good.mp4").touch()
    studio.drag_into_view(studio.work / "dropped" / "good.mp4")
    studio.window.wait_for("[clip.name for clip in bpy.context.scene.spark_capture.clips] == ['good.mp4']")
    assert studio.window.value("[item.name for item in bpy.data.objects if item.type == 'EMPTY']") == []


def test_training_and_capture_by_mouse_end_in_an_animated_head(studio: Studio) -> None:
    studio.choose_played("good")
    studio.click("spark.train")
    studio.wait_for_job("job.command == 'train' and job.status == 'done'")
    studio.click("spark.capture")
    studio.wait_for_job("job.command == 'track' and job.status == 'done'")
    window = studio.window
    assert window.value("bpy.context.scene.camera.name") == "good camera"
    assert window.value("len(bpy.data.objects['Anna head'].data.shape_keys.key_blocks)") == 53
    assert window.value("view3d()[1].spaces.active.region_3d.view_perspective") == "CAMERA"
    assert window.value("view3d()[1].spaces.active.camera.name") == "good camera"
    assert_frame_is_seen(window.call(FRAME))
    shown = window.call(SHOWN)
    assert shown == ["Anna", "Anna head", "good camera"]  # the cube, inside which the head may be, is not


def test_a_further_clip_by_mouse_leaves_the_head_as_it_is(studio: Studio) -> None:
    studio.window.call("bpy.data.objects['Anna head'].data['mine'] = 1")
    studio.choose_played("second")
    studio.click("spark.capture")
    studio.wait_for_job("job.status == 'done' and job.options.get('keep_head')")
    assert studio.window.value("bpy.data.objects['Anna head'].data.get('mine')") == 1
    assert studio.window.value("bpy.context.scene.camera.name") == "second camera"


def test_cancel_by_mouse(studio: Studio) -> None:
    studio.choose_played("endless")
    studio.click("spark.train")
    studio.wait_for_job("job.stage == 'Working'")
    studio.click("spark.cancel")
    studio.wait_for_job("job.status == 'cancelled'")


def test_a_failure_is_shown_and_put_away(studio: Studio) -> None:
    studio.choose_played("exit")
    studio.click("spark.train")
    studio.wait_for_job("job.status == 'failed'")
    studio.settle()
    studio.click("spark.dismiss")
    studio.window.wait_for(f"{JOB} is None")


def test_every_panel_is_drawn(studio: Studio, capsys: pytest.CaptureFixture[str]) -> None:
    """And in what time: that is printed, and to be judged on a quiet machine only."""
    studio.choose_played("good")
    for step in ("train", "capture"):  # whatever else was tested: with a clip, a head, a take and the end of a job
        studio.window.call(f"bpy.ops.spark.{step}()")
        studio.wait_for_job("job.status == 'done'")
    seconds = studio.draw_seconds()
    with capsys.disabled():
        for where, taken in seconds.items():
            print(f"\n  {where:45} {taken * 1e3:.2f} ms", end="")
        print(f"\n  {'all panels':45} {sum(seconds.values()) * 1e3:.2f} ms")
    drawn = {where.split(".")[0] for where in seconds}
    assert drawn == {f"SPARK_PT_{name}" for name in PANELS}


LONG = """
import numpy as np
from dataclasses import replace
from pathlib import Path
from spark_backend.protocol.take import load_take, save_take
settings = bpy.context.scene.spark_capture
path = next((Path(settings.project) / 'takes').glob('*.npz'))
take = load_take(path)
rows = np.arange({frames}) % len(take.pts)
many = {{name: value[rows] for name, value in vars(take).items()
         if isinstance(value, np.ndarray) and value.shape[:1] == take.pts.shape}}
save_take(path.with_name('long.npz'), replace(take, **{{**many, 'pts': np.arange({frames}) / 30}}))
bpy.ops.spark.refresh_project()
settings.take_index = settings.takes.find('long')
settings.match_scene = False
bpy.ops.spark.bake_take()
action = bpy.data.objects['Anna'].animation_data.action
jaw = bpy.data.objects['Anna head'].data.shape_keys.key_blocks['jawOpen']
"""
TURNS = """
import time
longest, last = 0.0, time.perf_counter()
def measure():
    global longest, last
    now = time.perf_counter()
    longest, last = max(longest, now - last), now
    return 0.0
bpy.app.timers.register(measure)
"""


def test_a_long_take_follows_its_slider_while_the_window_lives(
    studio: Studio, capsys: pytest.CaptureFixture[str]
) -> None:
    """And how long Blender's loop was held up at most: that is printed, and to be judged on a quiet machine only."""
    window = studio.window
    window.call(LONG.format(frames=10_000))
    window.call("bpy.context.scene.frame_set(8)")
    before = window.value("jaw.value")
    window.call(TURNS)
    window.turns()
    window.call("longest = 0.0\naction.spark_adjust.jaw = 0.5\nresult = 'spark_unfinished' in action")
    assert window.value("'spark_unfinished' in action"), "10,000 frames in one slice"
    window.wait_for("'spark_unfinished' not in action")
    window.turns()
    assert window.value("jaw.value") == pytest.approx(before / 2, abs=1e-5)
    longest = window.value("longest")
    with capsys.disabled():
        print(
            f"\n  the longest turn of Blender's loop under a slider, evaluation and drawing included: {longest:.3f} s"
        )
    window.call("bpy.app.timers.unregister(measure)")


def test_an_export_by_mouse_is_cancelled_and_another_written(studio: Studio) -> None:
    window, target = studio.window, studio.work / "long.fbx"
    window.call("settings.take_index = settings.takes.find('good')\nbpy.ops.spark.bake_take()")
    window.call("bpy.context.scene.frame_end = 500000")  # the mouse needs a while to find the button
    window.call(f"bpy.ops.spark.export(filepath={str(target)!r})")
    export = f"{SESSION}.state('export')"
    window.wait_for(f"{export}.stage.startswith('Going through')")
    cancel = window.find("spark.cancel")
    window.screenshot(PICTURES / "exporting.png")
    window.press(*cancel)
    window.wait_for(f"{export}.status == 'cancelled'")
    assert not target.exists()
    window.call("bpy.context.scene.frame_end = 24")
    window.call(f"bpy.ops.spark.export(filepath={str(target)!r})")
    window.wait_for(f"{export}.status == 'done'", 120)
    assert target.stat().st_size > 100_000
    assert window.value("bpy.context.scene.spark_capture.exported") == str(target)
