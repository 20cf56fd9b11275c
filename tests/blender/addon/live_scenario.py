"""Runs inside Blender (pip's bpy): the panel Live with a backend that plays a take. Writes what it saw as JSON.

`python live_scenario.py REQUEST.json`. Blender's timers do not run here, so the panel's `pump` is called in a loop.
"""

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
import numpy as np  # noqa: E402
from installed import MODULE, drawn, part, refused, remove_head, run_steps, sounds  # noqa: E402

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is there

PATIENCE = 30.0
WORK = Path(REQUEST["work"])
FOLDER = WORK / "Anna.spark"


def live():
    return part("live.state").live()


def head():
    return part("result").find_head(FOLDER)


def pump_until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(live().view)
        part("live.pump").pump()
        time.sleep(0.005)


def weights():
    return [block.value for block in head().mesh.data.shape_keys.key_blocks[1:]]


def shown_images():
    return [image.name for image in bpy.data.images if image.name.startswith("SPARK")]


def vertices():
    bpy.context.view_layer.update()
    graph = bpy.context.evaluated_depsgraph_get()
    mesh = head().mesh.evaluated_get(graph).data
    found = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", found)
    return found.reshape(-1, 3)


def panels():
    return {name: drawn(f"SPARK_PT_live{name}") for name in ("", "_latency", "_record", "_adjust", "_keys", "_streams")}


def step_install():
    bpy.ops.extensions.package_install_files(
        filepath=REQUEST["zip"], repo="user_default", enable_on_install=True, overwrite=True
    )
    bpy.context.preferences.addons[MODULE].preferences.backend = REQUEST["environment"]
    off = panels()
    without = [bpy.ops.spark.live_start.poll(), bpy.ops.spark.live_stop.poll(), bpy.ops.spark.live_record.poll()]
    bpy.ops.spark.new_project(person="Anna", folder=str(WORK))
    package = next(Path(REQUEST["environment"]).rglob("spark_backend"))
    shutil.copytree(package / "avatar", FOLDER / "avatar")
    (FOLDER / "takes").mkdir(exist_ok=True)
    shutil.copy(package / "take.npz", FOLDER / "takes" / "truth.npz")
    bpy.ops.spark.refresh_project()
    return {"off": off, "polls": without, "images": shown_images()}


def step_cameras_are_offered():
    settings, session = bpy.context.scene.spark_live, part("runtime").session()
    before = part("live.properties").camera_names(settings, bpy.context, "")
    bpy.ops.spark.live_list_cameras()
    deadline = time.monotonic() + PATIENCE
    while session.is_busy("cameras") and time.monotonic() < deadline:
        part("pump").pump()
        time.sleep(0.01)
    camera_of = part("live.operators").camera_of
    chosen = [camera_of(settings)]
    settings.camera = "Desk Camera"
    chosen.append(camera_of(settings))
    settings.camera = ""
    offered = part("live.properties").camera_names(settings, bpy.context, "")
    return {"before": before, "offered": offered, "chosen": chosen, "panel": panels()[""]}


def step_strengths_come_back():
    """Sliders are moved; another scene opens the project; a file is opened whose sliders are older."""
    kept, blend = FOLDER / "live" / "strengths.json", str(WORK / "older.blend")
    listed, untouched = len(bpy.context.scene.spark_live.keys), kept.exists()
    bpy.ops.wm.save_as_mainfile(filepath=blend)
    settings = bpy.context.scene.spark_live
    settings.smoothing, settings.jaw, settings.keys["mouthSmileLeft"].strength = 0.25, 1.5, 0.5
    file = json.loads(kept.read_text(encoding="utf-8"))
    bpy.context.window.scene = second = bpy.data.scenes.new("Second")
    before = strengths(second)
    bpy.ops.spark.open_recent(folder=str(FOLDER))
    opened = strengths(second)
    bpy.ops.wm.open_mainfile(filepath=blend)
    reopened = strengths(bpy.context.scene)
    settings = bpy.context.scene.spark_live
    settings.smoothing, settings.jaw, settings.keys["mouthSmileLeft"].strength = 0.5, 1.0, 1.0
    return {"listed": listed, "untouched": untouched, "file": file, "shown": [before, opened, reopened]}


def strengths(scene):
    """Smoothing, jaw and the left smile."""
    settings = scene.spark_live
    smile = settings.keys.get("mouthSmileLeft")
    return [settings.smoothing, settings.jaw, smile.strength if smile else None]


def step_start():
    bpy.context.scene.spark_live.strength = 0.5
    bpy.ops.spark.import_avatar()
    still = vertices()
    bpy.ops.spark.live_start()
    starting = panels()
    pump_until(lambda: live().view.state == "tracking" and live().view.latency.whole > 0 and shown_images())
    moved = vertices()
    return {
        "starting": starting,
        "tracking": panels(),
        "moved": float(np.abs(moved - still).max()),
        "second": refused(bpy.ops.spark.live_start),
        "images": shown_images(),
        "picture": list(bpy.data.images["SPARK Live Camera"].size),
    }


