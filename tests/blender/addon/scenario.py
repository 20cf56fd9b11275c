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
from pathlib import Path

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]
os.environ.pop("SPARK_BACKEND", None)

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, drawn, part, refused, run_steps, session  # noqa: E402

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is there

PATIENCE = 30.0
WORK = Path(REQUEST["work"])


def settings():
    return bpy.context.scene.spark_capture


def pump_until(condition):
    return installed.pump_until(condition, "work", PATIENCE)


def list_only(clip):
    """Makes the video of that name the only one in the list, whatever the project has."""
    settings().clips.clear()
    video = WORK / f"{clip}.mp4"
    video.touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": video.name}])


def play(clip, during=None):
    """Trains with a clip of that name; `during` is called once progress has been seen. Gives the panel's lines."""
    list_only(clip)
    bpy.ops.spark.train()
    if during:
        pump_until(lambda: session().state("work").stage != "Starting")
        during()
    pump_until(lambda: not session().is_busy("work"))
    return {"status": session().state("work").status, "lines": drawn("SPARK_PT_avatar")}


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


NAMES = ("backend", "project", "clips", "avatar", "import", "capture", "takes", "export")


def panel_names():
    return [f"SPARK_PT_{name}" for name in NAMES]


def step_tooltips():
    """What shows no words when the mouse rests on it."""
    kinds = {f"spark.{name}": getattr(bpy.ops.spark, name).get_rna_type() for name in dir(bpy.ops.spark)}
    bases = (bpy.types.PropertyGroup, bpy.types.AddonPreferences)
    kinds |= {kind.__name__: kind.bl_rna for base in bases for kind in base.__subclasses__() if is_ours(kind.__name__)}
    silent = [name for name, kind in kinds.items() if not is_ours(name) and not kind.description]
    for name, kind in kinds.items():
        for item in kind.properties:
            if item.identifier in UNSEEN or item.is_hidden or item.type == "COLLECTION":
                continue
            choices = item.enum_items if item.type == "ENUM" else ()
            silent += [f"{name}.{item.identifier}"] * (not item.description)
            silent += [f"{name}.{item.identifier}.{choice.identifier}" for choice in choices if not choice.description]
    return {"kinds": len(kinds), "silent": silent}


UNSEEN = ("rna_type", "name", "bl_idname", "filepath", "directory")
"""No button of ours shows these; a path belongs to Blender's file browser."""


def is_ours(name):
    return name.startswith("SPARK_")


def step_undo_options():
    """Every operator, and whether Blender's undo takes it back."""
    names = [name for name in dir(bpy.types) if name.startswith("SPARK_OT")]
    kinds = [getattr(bpy.types, name) for name in names]
    return {kind.bl_idname: "UNDO" in getattr(kind, "bl_options", ()) for kind in kinds}


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
    polls = [bpy.ops.spark.train.poll(), bpy.ops.spark.capture.poll()]
    bpy.ops.spark.new_project(person="Anna K", folder=str(WORK))
    again = refused(bpy.ops.spark.new_project, person="Anna K", folder=str(WORK))
    wrong = refused(bpy.ops.spark.open_project, directory=str(WORK))
    bpy.ops.spark.open_project(directory=str(WORK / "Anna K.spark"))
    return {
        "can_start": [*polls, bpy.ops.spark.train.poll()],
        "again": again,
        "wrong": wrong,
        "slash": refused(bpy.ops.spark.new_project, person="a/b", folder=str(WORK)),
        "panel": drawn("SPARK_PT_project"),
        "missing_clip": refused(bpy.ops.spark.add_clips, directory=str(WORK), files=[{"name": "not_there.mp4"}]),
    }


def step_train():
    shown, before = [], refused(bpy.ops.spark.export, filepath=str(WORK / "early.fbx"))

    def during():
        pump_until(lambda: session().state("work").previews > 0)
        part("pump").pump()
        shown.extend([drawn("SPARK_PT_avatar"), bpy.ops.spark.train.poll(), tile_colours()])

    result = play("good", during)
    head = part("result").find_head(WORK / "Anna K.spark")
    return {
        **result,
        "running": shown,
        "clips": drawn("SPARK_PT_clips"),
        "import": drawn("SPARK_PT_import"),
        "shape_keys": len(head.mesh.data.shape_keys.key_blocks) - 1,
        "export_before": before,
    }


