"""Runs inside Blender: does things while a slider's curves are half written, and tells whether they end up whole."""

import contextlib
import importlib
import os
import sys
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import probing

SOME = 30
"""Curves of 75, after which they are written in part."""


def enable(folder: str) -> None:
    """What Blender does when the add-on is enabled."""
    os.environ["BLENDER_USER_RESOURCES"] = folder + "/user"
    import bpy

    sys.modules["spark_backend"].__version__ = "0.0.0"  # the runner's stand-in for the package has none
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.preferences.addons.new().module = "spark_blender"
    importlib.import_module("spark_blender.registration").register_all()
    bpy.context.preferences.edit.use_global_undo = True


def playing():
    return importlib.import_module("spark_blender.adjust_playing")


def begin(request):
    """A new file whose head plays the toy's take. Gives the head."""
    import bpy

    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_blender.adjust_properties import start_anew
    from spark_blender.scene.scene import build_scene

    bpy.ops.wm.read_homefile(use_empty=True)
    head = build_scene(load_avatar(Path(request["avatar"])), load_take(Path(request["take"])), name="toy").head
    start_anew(head)
    bpy.ops.ed.undo_push(message="baked")
    return head


def head_now():
    import bpy

    from spark_blender.scene.adjust import heads_of_takes

    return heads_of_takes(bpy.context.scene)[0]


def action_now():
    return head_now().armature.animation_data.action


@contextlib.contextmanager
def in_slices():
    """Sliders write `SOME` curves, as their first slice in a window, where a timer does the rest."""
    module = playing()
    whole = module.settle

    def some() -> None:
        memory = module._memories[head_now().armature.session_uid]
        last = memory.written + SOME
        while memory.written < last:
            module.advance(module._writings[0])

    module.settle = some
    try:
        yield
    finally:
        module.settle = whole


def drag(value: float, slider: str = "jaw") -> None:
    """A slider moved, the curves written in part."""
    with in_slices():
        setattr(action_now().spark_adjust, slider, value)
    assert playing()._writings, "written already; take fewer steps"


def curves(head=None) -> dict:
    """(2 K,) keys of every curve of the head."""
    from spark_blender.scene.captured import action_of, existing_channels

    head, found = head or head_now(), {}
    for owner in (head.armature, head.mesh.data.shape_keys):
        for curve in existing_channels(owner, action_of(owner)).fcurves:
            keys = np.empty(2 * len(curve.keyframe_points), np.float32)
            curve.keyframe_points.foreach_get("co", keys)
            found[curve.data_path, curve.array_index] = keys
    return found


def expected(**options) -> dict:
    """The curves that these wishes give, written at once."""
    from spark_blender.scene.adjust import apply
    from spark_blender.scene.performance import Adjustments

    apply(head_now(), Adjustments(**options))
    return curves()


def same(ours: dict, theirs: dict) -> bool:
    return ours.keys() == theirs.keys() and all(np.array_equal(ours[name], theirs[name]) for name in ours)


def state() -> dict:
    """What the file holds now, before it is compared with what it should hold."""
    return {
        "mark": playing().MARK in action_now(),
        "jaw": action_now().spark_adjust.jaw,
        "left": len(playing()._writings),
        "curves": curves(),
    }


def judged(seen: dict, **options) -> dict:
    """`state` with the verdict on its curves."""
    return {**seen, "curves": same(seen["curves"], expected(**options))}


def probe_slices(request):
    """In part, then to the end; two drags in a row."""
    begin(request)
    drag(2.0)
    half = state()
    playing().settle()
    whole = state()
    drag(0.5, "mouth")
    drag(0.5)
    playing().settle()
    both = state()
    return [
        judged(half, strengths={"jaw": 2.0}),
        judged(whole, strengths={"jaw": 2.0}),
        judged(both, strengths={"jaw": 0.5, "mouth": 0.5}),
    ]


def probe_every_slider(request):
    """Whatever was written before and however it was left, what is written at last is the same as at once."""
    begin(request)
    results = []
    for options in ({"smoothing": 0.1}, {"tolerance": 0.02}, {"smoothing": 0.0}, {"mirror": True}, {"tolerance": 0.0}):
        for name, value in options.items():
            drag(value, name)
    playing().settle()
    results.append(judged(state(), mirror=True))
    drag(0.125, "smoothing")
    drag(0.03125, "tolerance")
    playing().settle()
    for jaw in (0.5, 1.5):
        drag(jaw)
        playing().settle()
        seen = state()
        results.append(judged(seen, mirror=True, smoothing=0.125, tolerance=0.03125, strengths={"jaw": jaw}))
    return results