def step_settings_are_sent():
    settings = bpy.context.scene.spark_live
    settings.smoothing, settings.brows = 0.25, 2.0
    log = FOLDER / "jobs" / "live" / "commands.txt"
    deadline = time.monotonic() + PATIENCE
    while b'"smoothing": 0.25' not in log.read_bytes() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line["command"] == "Adjust"]


def step_the_pose_is_the_baked_one():
    """Row 0 of the take, live and baked, with the camera where the take's is."""
    placement = importlib.import_module("spark_backend.protocol.placement")
    take = importlib.import_module("spark_backend.protocol.take").load_take(FOLDER / "takes" / "truth.npz")
    bpy.ops.spark.live_restart()  # the stand-in then holds row 0
    time.sleep(0.3)
    driver = part("live.pump")._driver
    driver.world = placement.world_from_camera(driver.avatar, take)
    for _ in range(20):
        part("live.pump").pump()
        time.sleep(0.01)
    there, values = vertices(), weights()
    bones = {bone.name: list(bone.rotation_quaternion) for bone in head().armature.pose.bones}
    matrices = {bone.name: np.array(bone.matrix) for bone in head().armature.pose.bones}
    part("result").bake(
        importlib.import_module("spark_backend.protocol.project").open_project(FOLDER),
        "truth",
        part("result").Placement(1, True),
    )
    bpy.context.scene.frame_set(1)
    baked = {bone.name: np.array(bone.matrix) for bone in head().armature.pose.bones}
    result = {
        "vertices": float(np.abs(vertices() - there).max()),
        "weights": float(np.abs(np.array(weights()) - values).max()),
        "bones": max(float(np.abs(matrices[name] - baked[name]).max()) for name in bones),
    }
    driver.rest_actions()
    return result


def step_pause():
    bpy.ops.spark.live_pause()
    pump_until(lambda: live().view.state == "paused")
    paused = panels()[""]
    bpy.ops.spark.live_pause()
    pump_until(lambda: live().view.state == "tracking")
    bpy.ops.spark.live_calibrate()
    pump_until(lambda: live().view.calibrated)
    return {"paused": paused, "calibrated": panels()[""]}


def step_record():
    settings = bpy.context.scene.spark_live
    settings.take, settings.count_in, settings.sound = "rehearsal", 0, True
    rate = bpy.context.scene.render.fps
    bpy.ops.spark.live_record()
    pump_until(lambda: live().view.recording == "recording")
    during = panels()["_record"]
    time.sleep(0.6)
    bpy.ops.spark.live_record()
    pump_until(lambda: live().view.saved is not None)
    scene = bpy.context.scene.spark_capture
    action = bpy.data.actions.get("rehearsal")
    armature = head().armature
    return {
        "during": during,
        "after": [*panels()[""], *panels()["_record"]],
        "listed": [item.name for item in scene.takes],
        "selected": scene.takes[scene.take_index].name,
        "baked": action is not None,
        "rate": [rate, bpy.context.scene.render.fps],
        "playing": armature.animation_data.action is not None,
        "retrack": refused(bpy.ops.spark.live_retrack),
        "sounds": sounds(),
    }


def step_stop():
    bpy.ops.spark.live_stop()
    stopping = panels()[""]
    pump_until(lambda: live().process is None)
    armature = head().armature
    return {
        "stopping": stopping,
        "panel": panels()[""],
        "action": armature.animation_data.action.name,
        "keys": head().mesh.data.shape_keys.animation_data.action.name,
        "images": shown_images(),
    }


def step_killed():
    bpy.ops.spark.live_start()
    pump_until(lambda: live().view.state == "tracking")
    os.kill(live().process.process_id, 9)
    pump_until(lambda: live().view.state == "ended")
    return {"panel": panels()[""]}


def step_refused_by_the_backend():
    settings = bpy.context.scene.spark_live
    settings.source = "ADDRESS"
    nothing = refused(bpy.ops.spark.live_start)
    settings.address = "99"
    bpy.ops.spark.live_start()
    pump_until(lambda: live().process is None)
    settings.source = "CAMERA"
    return {"nothing": nothing, "panel": panels()[""]}


def step_the_head_goes():
    bpy.ops.spark.live_start()
    pump_until(lambda: live().view.state == "tracking")
    remove_head(head())
    pump_until(lambda: live().process is None)
    return panels()[""]


def step_disabled_while_running():
    bpy.ops.spark.live_start()
    pump_until(lambda: live().view.state == "tracking")
    process = live().process
    addon_utils.disable(MODULE, default_set=True)
    deadline = time.monotonic() + PATIENCE
    while process._process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return {"ended": process._process.poll() is not None, "left": hasattr(bpy.types.Scene, "spark_live")}


run_steps(globals(), REQUEST)
