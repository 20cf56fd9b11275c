"""What a person does with the add-on in a window: by the mouse where there is a button in the sidebar, by the operator
itself where Blender would ask for files in a browser of its own."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from window import HOME, Window

ENVIRONMENT = HOME / "spark-backend"
MODULE = "bl_ext.user_default.spark_capture"
SESSION = f"__import__('sys').modules['{MODULE}.runtime'].session()"
JOB = f"{SESSION}.state('work')"
INSTALL = """
window, area = view3d()
with bpy.context.temp_override(window=window, screen=window.screen, area=area):
    bpy.ops.extensions.package_install_files(
        'EXEC_DEFAULT', filepath={zip!r}, repo='user_default', enable_on_install=True
    )
"""
FILES = """
def browse(folder):
    for area in view3d()[0].screen.areas:
        if area.type == 'PROPERTIES':
            area.ui_type = 'FILES'
            break
    for _ in range(200):
        yield
        if area.spaces.active.params is not None:
            break
    area.spaces.active.show_region_toolbar = False  # the bookmarks, which would take all of the width
    area.spaces.active.params.directory = folder.encode()
    area.spaces.active.params.display_type = 'LIST_VERTICAL'
    for _ in range(20):
        area.tag_redraw()
        yield
    region, height = region_of(area, 'WINDOW'), view3d()[0].height
    return [region.x, height - region.y - region.height, region.width, region.height]
