"""Runs inside Blender (pip's bpy): installs the add-on's zip, uses it as a person would, writes what it saw as JSON.

`python scenario.py REQUEST.json`. Each step stands alone: what it raises is its result. Blender's timers do not run
here, so the add-on's `pump` is called in a loop.
"""

import contextlib
import importlib
import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path
from types import SimpleNamespace

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]
os.environ.pop("SPARK_BACKEND", None)

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, Canvas, part, refused, session  # noqa: E402

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is there

PATIENCE = 30.0
WORK = Path(REQUEST["work"])


def drawn(panel):
    """What one panel shows, in lines."""
    context = SimpleNamespace(
        scene=bpy.context.scene,
        preferences=SimpleNamespace(addons=bpy.context.preferences.addons, system=SimpleNamespace(ui_scale=1.0)),
        region=SimpleNamespace(width=2000),  # without a window there is neither a scale nor a region
    )
    canvas = Canvas()
    getattr(bpy.types, panel).draw(SimpleNamespace(layout=canvas), context)
    return canvas.lines


def settings():
    return bpy.context.scene.spark_capture


def pump_until(condition):
    return installed.pump_until(condition, "work", PATIENCE)


def play(clip, during=None):
    """Captures with a clip of that name; `during` is called once progress has been seen. Gives the panel's lines."""
    settings().clips.clear()
    video = WORK / f"{clip}.mp4"
    video.touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": video.name}])
    bpy.ops.spark.capture()
    if during:
        pump_until(lambda: session().state("work").stage != "Starting")
        during()
    pump_until(lambda: not session().is_busy("work"))
    lines = drawn("SPARK_PT_capture")
    return {"status": session().state("work").status, "lines": lines}


def step_install():
    bpy.ops.extensions.package_install_files(
        filepath=REQUEST["zip"], repo="user_default", enable_on_install=True, overwrite=True
    )
    import spark_backend.protocol.launch as launch

    panels = [drawn(name) for name in panel_names()]
    return {
        "enabled": MODULE in bpy.context.preferences.addons,
        "violations": {name: list(texts) for name, texts in addon_utils._extensions_warnings_get().items()},
        "protocol": launch.__file__,
        "torch": "torch" in sys.modules,
        "own_copy": "spark_blender" in sys.modules,
        "panels": panels,
    }


def panel_names():
    return [f"SPARK_PT_{name}" for name in ("backend", "project", "clips", "capture", "result", "export")]


def step_enable_and_disable():
    seen = []
    for _ in range(2):
        addon_utils.disable(MODULE, default_set=True)
        left = [name for name in dir(bpy.types) if name.startswith("SPARK_")]
        handlers = [f.__module__ for f in bpy.app.handlers.load_post if "spark" in f.__module__]
        seen.append([left, hasattr(bpy.types.Scene, "spark_capture"), handlers])
        addon_utils.enable(MODULE, default_set=True)
        seen.append(["SPARK_PT_capture" in dir(bpy.types), hasattr(bpy.types.Scene, "spark_capture")])
    return seen


def step_backend():
    preferences = bpy.context.preferences.addons[MODULE].preferences
    result = {"missing": drawn("SPARK_PT_backend"), "refused": refused(bpy.ops.spark.check_backend)}
    for name, path in REQUEST["environments"].items():
        preferences.backend = path
        result[f"{name} chosen"] = drawn("SPARK_PT_backend")
        with contextlib.suppress(RuntimeError):
            bpy.ops.spark.check_backend()
            result[f"{name} checking"] = drawn("SPARK_PT_backend")
        pump_until(lambda: not session().is_busy("check"))
        result[f"{name} checked"] = drawn("SPARK_PT_backend")
    return result


def step_project():
    no_project = bpy.ops.spark.capture.poll()
    early = bpy.ops.spark.track_clip.poll()
    bpy.ops.spark.new_project(person="Anna K", folder=str(WORK))
    again = refused(bpy.ops.spark.new_project, person="Anna K", folder=str(WORK))
    wrong = refused(bpy.ops.spark.open_project, directory=str(WORK))
    bpy.ops.spark.open_project(directory=str(WORK / "Anna K.spark"))
    return {
        "can_capture": [no_project, early, bpy.ops.spark.capture.poll()],
        "again": again,
        "wrong": wrong,
        "slash": refused(bpy.ops.spark.new_project, person="a/b", folder=str(WORK)),
        "panel": drawn("SPARK_PT_project"),
        "missing_clip": refused(bpy.ops.spark.add_clips, directory=str(WORK), files=[{"name": "not_there.mp4"}]),
    }