def tile_colours():
    """The mean colour of each part of the picture that is shown."""
    pictures = part("pictures")
    found = []
    for index in range(sum(len(row) for row in pictures.tiles())):
        pixels = list(pictures._collection[f"job {index}"].image_pixels_float)
        found.append([round(sum(pixels[channel::4]) / len(pixels[channel::4]), 2) for channel in range(3)])
    return found


def step_pictures():
    """A job that goes on and on, until both of its pictures were shown."""
    seen = []

    def shown():
        part("pump").pump()
        colours = tile_colours()
        if colours and colours not in seen:
            seen.append(colours)
        return len(seen) == 2

    play("painting", lambda: (pump_until(shown), bpy.ops.spark.cancel()))
    bpy.ops.spark.dismiss()
    list_only("good")
    return seen


def step_capture():
    bpy.ops.spark.capture()
    job = [session().state("work").command, dict(session().state("work").options)]
    pump_until(lambda: not session().is_busy("work"))
    scene = bpy.context.scene
    return {
        "job": job,
        "lines": drawn("SPARK_PT_capture"),
        "takes": drawn("SPARK_PT_takes"),
        "range": [scene.frame_start, scene.frame_end, scene.render.fps],
        "camera": scene.camera.name,
        "plate": scene.camera.data.background_images[0].clip.name,
        "view": view_perspective(),
    }


def view_perspective():
    areas = [area for area in bpy.context.screen.areas if area.type == "VIEW_3D"]
    space = max(areas, key=lambda area: area.width * area.height).spaces.active
    return [space.region_3d.view_perspective, space.local_view is not None]  # whose objects 4.x tells in a window only