def probe_undo(request):
    """Undo and redo while curves are half written."""
    import bpy

    begin(request)
    drag(2.0)
    bpy.ops.ed.undo_push(message="jaw")
    bpy.ops.ed.undo()
    undone = state()
    bpy.ops.ed.redo()
    redone = state()
    drag(0.25)
    bpy.ops.ed.undo_push(message="jaw again")
    playing().settle()
    bpy.ops.ed.undo_push(message="something else")
    bpy.ops.ed.undo()
    back = state()
    return [
        judged(undone),
        judged(redone, strengths={"jaw": 2.0}),
        judged(back, strengths={"jaw": 0.25}),
    ]


def probe_save(request):
    """Saved while half written; and, as by a crash, without the handler."""
    import bpy

    begin(request)
    path = request["folder"] + "/half.blend"
    drag(2.0)
    bpy.ops.wm.save_as_mainfile(filepath=path)
    settled = not playing()._writings
    bpy.ops.wm.open_mainfile(filepath=path)
    saved = state()
    drag(0.25)
    handlers = bpy.app.handlers.save_pre
    kept = list(handlers)
    handlers.clear()
    bpy.ops.wm.save_as_mainfile(filepath=path)
    handlers.extend(kept)
    bpy.ops.wm.open_mainfile(filepath=path)
    recovered = state()
    return [settled, judged(saved, strengths={"jaw": 2.0}), judged(recovered, strengths={"jaw": 0.25})]


def probe_gone(request):
    """The head, its mesh or the file goes while curves are half written."""
    import bpy

    left = []
    for gone in ("mesh", "armature", "action", "file"):
        head = begin(request)
        drag(2.0)
        if gone == "file":
            bpy.ops.wm.read_homefile(use_empty=True)
        elif gone == "action":
            bpy.data.actions.remove(action_now())
        else:
            bpy.data.objects.remove(getattr(head, gone))
        playing().settle()
        left.append([gone, len(playing()._writings)])
    return left


def is_empty(action) -> bool:
    return action.is_empty if hasattr(action, "is_empty") else not action.fcurves  # until 4.3


def probe_live(request):
    """The head plays nothing for a while, as during Live, or another action."""
    import bpy

    answer = []
    for other in (False, True):
        head = begin(request)
        drag(2.0)
        action, animation = action_now(), head.armature.animation_data
        slot, before = getattr(animation, "action_slot", None), curves()
        animation.action = bpy.data.actions.new("other") if other else None
        playing().turn(1.0)
        empty = not other or (is_empty(animation.action) and not animation.action.spark_adjust.fault)
        animation.action = action
        if slot is not None:
            animation.action_slot = slot
        untouched = same(before, curves())
        playing().take_up()
        answer.append([empty, untouched, judged(state(), strengths={"jaw": 2.0})])
    return answer


def probe_buttons(request):
    """Buttons that read curves or change what they follow from."""
    import bpy

    begin(request)
    drag(2.0)
    bpy.ops.spark.keep_adjustments()
    kept = state()
    whole = expected()
    begin(request)
    answer = [same(kept["curves"], whole), same(whole, expected(strengths={"jaw": 2.0}))]
    drag(2.0)
    bpy.ops.spark.reset_adjustments()
    return [*answer, judged(state())]


def probe_fault(request):
    """A take that cannot be adjusted says so, and is not tried again and again."""
    begin(request)
    drag(2.0)
    action = action_now()
    playing().forget()
    del action["spark_captured"]["spark_rate"]
    playing().take_up()
    return [action.spark_adjust.fault, playing().MARK in action, len(playing()._writings)]


def probe(request):
    enable(request["folder"])
    import bpy

    answer = {"version": list(bpy.app.version)}
    for name, part in list(globals().items()):
        if name.startswith("probe_"):
            answer[name.removeprefix("probe_")] = part(request)
    return answer


probing.answer(probe)