def step_capture():
    shown, before = [], refused(bpy.ops.spark.export, filepath=str(WORK / "early.fbx"))
    result = play("good", during=lambda: shown.extend([drawn("SPARK_PT_capture"), bpy.ops.spark.capture.poll()]))
    head = part("result").find_head(WORK / "Anna K.spark")
    scene = bpy.context.scene
    return {
        **result,
        "running": shown,
        "clips": drawn("SPARK_PT_clips"),
        "takes": drawn("SPARK_PT_result"),
        "keys": len(head.mesh.data.shape_keys.key_blocks) - 1,
        "range": [scene.frame_start, scene.frame_end, scene.render.fps],
        "camera": scene.camera.name,
        "plate": scene.camera.data.background_images[0].clip.name,
        "view": view_perspective(),
        "export_before": before,
    }


def view_perspective():
    areas = [area for area in bpy.context.screen.areas if area.type == "VIEW_3D"]
    space = max(areas, key=lambda area: area.width * area.height).spaces.active
    return [space.region_3d.view_perspective, space.local_view is not None]  # whose objects 4.x tells in a window only


def step_track():
    """A new clip on the head that is there, with what was changed on it."""
    folder, choices = WORK / "Anna K.spark", drawn("SPARK_PT_capture")
    head = part("result").find_head(folder)
    head.mesh["mine"] = 1
    settings().tracker, settings().preset = "optimise", "high"
    video = WORK / "second.mp4"
    video.touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": video.name}])
    bpy.ops.spark.track_clip()
    options = dict(session().state("work").options)
    pump_until(lambda: not session().is_busy("work"))
    take = settings().takes[settings().take_index].name
    mine = part("result").find_head(folder).mesh.get("mine")
    settings().tracker, settings().preset = "generic", "draft"
    settings().clip_index = 0
    settings().take_index = settings().takes.find("good")
    bpy.ops.spark.bake_take()
    return {"choices": choices, "options": options, "take": take, "mine": mine}


def step_weights():
    return {"2": weights_at(2), "17": weights_at(17)}


def weights_at(frame):
    bpy.context.scene.frame_set(frame)
    head = part("result").find_head(WORK / "Anna K.spark")
    return [block.value for block in head.mesh.data.shape_keys.key_blocks[1:]]


def counts():
    kinds = ("objects", "meshes", "armatures", "materials", "cameras", "movieclips", "actions")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def step_again():
    before = counts()
    bpy.ops.spark.bake_take()
    baked = counts()
    bpy.ops.spark.import_avatar()
    settings().match_scene, settings().start_frame = False, 101
    bpy.context.scene.render.fps = 60
    bpy.ops.spark.bake_take()
    result = {"before": before, "baked": baked, "imported": counts(), "1+": weights_at(103)}
    settings().match_scene, settings().start_frame = True, 1
    bpy.ops.spark.bake_take()
    return result


def step_edit_mode():
    head = part("result").find_head(WORK / "Anna K.spark")
    bpy.context.view_layer.objects.active = head.armature
    bpy.ops.object.mode_set(mode="POSE")
    sentences = [refused(bpy.ops.spark.import_avatar), refused(bpy.ops.spark.bake_take)]
    result = play("good")
    bpy.ops.object.mode_set(mode="OBJECT")
    return {"sentences": sentences, **result}


def step_undo():
    bpy.ops.ed.undo_push(message="before")
    count = len(bpy.data.objects)
    bpy.ops.spark.import_avatar("EXEC_DEFAULT", True)
    mine = part("result").find_head(WORK / "Anna K.spark").armature.name
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    return {"name": mine, "objects": [count, len(bpy.data.objects)]}


