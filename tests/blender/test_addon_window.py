"""The add-on in a real Blender window: what only a window has, drawing, timers, the mouse.

Runs only when SPARK_GUI_TOOLS names the folder of a driver for such a window (`blender_gui.py`); SPARK_GUI_ROOT names
its Debian root with Blender. A minute, and most of a core.
"""

import importlib.util
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from stand_in import CHECKOUT, build_zip, make_environments

MODULE = "bl_ext.user_default.spark_capture"
TOOLS = Path(os.environ.get("SPARK_GUI_TOOLS", "not named"))
ROOT = Path(os.environ.get("SPARK_GUI_ROOT", Path.home() / ".cache" / "blender-gui" / "trixie"))
pytestmark = [pytest.mark.blender, pytest.mark.slow]

STATE = f"__import__('sys').modules['{MODULE}.runtime'].session().state('work')"
RIGHT_BUTTON = 27 + 20
"""Pixels from the sidebar's right end, where its tabs are, to the middle of a small button at the end of a row."""
SHOWN = """
space, graph = _view3d()[1].spaces.active, bpy.context.evaluated_depsgraph_get()
result = [item.name for item in bpy.data.objects if item.evaluated_get(graph).local_view_get(space)]
"""
INSTALL = """
window, area = _view3d()
with bpy.context.temp_override(window=window, screen=window.screen, area=area):
    bpy.ops.extensions.package_install_files(
        'EXEC_DEFAULT', filepath={zip!r}, repo='user_default', enable_on_install=True
    )
"""


