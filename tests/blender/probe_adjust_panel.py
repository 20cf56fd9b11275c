"""Runs inside Blender: uses the panel Adjust as a person would and tells what is drawn and shown."""

import importlib
import importlib.util
import json
import os
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

REQUEST = json.loads(Path(sys.argv[-1]).read_text())
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["folder"] + "/user"

import bpy  # noqa: E402

ADDON = "spark_blender"


class Canvas:
    """Stands in for a UILayout, which only a window has: notes what is drawn, refuses what Blender would not know."""

    FUNCTIONS = bpy.types.UILayout.bl_rna.functions
    ICONS = frozenset(FUNCTIONS["label"].parameters["icon"].enum_items.keys())

    def __init__(self, lines=None):
        self.lines = [] if lines is None else lines

    def _part(self, **_):
        return Canvas(self.lines)

    row = column = box = split = _part

    def _check(self, function, **options):
        assert set(options) <= set(self.FUNCTIONS[function].parameters.keys()), (function, options)
        assert options.get("icon", "NONE") in self.ICONS, options["icon"]

    def label(self, **options):
        self._check("label", **options)
        self.lines.append(options.get("text", ""))

    def operator(self, name, **options):
        self._check("operator", **options)
        group, _, operator = name.partition(".")
        title = getattr(getattr(bpy.ops, group), operator).get_rna_type().name
        self.lines.append(f"[{options.get('text', title)}]")
        return SimpleNamespace()

    def prop(self, data, name, **options):
        self._check("prop", **options)
        assert name in data.bl_rna.properties, name
        self.lines.append(f"<{name}>")

    def prop_search(self, data, name, where, collection, **options):
        self._check("prop_search", **options)
        assert name in data.bl_rna.properties, name
        assert collection in where.bl_rna.properties, collection
        self.lines.append(f"<{name}>")

    def template_list(self, kind, name, data, collection, owner, index, **_):
        for position, item in enumerate(getattr(data, collection)):
            getattr(bpy.types, kind).draw_item(None, None, self, data, item, 0, owner, index, position)


def context():
    """What panels read of Blender's context."""
    system = SimpleNamespace(ui_scale=1.0)
    return SimpleNamespace(
        scene=bpy.context.scene,
        view_layer=bpy.context.view_layer,
        preferences=SimpleNamespace(system=system),
        region=SimpleNamespace(width=2000),
    )


def drawn(panel: str) -> list[str]:
    """What one panel shows; nothing when it is not there."""
    kind = getattr(bpy.types, f"SPARK_PT_{panel}")
    if hasattr(kind, "poll") and not kind.poll(context()):
        return []
    canvas = Canvas()
    kind.draw(SimpleNamespace(layout=canvas), context())
    return canvas.lines


PANELS = ("adjust", "adjust_keys", "adjust_clean", "adjust_time", "adjust_head", "retarget")


def refused(operator, **options) -> str:
    """The sentence with which an operator says no."""
    try:
        operator(**options)
    except RuntimeError as error:
        return str(error).strip()
    return "no error"


def value(head, key: str, frame: int) -> float:
    bpy.context.scene.frame_set(frame)
    return head.mesh.data.shape_keys.key_blocks[key].value


def enable() -> None:
    """What Blender does when the add-on is enabled."""
    bpy.context.preferences.addons.new().module = ADDON
    importlib.import_module(f"{ADDON}.registration").register_all()


def use(request: dict) -> dict:
    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_blender.adjust_properties import start_anew
    from spark_blender.scene.scene import build_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    enable()
    seen = {"empty": [drawn(panel) for panel in PANELS], "no_take": bpy.ops.spark.set_rest.poll()}
    avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
    head = build_scene(avatar, take, name="toy", take_name="talk").head
    start_anew(head)
    action = head.armature.animation_data.action
    settings = action.spark_adjust
    seen["range"] = [settings.first, settings.last]
    seen["panels"] = {panel: drawn(panel) for panel in PANELS}

    use_sliders(head, settings, seen)
    use_time(head, action, seen)
    use_bake(head, avatar, take, seen)
    settings.jaw = 0.5
    bpy.ops.spark.keep_adjustments()
    seen["kept"] = [settings.jaw, value(head, "jawOpen", 8)]
    seen["retarget"] = use_retarget(head)
    seen["panels_after"] = {panel: drawn(panel) for panel in PANELS}
    seen["undo"] = use_undo()
    importlib.import_module(f"{ADDON}.registration").unregister_all()
    seen["left"] = [name for name in dir(bpy.types) if name.startswith("SPARK_")]
    seen["left"] += [
        name for kind in (bpy.types.Action, bpy.types.Scene) for name in dir(kind) if name.startswith("spark_")
    ]
    return seen


def use_sliders(head, settings, seen) -> None:
    """Strength, reset and neutral pose."""
    seen["jaw"] = [value(head, "jawOpen", 8)]
    settings.jaw = 0.5
    seen["jaw"].append(value(head, "jawOpen", 8))
    settings.keys["jawOpen"].strength = 0.5
    seen["jaw"].append(value(head, "jawOpen", 8))
    bpy.ops.ed.undo_push(message="before")
    bpy.ops.spark.reset_adjustments()
    seen["jaw"].append(value(head, "jawOpen", 8))
    seen["reset"] = [settings.jaw, len(settings.keys), settings.mirror]

    bpy.context.scene.frame_set(8)
    bpy.ops.spark.set_rest()
    seen["rest"] = [value(head, "jawOpen", 8), settings.has_rest, drawn("adjust_clean")]
    bpy.ops.spark.clear_rest()
    seen["rest"].append(value(head, "jawOpen", 8))


