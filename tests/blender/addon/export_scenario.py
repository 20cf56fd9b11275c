"""Runs inside Blender (pip's bpy): exports from the scene while Blender goes on, and what may happen meanwhile.

`python export_scenario.py REQUEST.json`. The last step leaves an export behind, as in a crash of Blender.
"""

import json
import os
import sys
from pathlib import Path

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, drawn, part, run_steps, session  # noqa: E402

PATIENCE = 60.0
LONG = 20_000
"""Frames of an export that is not over before something happens."""
WORK = Path(REQUEST["work"])
OUT = WORK / "out"


def settings():
    return bpy.context.scene.spark_capture


def project():
    return part("project").required_project(settings())


def head():
    return part("result").find_head(project().folder)


def wait(condition, kind="export"):
    installed.pump_until(condition, kind, PATIENCE)


def state():
    return session().state("export")


def start(name):
    part("exporting").start_export(project(), OUT / name, "ANY")


def start_long(name):
    """An export that has begun and takes long."""
    bpy.context.scene.frame_end = LONG
    start(name)
    bpy.context.scene.frame_end = 24
    wait(lambda: state().stage.startswith("Going through") and state().fraction > 0.05)


def leftovers():
    return [state().options[name] for name in ("place", "scratch")]


def left():
    """What there is of an export besides its file."""
    return [path for path in leftovers() if Path(path).exists()]


def files():
    return sorted(path.name for path in OUT.rglob("*"))


def refused(name):
    try:
        start(name)
    except Exception as error:  # noqa: BLE001 - the test shows it
        return str(error)
    return "no error"


def step_install():
    installed.install(REQUEST)
    bpy.context.preferences.addons[MODULE].preferences.backend = REQUEST["environments"]["full"]
    bpy.ops.spark.new_project(person="Anna", folder=str(WORK))
    (WORK / "good.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "good.mp4"}])
    for operator in (bpy.ops.spark.train, bpy.ops.spark.capture):
        operator()
        wait(lambda: not session().is_busy("work"), "work")
    return [head().armature.name, len(head().mesh.data.vertices)]


def step_as_in_place():
    """What the other Blender writes of a head that much depends on, and what this one would write."""
    exports = part("scene.exports")
    scene, carrier = bpy.context.scene, bpy.data.objects.new("carrier", None)
    scene.collection.objects.link(carrier)
    carrier.location, carrier.scale = (1, 2, 3), (2, 2, 2)
    for frame, turn in ((1, 0.0), (24, 0.5)):
        carrier.rotation_euler.z = turn
        carrier.keyframe_insert("rotation_euler", frame=frame)
    head().armature.parent = carrier
    scene.name, scene.render.fps, scene.render.fps_base = "Shot", 30, 1.001
    scene.frame_set(5)
    same = {}
    for ending in (".obj", ".glb"):
        start(f"away{ending}")
        wait(lambda: not session().is_busy("export"))
        (WORK / "here").mkdir(exist_ok=True)
        exports.export_head(head(), WORK / "here" / f"away{ending}")
        same[ending] = (OUT / f"away{ending}").read_bytes() == (WORK / "here" / f"away{ending}").read_bytes()
    head().armature.parent = None
    return {"same": same, "state": [state().status, state().message], "captured": captured()}


def captured():
    """Whether captured curves are still there, after they were left out of the file."""
    action = head().armature.animation_data.action
    return action.get("spark_captured") is not None


def step_meanwhile():
    """The scene is changed and a training runs while the file is written."""
    settings().clips.clear()
    (WORK / "endless.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "endless.mp4"}])
    bpy.ops.spark.train()
    start("meanwhile.fbx")
    running = [drawn("SPARK_PT_export"), refused("another.fbx")]
    installed.remove_head(head())
    wait(lambda: not session().is_busy("export"))
    result = {
        "running": running,
        "status": state().status,
        "work": session().state("work").status,
        "size": (OUT / "meanwhile.fbx").stat().st_size,
        "exported": settings().exported == str(OUT / "meanwhile.fbx"),
        "lines": drawn("SPARK_PT_export"),
        "left": left(),
    }
    bpy.ops.spark.dismiss(kind="export")
    result["dismissed"] = drawn("SPARK_PT_export")
    bpy.ops.spark.cancel()
    wait(lambda: not session().is_busy("work"), "work")
    bpy.ops.spark.bake_take()
    return result


def step_settled():
    """An export begun while a slider's curves are half written."""
    playing, action = part("adjust_playing"), head().armature.animation_data.action
    whole, playing.settle = playing.settle, list
    action.spark_adjust.jaw = 2.0
    playing.settle = whole
    half = playing.MARK in action
    start("settled.obj")
    wait(lambda: not session().is_busy("export"))
    return [half, playing.MARK in action, captured()]


def step_cancel():
    OUT.mkdir(exist_ok=True)
    (OUT / "old.fbx").write_text("an older file", encoding="utf-8")
    before = files()
    start_long("old.fbx")
    process = session()._processes["export"]
    lines = drawn("SPARK_PT_export")
    bpy.ops.spark.cancel(kind="export")
    cancelling = drawn("SPARK_PT_export")
    wait(lambda: not session().is_busy("export"))
    wait(lambda: not session().active)
    return {
        "lines": lines,
        "cancelling": cancelling,
        "status": state().status,
        "ended": process.ended,
        "same": files() == before,
        "old": (OUT / "old.fbx").read_text(encoding="utf-8"),
        "left": left(),
        "after": drawn("SPARK_PT_export"),
    }


def step_killed():
    before = files()
    start_long("killed.glb")
    session()._processes["export"].kill()
    wait(lambda: not session().is_busy("export"))
    return {"lines": drawn("SPARK_PT_export"), "same": files() == before, "left": left()}


def step_refused():
    """What cannot be exported, told at once."""
    painted = next(slot.material for slot in head().mesh.material_slots if slot.material).node_tree.nodes
    image = next(node.image for node in painted if node.type == "TEX_IMAGE" and node.image)
    image.pixels[0] = 0.5
    sentences = [refused("painted.fbx")]
    image.reload()
    (WORK / "file").touch()
    sentences.append(refused("../file/in a file.fbx"))
    return [*sentences, session().is_busy("export")]


def step_unwritable():
    """What goes wrong in the other Blender only."""
    start("fault.fbx")
    (Path(state().options["file"])).write_bytes(b"no file of Blender's")
    wait(lambda: not session().is_busy("export"))
    return [state().status, state().message, left()]


def step_operator():
    """Without a window the button waits for the file."""
    settings().export_format = ".obj"
    result = bpy.ops.spark.export(filepath=str(OUT / "button"))
    return [str(result), (OUT / "button.obj").stat().st_size]


def step_leave():
    """Ends with an export that goes on. Gives its process."""
    start_long("left.abc")
    return [session()._processes["export"].process_id, *leftovers()]


run_steps(globals(), REQUEST)