def load_driver() -> ModuleType:
    """The module that drives a window; skips when there is none."""
    if not (TOOLS / "blender_gui.py").exists() or not (ROOT / ".stage2-ok").exists():
        pytest.skip(f"no window to drive: SPARK_GUI_TOOLS ({TOOLS}) needs blender_gui.py, and Blender's root is {ROOT}")
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("driving the window in its own root needs to be root")
    spec = importlib.util.spec_from_file_location("blender_gui", TOOLS / "blender_gui.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A window with the add-on installed and its tab open, the stand-in backend chosen and a project made."""
    driver, work = load_driver(), tmp_path_factory.mktemp("window")
    environments = make_environments(tmp_path_factory.mktemp("environments"))
    seen = f"{CHECKOUT} {TOOLS} {Path(sys.base_prefix)}"  # /tmp is seen anyway
    blender = driver.BlenderGUI(root=str(ROOT), size=(1280, 900), env={"EXTRA_BINDS": seen})
    try:
        blender.start()
        blender.exec(INSTALL.format(zip=str(build_zip(tmp_path_factory.mktemp("dist")))))
        blender.exec(f"bpy.context.preferences.addons[{MODULE!r}].preferences.backend = {environments['full']!r}")
        blender.exec(f"bpy.ops.spark.new_project(person='Anna', folder={str(work)!r})")
        assert blender.open_sidebar("SPARK") == "SPARK"
        yield SimpleNamespace(blender=blender, work=work)
        log = (blender.work / "blender.log").read_text(errors="replace")
        assert "Traceback" not in log, log
        assert "rna_uiItem" not in log, log
    finally:
        blender.stop()


def choose_clip(window: Any, play: str) -> None:
    """Makes the video of that name the only one in the list."""
    (window.work / f"{play}.mp4").touch()
    window.blender.exec("bpy.context.scene.spark_capture.clips.clear()")
    files = [{"name": f"{play}.mp4"}]
    window.blender.exec(f"bpy.ops.spark.add_clips(directory={str(window.work)!r}, files={files!r})")
    time.sleep(0.5)  # the panel is drawn again


def click(window: Any, operator: str, from_right: int | None = None) -> None:
    """Clicks an operator's button with the mouse, which looks for it in the sidebar's middle or near its right end."""
    blender = window.blender
    left, top, width, height = blender.ui_rect()
    x = left + (width // 2 if from_right is None else width - from_right)
    for y in range(top + 20, top + height - 4, 9):
        blender.x("xdotool", "mousemove", x - 1, y, "mousemove", x, y)
        blender.pump()
        if operator in blender.eval("hovered()"):
            blender.click(x, y + 3)
            return
    blender.screenshot(window.work / "no-button.png")
    raise LookupError(f"{operator}: no button, see {window.work / 'no-button.png'}")


def test_check_by_mouse_and_timer(window) -> None:
    click(window, "spark.check_backend", from_right=RIGHT_BUTTON)
    session = STATE.removesuffix(".state('work')")
    window.blender.wait_for(f"{session}.backend.status == 'ready'", 30)


def test_training_and_capture_by_mouse_end_in_an_animated_head(window) -> None:
    choose_clip(window, "good")
    click(window, "spark.train")
    window.blender.wait_for(f"{STATE} is not None and {STATE}.status == 'done'", 30)
    click(window, "spark.capture")
    window.blender.wait_for(f"{STATE}.command == 'track' and {STATE}.status == 'done'", 30)
    assert window.blender.eval("bpy.context.scene.camera.name") == "good camera"
    assert window.blender.eval("len(bpy.data.objects['Anna head'].data.shape_keys.key_blocks)") == 53
    assert window.blender.eval("_view3d()[1].spaces.active.region_3d.view_perspective") == "CAMERA"
    shown = window.blender.exec(SHOWN)
    assert sorted(shown) == ["Anna", "Anna head", "good camera"]  # the cube, inside which the head may be, is not


def test_a_further_clip_by_mouse_leaves_the_head_as_it_is(window) -> None:
    window.blender.exec("bpy.data.objects['Anna head'].data['mine'] = 1")
    choose_clip(window, "second")
    click(window, "spark.capture")
    window.blender.wait_for(f"{STATE}.status == 'done' and {STATE}.options.get('keep_head')", 30)
    assert window.blender.eval("bpy.data.objects['Anna head'].data.get('mine')") == 1
    assert window.blender.eval("bpy.context.scene.camera.name") == "second camera"
    window.blender.screenshot(window.work / "tracked.png")


def test_cancel_by_mouse(window) -> None:
    choose_clip(window, "endless")
    click(window, "spark.train")
    window.blender.wait_for(f"{STATE}.stage == 'Working'", 30)
    time.sleep(0.5)
    click(window, "spark.cancel", from_right=RIGHT_BUTTON)
    window.blender.wait_for(f"{STATE}.status == 'cancelled'", 30)


def test_a_failure_is_shown_and_put_away(window) -> None:
    choose_clip(window, "exit")
    click(window, "spark.train")
    window.blender.wait_for(f"{STATE}.status == 'failed'", 30)
    time.sleep(0.5)
    click(window, "spark.dismiss")
    window.blender.wait_for(f"{STATE} is None", 10)


TIMER = """
import sys, time
drawn = {}
started = []
def profile(frame, event, argument):
    if frame.f_code.co_name != 'draw' or 'panels' not in frame.f_code.co_filename:
        return
    if event == 'call':
        started.append(time.perf_counter())
    elif event == 'return' and started:
        code = frame.f_code
        where = f'{code.co_filename}:{code.co_firstlineno}'
        drawn.setdefault(where, []).append(time.perf_counter() - started.pop())
sys.setprofile(profile)
"""


def test_panels_draw_quickly(window) -> None:
    window.blender.exec(TIMER)  # replacing a registered class's `draw` crashes Blender 4.3
    for _ in range(6):
        window.blender.exec("_view3d()[1].tag_redraw()")
        time.sleep(0.3)
    window.blender.exec("sys.setprofile(None)")
    seconds = window.blender.eval("drawn")
    assert len(seconds) >= 6
    assert sum(min(times) for times in seconds.values()) < 0.002, seconds