"""
CHOSEN = "next(a for a in view3d()[0].screen.areas if a.type == 'FILE_BROWSER').spaces.active.params.filename"
VIEW = """
window, area = view3d()
region = region_of(area, 'WINDOW')
result = [region.x + region.width // 2, window.height - region.y - region.height // 2]
"""
OPENED = """
kinds = [getattr(bpy.types, name) for name in {names}]
for kind in reversed(kinds):
    bpy.utils.unregister_class(kind)
for kind in kinds:  # Blender keeps which panel is open once it has drawn it, and tells nobody
    kind.bl_options = kind.bl_options - {{'DEFAULT_CLOSED'}} if hasattr(kind, 'bl_options') else set()
    bpy.utils.register_class(kind)
"""
REOPENED = """
parents = {{name: name + '_open' for name in {names}}}
for name, shown in parents.items():  # under another name, because Blender keeps that this one is closed
    kind = getattr(bpy.types, name)
    bpy.utils.unregister_class(kind)
    parent = parents.get(getattr(kind, 'bl_parent_id', None))
    options = {{'bl_options': set(), 'bl_idname': shown, **({{'bl_parent_id': parent}} if parent else {{}})}}
    bpy.utils.register_class(type(shown, (kind,), options))
"""
SHOWN = """
space, graph = view3d()[1].spaces.active, bpy.context.evaluated_depsgraph_get()
result = sorted(item.name for item in bpy.data.objects if item.evaluated_get(graph).local_view_get(space))
"""
PROFILE = """
import sys, time
drawn, open_calls = {}, []
def profile(frame, event, argument):
    code = frame.f_code
    if not code.co_name.startswith('draw') or 'spark_capture' not in code.co_filename:
        return
    if event == 'call':
        open_calls.append(time.perf_counter())
    elif event == 'return' and open_calls:
        seconds = time.perf_counter() - open_calls.pop()
        if not open_calls:
            panel = frame.f_locals.get('self')
            drawn.setdefault(f'{type(panel).__name__}.{code.co_name}', []).append(seconds)
sys.setprofile(profile)
"""


PREFERENCES = f"""
bpy.ops.screen.userpref_show('INVOKE_DEFAULT')
bpy.context.preferences.active_section = 'ADDONS'
bpy.context.window_manager.addon_search = 'SPARK'
bpy.ops.preferences.addon_show(module={MODULE!r})
"""
CLOSE_PREFERENCES = """
for window in list(bpy.context.window_manager.windows):
    if window.screen.areas[0].type == 'PREFERENCES':
        with bpy.context.temp_override(window=window):
            bpy.ops.wm.window_close()
"""


class Studio:
    """The add-on in a window, and a folder to work in."""

    def __init__(self, window: Window, work: Path) -> None:
        self.window, self.work = window, work

    def install(self, addon_zip: Path, opened: Sequence[str] = ()) -> None:
        """Installs the add-on from its zip and opens its tab; panels named in `opened` are so from the first."""
        self.window.call(INSTALL.format(zip=str(addon_zip)))
        assert self.window.value(f"{MODULE!r} in bpy.context.preferences.addons")
        if opened:
            self.window.call(OPENED.format(names=tuple(opened)))
        assert self.window.call("result = open_sidebar('SPARK')") == "SPARK"

    def show_open(self, names: Sequence[str]) -> None:
        """Opens panels that were drawn closed before; from then on they are not the add-on's own."""
        self.window.call(REOPENED.format(names=tuple(names)))
        self.settle(1.0)

    def set_preference(self, name: str, value: object) -> None:
        """One of the add-on's preferences."""
        self.window.call(f"bpy.context.preferences.addons[{MODULE!r}].preferences.{name} = {str(value)!r}")

    def new_project(self, person: str) -> None:
        """A project below the folder."""
        self.window.call(f"bpy.ops.spark.new_project(person={person!r}, folder={str(self.work)!r})")
        self.window.turns()

    def choose_clip(self, video: Path) -> None:
        """Makes a video the only one in the list."""
        self.window.call("bpy.context.scene.spark_capture.clips.clear()")
        self.add_clip(video)

    def add_clip(self, video: Path) -> None:
        """Adds a video, as the file browser does."""
        files = [{"name": video.name}]
        self.window.call(f"bpy.ops.spark.add_clips(directory={str(video.parent)!r}, files={files!r})")
        self.window.turns()

    def drag_into_view(self, video: Path) -> None:
        """Drags a video, which is alone in its folder, from a file browser into the viewport, by the mouse, and takes
        the entry of the menu that is offered: Blender knows other things to do with a video.
        """
        window = self.window
        window.call(FILES)
        left, top, width, height = window.call(f"result = browse({str(video.parent)!r})")
        x = left + width // 3
        for y in range(top + 4, top + height, 8):
            window.type(f"mousemove {x} {y}", "click 1")
            if window.value(CHOSEN) == video.name:
                break
        else:
            raise LookupError(f"{video}: not in the file browser, see {window.screenshot(window.folder / 'files.png')}")
        self.settle(1.0)  # else the next press were the second of a double click
        window.type("mousedown 1")
        to_x, to_y = window.call(VIEW)
        for step in range(1, 11):
            window.type(f"mousemove {x + (to_x - x) * step // 10} {y + (to_y - y) * step // 10}")
        self.settle(1.0)
        window.type("mouseup 1")
        self.settle(2.0)
        window.screenshot(window.folder / "dropped.png")
        window.type("click 1")

    def choose_played(self, play: str) -> None:
        """Makes an empty video the only one in the list, whose name tells the stand-in backend what to play."""
        (self.work / f"{play}.mp4").touch()
        self.choose_clip(self.work / f"{play}.mp4")

    def click(self, operator: str) -> None:
        """Clicks an operator's button."""
        self.window.click(operator)

    def wait_for_job(self, condition: str, patience: float = 60.0) -> None:
        """Waits until something holds of the `job`; does not wait for one that has failed."""
        told = f"(lambda job: job and ({condition}, job.status == 'failed', job.message))({JOB})"

        def holds() -> bool:
            found, failed, message = self.window.value(told) or (False, False, "")
            assert found or not failed, message
            return found

        self.window.until(holds, condition, patience)

    def job(self) -> dict[str, Any]:
        """Status, message and warnings of the last job."""
        return self.window.value(f"{{name: getattr({JOB}, name) for name in ('status', 'message', 'warnings')}}")

    def show_preferences(self) -> None:
        """A window of its own with the add-on's preferences, as a click on its arrow shows them."""
        self.window.type("mousemove 640 480")  # it opens under the mouse
        self.window.call(PREFERENCES)
        self.settle(1.0)
        for wish in (("windowmove", 290, 15), ("windowsize", 690, 930)):  # large enough to show all
            self.window.run("xdotool", "search", "--name", "Preferences", *map(str, wish))
        self.settle(1.0)

    def scroll(self, pixels: int) -> None:
        """Scrolls the sidebar down."""
        self.window.call(f"scrolled({pixels})")
        self.settle()

    def close_preferences(self) -> None:
        """Closes that window."""
        self.window.call(CLOSE_PREFERENCES)
        self.settle()

    def draw_seconds(self, draws: int = 12) -> dict[str, float]:
        """Seconds of each panel's drawing, the least of several: other programs only ever add."""
        self.window.call(PROFILE)  # replacing a registered class's `draw` would crash Blender 4.3
        for _ in range(draws):
            self.window.call("view3d()[1].tag_redraw()")
            self.window.turns(3)
        self.window.call("sys.setprofile(None)")
        return {where: min(times) for where, times in self.window.value("drawn").items()}

    def assert_quiet(self) -> None:
        """Blender has printed neither a traceback nor a complaint of a layout."""
        log = self.window.log
        assert "Traceback" not in log, log
        assert "rna_uiItem" not in log, log

    def settle(self, seconds: float = 0.3) -> None:
        """Lets the window draw what has changed."""
        self.window.call("view3d()[1].tag_redraw()")  # an event would do so, a snippet does not
        time.sleep(seconds)
        self.window.turns()


def real_backend() -> tuple[Path | str, ...]:
    """What a window must see for the environment that runs this test to be a backend in it, at `ENVIRONMENT`."""
    words = (sys.executable, "-I", "-c", "import spark_backend; print(spark_backend.__file__)")
    found = Path(subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()).resolve()
    linked = () if found.is_relative_to(Path(sys.prefix).resolve()) else (found.parents[1],)  # to its sources
    return Path(sys.base_prefix), f"{Path(sys.prefix).resolve()}={ENVIRONMENT}", *linked