def use_time(head, action, seen) -> None:
    """A loop, and another rate."""
    settings = action.spark_adjust
    settings.use_trim, settings.first, settings.last, settings.loop = True, 6, 19, 0.2
    seen["loop"] = [value(head, "jawOpen", 6), value(head, "jawOpen", 19), list(action.frame_range)]
    bpy.context.scene.render.fps = 60
    bpy.ops.spark.retime()
    seen["retimed"] = [settings.first, settings.last, value(head, "jawOpen", 11), value(head, "jawOpen", 37)]
    bpy.context.scene.render.fps = 30
    bpy.ops.spark.retime()
    bpy.ops.spark.reset_adjustments()


def use_bake(head, avatar, take, seen) -> None:
    """A take that was adjusted is baked again."""
    from spark_backend.protocol.timeline import Rate
    from spark_blender.adjust_properties import prepare_bake, start_anew
    from spark_blender.scene.scene import bake_take

    action = head.armature.animation_data.action
    bpy.ops.spark.move_head(place="OBJECT")
    seen["object"] = action["spark_head_motion"]
    prepare_bake(head)
    bake_take(head, avatar, take, "talk", rate=Rate(30), start=1)
    start_anew(head)
    seen["baked_again"] = [
        action.get("spark_head_motion"),
        head.armature.rotation_mode,
        [a.name for a in bpy.data.actions if "captured" in a.name],
        len(action.spark_adjust.keys),
    ]
    seen["again"] = value(head, "jawOpen", 8)


def use_retarget(head) -> dict:
    """The mapping editor, its presets, and the button."""
    settings, seen = bpy.context.scene.spark_retarget, {}
    seen["no_target"] = refused(bpy.ops.spark.retarget)
    seen["guess_without"] = refused(bpy.ops.spark.guess_mapping)
    settings.target = head.mesh
    bpy.ops.spark.guess_mapping()
    seen["itself"] = refused(bpy.ops.spark.retarget)
    mesh = bpy.data.objects.new("hero", bpy.data.meshes.new("hero"))
    mesh.data.from_pydata([(0, 0, 0), (1, 0, 0), (0, 1, 0)], [], [(0, 1, 2)])
    bpy.context.scene.collection.objects.link(mesh)
    for name in ("Basis", "A", "I", "U", "E", "O", "Wide"):
        mesh.shape_key_add(name=name, from_mix=False)
    settings.target = mesh
    bpy.ops.spark.guess_mapping()
    bpy.ops.spark.add_mapping_row()
    row = settings.rows[settings.row_index]
    row.source, row.target, row.factor = "eyeWideLeft", "Wide", 0.5
    seen["rows"] = len(settings.rows)
    settings.preset = "../hero"
    seen["bad_name"] = refused(bpy.ops.spark.save_mapping)
    settings.preset = "Hero 1"
    bpy.ops.spark.save_mapping()
    bpy.ops.spark.remove_mapping_row()
    seen["fewer"] = len(settings.rows)
    settings.rows.clear()
    bpy.ops.spark.load_mapping()
    seen["loaded"] = [len(settings.rows), settings.rows[-1].target, settings.rows[-1].factor]
    seen["missing"] = refused(bpy.ops.spark.load_mapping, filepath="/nowhere/x.json")
    bpy.ops.spark.retarget()
    bpy.context.scene.frame_set(8)
    keys, ours = mesh.data.shape_keys.key_blocks, head.mesh.data.shape_keys.key_blocks
    seen["values"] = [keys["A"].value, ours["jawOpen"].value, keys["Wide"].value, ours["eyeWideLeft"].value]
    seen["action"] = mesh.data.shape_keys.animation_data.action.name
    return seen


def use_undo() -> list:
    """A slider's value and what it shows, before, after, and undone."""
    from spark_blender.scene.adjust import heads_of_takes

    def now():
        (head,) = heads_of_takes(bpy.context.scene)
        return [head.armature.animation_data.action.spark_adjust.jaw, value(head, "jawOpen", 8)]

    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="as it is")
    states = [now()]
    (head,) = heads_of_takes(bpy.context.scene)
    head.armature.animation_data.action.spark_adjust.jaw = 2.0
    bpy.ops.ed.undo_push(message="jaw")
    states.append(now())
    bpy.ops.ed.undo()
    states.append(now())
    return states


def main() -> None:
    specification = importlib.util.spec_from_file_location("runner", REQUEST["runner"])
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    runner.load_packages()
    sys.modules["spark_backend"].__version__ = "0.0.0"  # the runner's stand-in for the package has none
    try:
        answer = use(REQUEST)
    except Exception:  # noqa: BLE001 - the test shows it
        answer = {"error": traceback.format_exc()}
    Path(REQUEST["answer"]).write_text(json.dumps(answer))
    os._exit(0)


main()