def step_exports():
    result = {}
    for suffix in (".fbx", ".abc", ".usdc", ".glb", ".obj"):
        settings().export_format = suffix
        bpy.ops.spark.export(filepath=str(WORK / "out" / "anna"))
        result[suffix] = (WORK / "out" / f"anna{suffix}").stat().st_size
    settings().export_format = ".csv"
    bpy.ops.spark.export(filepath=str(WORK / "out" / "anna.csv"))
    pump_until(lambda: not session().is_busy("work"))
    result[".csv"] = (WORK / "out" / "anna.csv").read_text(encoding="utf-8")
    result["panel"] = drawn("SPARK_PT_capture") + drawn("SPARK_PT_export")
    settings().export_format = ".obj"
    (WORK / "file").touch()
    result["refused"] = refused(bpy.ops.spark.export, filepath=str(WORK / "file" / "anna.obj"))
    return result


def step_faults():
    return {name: play(name) for name in ("no_face", "bug", "exit", "garbage", "lost")}


def step_killed():
    return play("endless", during=lambda: kill(session()._processes["work"].process_id))


def kill(process_id):
    os.kill(process_id, 9)


def step_cancelled():
    shown = []

    def cancel():
        bpy.ops.spark.cancel()
        shown.append(drawn("SPARK_PT_capture"))

    return {**play("endless", during=cancel), "cancelling": shown}


def step_deaf():
    def cancel():
        process = session()._processes["work"]
        process._signals = [(0.6, 9), (0.3, 15)]
        bpy.ops.spark.cancel()

    return play("deaf", during=cancel)


def step_unwritable():
    jobs = WORK / "Anna K.spark" / "jobs"
    jobs.rename(WORK / "jobs before")
    jobs.write_text("a file in the way", encoding="utf-8")
    sentence = refused(bpy.ops.spark.capture)
    jobs.unlink()
    (WORK / "jobs before").rename(jobs)
    return sentence


def step_still_usable():
    bpy.ops.spark.dismiss()
    empty = drawn("SPARK_PT_capture")
    return {**play("good"), "dismissed": empty, "folders": len(list((WORK / "Anna K.spark" / "jobs").iterdir()))}


def step_pump_is_quick():
    return play_timed()


def play_timed():
    settings().clips.clear()
    (WORK / "good.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "good.mp4"}])
    bpy.ops.spark.capture()
    return pump_until(lambda: not session().is_busy("work"))


def step_found_again():
    bpy.context.preferences.addons[MODULE].preferences.keep_running = True
    settings().clips.clear()
    (WORK / "endless.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "endless.mp4"}])
    bpy.ops.spark.capture()
    pump_until(lambda: session().state("work").stage == "Working")
    bpy.ops.wm.save_as_mainfile(filepath=str(WORK / "anna.blend"))
    addon_utils.disable(MODULE, default_set=False)
    addon_utils.enable(MODULE, default_set=False)
    before = session().state("work")
    shutil.copy(WORK / "Anna K.spark/takes/good.npz", WORK / "Anna K.spark/takes/made meanwhile.npz")
    bpy.ops.wm.open_mainfile(filepath=str(WORK / "anna.blend"))
    pump_until(lambda: session().state("work").stage == "Working")
    bpy.ops.spark.cancel()
    pump_until(lambda: not session().is_busy("work"))
    takes = [item.name for item in settings().takes]
    return {"before": before is None, "takes": takes, "status": session().state("work").status}


def step_disabled_while_running():
    from spark_backend.protocol.launch import lock_is_held

    bpy.context.preferences.addons[MODULE].preferences.keep_running = False
    settings().clips.clear()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "endless.mp4"}])
    bpy.ops.spark.capture()
    pump_until(lambda: session().state("work").stage == "Working")
    folder = session().state("work").folder
    addon_utils.disable(MODULE, default_set=True)
    deadline = time.monotonic() + PATIENCE
    while lock_is_held(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return {"runs": lock_is_held(folder)}


def main():
    results = {"version": list(bpy.app.version)}
    for name, step in list(globals().items()):
        if name.startswith("step_"):
            start = time.perf_counter()
            try:
                results[name.removeprefix("step_")] = step()
            except Exception:  # noqa: BLE001 - the test that asks for this step shows it
                results[name.removeprefix("step_")] = traceback.format_exc()
            sys.stdout.write(f"{name} {time.perf_counter() - start:.2f} s\n")
    Path(REQUEST["result"]).write_text(json.dumps(results, default=str), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # Blender 4.2 may crash and 4.5 hang while the interpreter shuts down


main()