def step_another_clip():
    """A new clip on the head that is there, with what was changed on it."""
    folder = WORK / "Anna K.spark"
    part("result").find_head(folder).mesh["mine"] = 1
    settings().tracker, settings().preset = "landmarks", "high"
    (WORK / "second.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "second.mp4"}])
    stale = drawn("SPARK_PT_avatar")
    bpy.ops.spark.capture()
    job = [session().state("work").command, dict(session().state("work").options)]
    pump_until(lambda: not session().is_busy("work"))
    take = settings().takes[settings().take_index].name
    mine = part("result").find_head(folder).mesh.get("mine")
    settings().tracker, settings().preset = "optimise", "draft"
    settings().clip_index = 0
    settings().take_index = settings().takes.find("good")
    bpy.ops.spark.bake_take()
    return {"stale": stale, "job": job, "take": take, "mine": mine}


def step_adapt():
    """The tracker that learns the person, from the panel that tracks with it."""
    before = drawn("SPARK_PT_capture")
    settings().tracker = "adapted"
    bpy.ops.spark.adapt()
    job = [session().state("work").command, dict(session().state("work").options)]
    pump_until(lambda: not session().is_busy("work"))
    after = drawn("SPARK_PT_capture")
    settings().tracker = "optimise"
    return {"before": before, "job": job, "status": session().state("work").status, "after": after}


def step_choose_the_person():
    settings().clip_index = 0
    before = drawn("SPARK_PT_clips")
    bpy.ops.spark.choose_person(number=1)
    bpy.ops.spark.read_clip()
    options = dict(session().state("work").options)
    pump_until(lambda: not session().is_busy("work"))
    return {"before": before, "options": options, "after": drawn("SPARK_PT_clips")}


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
    settings().clip_index = settings().clips.find("good.mp4")
    bpy.ops.spark.capture()
    pump_until(lambda: not session().is_busy("work"))
    bpy.ops.object.mode_set(mode="OBJECT")
    return {"sentences": sentences, "status": session().state("work").status, "lines": drawn("SPARK_PT_capture")}


def step_undo():
    bpy.ops.ed.undo_push(message="before")
    counts = [len(bpy.data.objects)]
    bpy.ops.spark.import_avatar("EXEC_DEFAULT", True, beside=True)
    counts.append(len(bpy.data.objects))
    bpy.ops.ed.undo()
    return [*counts, len(bpy.data.objects)]


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
    result["panel"] = drawn("SPARK_PT_export")
    settings().export_format = ".obj"
    (WORK / "file").touch()
    result["refused"] = refused(bpy.ops.spark.export, filepath=str(WORK / "file" / "anna.obj"))
    return result


def step_faults():
    return {name: play(name) for name in ("no_face", "bug", "exit", "garbage")}


def step_lost():
    """A head that cannot be read, in a scene that has none yet."""
    bpy.ops.spark.new_project(person="Lost", folder=str(WORK))
    shutil.copytree(WORK / "Anna K.spark" / "avatar", WORK / "Lost.spark" / "avatar")
    result = play("lost")
    bpy.ops.spark.open_project(directory=str(WORK / "Anna K.spark"))
    return result


def step_resume():
    """A training that was killed goes on in the same folder, also after a restart of Blender."""
    play("endless", during=lambda: kill(session()._processes["work"].process_id))
    folder = session().state("work").folder
    first = {"lines": drawn("SPARK_PT_avatar"), "can": bpy.ops.spark.resume.poll()}
    bpy.ops.wm.save_as_mainfile(filepath=str(WORK / "resume.blend"))
    addon_utils.disable(MODULE, default_set=False)
    addon_utils.enable(MODULE, default_set=False)
    bpy.ops.wm.open_mainfile(filepath=str(WORK / "resume.blend"))
    pump_until(lambda: not session().is_busy("work"))
    found = {"folder": session().state("work").folder == folder, "lines": drawn("SPARK_PT_avatar")}
    bpy.ops.spark.resume()
    pump_until(lambda: session().state("work").stage == "Working")
    again = session().state("work").folder == folder
    bpy.ops.spark.cancel()
    pump_until(lambda: not session().is_busy("work"))
    cancelled = drawn("SPARK_PT_avatar")
    bpy.ops.spark.dismiss()
    return {"first": first, "found": found, "again": again, "cancelled": cancelled, "kept": folder.exists()}


def step_killed():
    return play("endless", during=lambda: kill(session()._processes["work"].process_id))


def kill(process_id):
    os.kill(process_id, 9)


def step_cancelled():
    shown = []

    def cancel():
        bpy.ops.spark.cancel()
        shown.append(drawn("SPARK_PT_avatar"))

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
    sentence = refused(bpy.ops.spark.train)
    jobs.unlink()
    (WORK / "jobs before").rename(jobs)
    return sentence


def step_still_usable():
    bpy.ops.spark.dismiss()
    empty = drawn("SPARK_PT_avatar")
    return {**play("good"), "dismissed": empty, "folders": len(list((WORK / "Anna K.spark" / "jobs").iterdir()))}


def step_drawing():
    """What every panel asks of the disk while it is drawn, with clips, a head, takes and the end of a job."""
    with installed.noted_calls("open", "stat", "lstat", "scandir", "listdir", "access") as calls:
        lines = [line for name in panel_names() for line in drawn(name)]
    return {"lines": len(lines), "calls": calls}


def step_buttons():
    """Whether a button that starts or ends work, or reads the project, waits for something."""
    list_only("endless")
    waits = {}
    for name, press in installed.buttons(WORK / "Anna K.spark").items():
        if name == "cancel":
            pump_until(lambda: session().state("work").stage == "Working")
        with installed.noted_calls("sleep", "Popen.wait", "Popen.communicate") as waits[name]:
            press()
        if name == "cancel":
            pump_until(lambda: not any(session().is_busy(kind) for kind in ("work", "check", "models")))
    return waits


def step_found_again():
    bpy.context.preferences.addons[MODULE].preferences.keep_running = True
    list_only("endless")
    bpy.ops.spark.train()
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
    list_only("endless")
    bpy.ops.spark.train()
    pump_until(lambda: session().state("work").stage == "Working")
    folder = session().state("work").folder
    addon_utils.disable(MODULE, default_set=True)
    deadline = time.monotonic() + PATIENCE
    while lock_is_held(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return {"runs": lock_is_held(folder)}


run_steps(globals(), REQUEST)
