"""For scenarios inside Blender: the installed add-on's modules, what its panels draw, and its pump.

Import it after BLENDER_USER_RESOURCES is set: it brings bpy in.
"""

import contextlib
import importlib
import json
import os
import sys
import time
import traceback
from pathlib import Path
from types import FunctionType, SimpleNamespace

import bpy

MODULE = "bl_ext.user_default.spark_capture"


def buttons(project):
    """The buttons that start or end work, or read the project, by name, in the order in which they make sense."""
    return {
        "check": bpy.ops.spark.check_backend,
        "models": bpy.ops.spark.list_models,
        "train": bpy.ops.spark.train,
        "cancel": bpy.ops.spark.cancel,
        "refresh": bpy.ops.spark.refresh_project,
        "report": bpy.ops.spark.copy_report,
        "open": lambda: bpy.ops.spark.open_project(directory=str(project)),
    }


class Canvas:
    """Stands in for a UILayout, which only a window has: notes what is drawn, refuses what Blender would not know."""

    ICONS = frozenset(bpy.types.UILayout.bl_rna.functions["label"].parameters["icon"].enum_items.keys())

    def __init__(self, lines=None):
        self.lines = [] if lines is None else lines

    def _part(self, **_):
        return Canvas(self.lines)

    row = column = box = split = grid_flow = _part

    def panel(self, name, default_closed=False):
        return self, self

    def _icon(self, icon):
        assert icon in self.ICONS, icon

    def label(self, text="", icon="NONE", icon_value=0):
        self._icon(icon)
        if text:
            self.lines.append(text)

    def operator(self, name, text=None, icon="NONE", emboss=True, depress=False):
        self._icon(icon)
        group, _, operator = name.partition(".")
        kind = getattr(getattr(bpy.ops, group), operator)
        assert kind.get_rna_type().description, f"{name} has no tooltip"
        self.lines.append(f"[{kind.get_rna_type().name if text is None else text}]")
        return SimpleNamespace()

    def prop(self, data, name, text=None, icon="NONE", placeholder="", slider=False, emboss=True):
        assert data.bl_rna.properties[name].description, f"{name} has no tooltip"
        self.lines.append(f"<{name}>")

    def prop_search(self, data, name, source, collection, icon="NONE"):
        assert name in data.bl_rna.properties, name
        assert hasattr(source, collection), collection
        self.lines.append(f"<{name}>")

    def menu(self, name, text="", icon="NONE"):
        self._icon(icon)
        assert hasattr(bpy.types, name), name

    def progress(self, factor, type, text):
        assert type == "BAR"
        self.lines.append(f"bar {factor:.2f} {text}")

    def template_icon(self, icon_value, scale):
        assert isinstance(icon_value, int)  # 0 without a window: there are no icons then
        self.lines.append("picture")

    def template_list(self, kind, name, data, collection, owner, index, rows):
        for position, item in enumerate(getattr(data, collection)):
            getattr(bpy.types, kind).draw_item(None, None, self, data, item, 0, owner, index, position)


class Drawn:
    """Stands in for a panel that Blender draws: the registered class's methods on a canvas."""

    def __init__(self, kind):
        self.kind, self.layout = getattr(bpy.types, kind), Canvas()

    def __getattr__(self, name):
        value = getattr(self.kind, name)
        return value.__get__(self) if isinstance(value, FunctionType) else value


def context():
    """A context as panels ask for; without a window there is neither a scale nor a region."""
    return SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=SimpleNamespace(addons=bpy.context.preferences.addons, system=SimpleNamespace(ui_scale=1.0)),
        region=SimpleNamespace(width=2000),
    )


def drawn(kind):
    """What one panel shows, in lines; the state in its header first, where it has one."""
    panel = Drawn(kind)
    if hasattr(panel.kind, "step"):
        panel.layout.lines.append(f"({part('situation').step_of(bpy.context.scene, panel.step).status})")
    panel.draw(context())
    return panel.layout.lines


def part(name):
    """A module of the installed add-on."""
    return importlib.import_module(f"{MODULE}.{name}")


def session():
    return part("runtime").session()


def remove_head(head):
    """Takes a head out of the scene, as a user deletes it."""
    bpy.data.objects.remove(head.mesh)
    bpy.data.objects.remove(head.armature)


def sounds():
    """Sound strips of the scene: file, first frame, length."""
    editor = bpy.context.scene.sequence_editor
    strips = [] if editor is None else editor.strips if hasattr(editor, "strips") else editor.sequences
    return [[Path(strip.sound.filepath).name, strip.frame_start, strip.frame_final_duration] for strip in strips]


def refused(operator, **options):
    """The sentence with which an operator refuses."""
    try:
        return str(operator(**options))
    except RuntimeError as error:
        return str(error).strip()


@contextlib.contextmanager
def noted_calls(*names):
    """The names of those functions, built-in or (by their qualified names) Python's, that are called meanwhile."""
    calls = []

    def note(frame, event, argument):
        name = argument.__name__ if event == "c_call" else frame.f_code.co_qualname if event == "call" else ""
        if name in names:
            calls.append(name)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


def pump_until(condition, kind, patience):
    """Calls the pump until the condition holds. Gives the processor's seconds of the longest call during a job of that
    kind: the call that ends one may import modules for the first time."""
    longest, deadline = 0.0, time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(session().state(kind))
        start, busy = time.thread_time(), session().is_busy(kind)
        part("pump").pump()
        if busy and session().is_busy(kind):
            longest = max(longest, time.thread_time() - start)
        time.sleep(0.01)
    return longest


def run_steps(steps, request):
    """Does every function of a scenario called `step_…`, in order, writes what they gave and ends Blender."""
    results = {"version": list(bpy.app.version)}
    for name, step in list(steps.items()):
        if name.startswith("step_"):
            start = time.perf_counter()
            try:
                results[name.removeprefix("step_")] = step()
            except Exception:  # noqa: BLE001 - the test that asks for this step shows it
                results[name.removeprefix("step_")] = traceback.format_exc()
            sys.stdout.write(f"{name} {time.perf_counter() - start:.2f} s\n")
    Path(request["result"]).write_text(json.dumps(results, default=str), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # Blender 4.2 may crash and 4.5 hang while the interpreter shuts down


def install(request):
    """Puts the add-on's zip in and enables it."""
    bpy.ops.extensions.package_install_files(
        filepath=request["zip"], repo="user_default", enable_on_install=True, overwrite=True
    )
