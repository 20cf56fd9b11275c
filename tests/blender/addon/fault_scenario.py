"""Runs inside Blender (pip's bpy): makes things go wrong in every way that an artist meets, and tells what is shown.

`python fault_scenario.py REQUEST.json`. Each function `fault_…` provokes one fault in a new file with a new project and
gives what the panel shows or what the operator says. After each, a training is run that must go well.
"""

import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]
os.environ.pop("SPARK_BACKEND", None)

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, drawn, part, refused, session  # noqa: E402

PATIENCE = 30.0
WORK = Path(REQUEST["work"])
SOUND = Path(REQUEST["environments"]["full"])


def settings():
    return bpy.context.scene.spark_capture


def preferences():
    return bpy.context.preferences.addons[MODULE].preferences


def project():
    return Path(settings().project)


def job():
    return session().state("work")


def wait(condition, kind="work"):
    installed.pump_until(condition, kind, PATIENCE)


def begin(name):
    """A new file with a new project, and the backend that works."""
    if job() is not None and job().busy:
        session()._processes["work"].kill()
        wait(lambda: not job().busy)
    bpy.ops.wm.read_homefile(use_empty=True)
    preferences().backend = str(SOUND)
    session().set_backend(part("backend").find_backend(str(SOUND)))
    bpy.ops.spark.new_project(person=name, folder=str(WORK))


def list_only(clip):
    settings().clips.clear()
    (WORK / f"{clip}.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": f"{clip}.mp4"}])


def start(clip):
    list_only(clip)
    bpy.ops.spark.train()


def train(clip):
    """A whole training. Gives the panel's lines."""
    start(clip)
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def work_until(clip="endless"):
    """A training that has begun and does not end."""
    start(clip)
    wait(lambda: job().stage == "Working")


def captured():
    """A head with a take on it. Gives the head."""
    train("good")
    bpy.ops.spark.capture()
    wait(lambda: not job().busy)
    return part("result").find_head(project())


def end(lines):
    """Ends what still runs."""
    if job().busy:
        bpy.ops.spark.cancel()
        wait(lambda: not job().busy)
    return lines


# The backend ----------------------------------------------------------------------------------------------------------


def fault_it_crashes():
    return train("exit")


def fault_it_is_killed():
    work_until()
    os.kill(session()._processes["work"].process_id, 9)
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_it_hangs_and_is_cancelled():
    start("deaf")
    wait(lambda: job().stage != "Starting")
    session()._processes["work"]._signals = [(0.6, 9), (0.3, 15)]  # as after a longer patience
    bpy.ops.spark.cancel()
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_it_has_a_bug():
    return train("bug")


def fault_it_finds_no_face():
    return train("no_face")


def fault_it_tells_garbage():
    return train("garbage")


def fault_it_prints_garbage():
    return train("noise")


def fault_its_disk_is_full():
    return train("full_disk")


def fault_its_picture_is_damaged():
    return train("bad_picture")


def fault_it_is_deleted():
    place = WORK / "soon gone"
    shutil.copytree(SOUND, place, symlinks=True)
    preferences().backend = str(place)
    session().set_backend(part("backend").find_backend(str(place)))
    shutil.rmtree(place)
    list_only("good")
    return [refused(bpy.ops.spark.train)]


def fault_it_is_not_there():
    preferences().backend = str(WORK)
    return [refused(bpy.ops.spark.check_backend), *drawn("SPARK_PT_backend")]


def fault_a_second_job_is_started():
    work_until()
    return end([refused(bpy.ops.spark.train)])


# Files ----------------------------------------------------------------------------------------------------------------


def fault_the_head_is_damaged():
    train("good")
    (project() / "avatar" / "avatar.npz").write_bytes(b"PK\x03\x04 cut off")
    return [refused(bpy.ops.spark.import_avatar)]


def fault_the_take_is_damaged():
    captured()
    (project() / "takes" / "good.npz").write_bytes(b"PK\x03\x04 cut off")
    return [refused(bpy.ops.spark.bake_take)]


def fault_the_take_is_gone():
    captured()
    (project() / "takes" / "good.npz").unlink()
    return [refused(bpy.ops.spark.bake_take)]


def fault_the_project_is_newer():
    place = WORK / "from the future.spark"
    shutil.copytree(project(), place)
    newer(place / "project.json")
    return [refused(bpy.ops.spark.open_project, directory=str(place))]


def fault_the_head_is_newer():
    train("good")
    newer(project() / "avatar" / "avatar.json")
    return [refused(bpy.ops.spark.import_avatar)]


def newer(path):
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**content, "format_version": 99}), encoding="utf-8")


def fault_the_project_file_is_damaged():
    (project() / "project.json").write_text("{", encoding="utf-8")
    list_only("good")
    return [refused(bpy.ops.spark.train)]


def fault_no_permission_for_the_project():
    (project() / "jobs").write_text("a file in the way: root may write anywhere else", encoding="utf-8")
    list_only("good")
    return [refused(bpy.ops.spark.train)]


def fault_no_permission_for_the_export():
    captured()
    (WORK / "a file").touch()
    settings().export_format = ".fbx"
    return [refused(bpy.ops.spark.export, filepath=str(WORK / "a file" / "anna.fbx"))]


def fault_the_clip_is_moved_away():
    list_only("moved")
    (WORK / "moved.mp4").unlink()
    return [refused(bpy.ops.spark.train)]


def fault_the_job_folder_is_deleted():
    work_until()
    shutil.rmtree(job().folder, ignore_errors=True)
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_the_project_is_moved_away():
    work_until()
    project().rename(WORK / "elsewhere.spark")
    wait(lambda: not job().busy)
    return [*drawn("SPARK_PT_avatar"), *drawn("SPARK_PT_project")]


def fault_the_file_was_never_saved():
    settings().project = "//Anna.spark"
    return [*drawn("SPARK_PT_project"), *drawn("SPARK_PT_avatar")]


# The scene ------------------------------------------------------------------------------------------------------------


def fault_the_head_is_deleted_meanwhile():
    head = captured()
    bpy.ops.spark.capture()
    bpy.data.objects.remove(head.mesh)
    wait(lambda: not job().busy)
    return [*drawn("SPARK_PT_capture"), f"heads: {len(list(part('result').heads(project())))}"]


def fault_a_bone_is_deleted():
    head = captured()
    bpy.context.view_layer.objects.active = head.armature
    bpy.ops.object.mode_set(mode="EDIT")
    bones = head.armature.data.edit_bones
    bones.remove(bones["jaw"])
    bpy.ops.object.mode_set(mode="OBJECT")
    return [refused(bpy.ops.spark.bake_take)]


def fault_undo_during_a_job():
    bpy.context.preferences.edit.use_global_undo = True
    bpy.ops.ed.undo_push(message="before")
    start("good")
    bpy.ops.ed.undo_push(message="after")
    bpy.ops.ed.undo()
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_another_scene_is_active():
    start("good")
    bpy.context.window.scene = bpy.data.scenes.new("Other")
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_another_file_is_opened():
    start("good")
    bpy.ops.wm.read_homefile(use_empty=True)
    wait(lambda: not job().busy)
    return drawn("SPARK_PT_avatar")


def fault_another_mode_is_on():
    head = captured()
    bpy.context.view_layer.objects.active = head.armature
    bpy.ops.object.mode_set(mode="POSE")
    bpy.ops.spark.capture()
    wait(lambda: not job().busy)
    lines = drawn("SPARK_PT_capture")
    bpy.ops.object.mode_set(mode="OBJECT")
    return lines


def fault_there_is_no_head_to_export():
    captured()
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing)
    settings().export_format = ".fbx"
    return [refused(bpy.ops.spark.export, filepath=str(WORK / "nobody.fbx"))]


# The set-up -----------------------------------------------------------------------------------------------------------


def set_up(until=None):
    """Runs the set-up, or cancels it when something holds of it. Gives the panel's lines."""
    preferences().backend = ""
    session().set_backend(part("backend").find_backend(""))
    bpy.ops.spark.set_up_backend()
    state = lambda: session().state("set-up")  # noqa: E731
    if until is not None:
        wait(lambda: until(state()), "set-up")
        bpy.ops.spark.cancel_set_up()
    wait(lambda: not state().busy, "set-up")
    return drawn("SPARK_PT_backend")


def fault_the_set_up_may_not_go_online():
    bpy.context.preferences.system.use_online_access = False
    return [refused(bpy.ops.spark.set_up_backend)]


def fault_the_set_up_is_cancelled():
    preferences().wheels = REQUEST["wheels"]
    return set_up(until=lambda state: state.stage == "PyTorch")


def fault_a_wheel_is_damaged():
    preferences().wheels = REQUEST["wheels"]
    wheel = next(Path(REQUEST["wheels"]).glob("torch-*.whl"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[:100])
    lines = set_up()
    wheel.write_bytes(content)
    return lines


def fault_the_folder_of_wheels_is_empty():
    (WORK / "no wheels").mkdir()
    preferences().wheels = str(WORK / "no wheels")
    return set_up()


def main():
    bpy.ops.extensions.package_install_files(
        filepath=REQUEST["zip"], repo="user_default", enable_on_install=True, overwrite=True
    )
    wheels = Path(part("setup.steps").__file__).parents[1] / "wheels"
    shutil.copy(REQUEST["wheel"], wheels)  # the real one would want the real torch
    results = {"version": list(bpy.app.version)}
    for name, fault in list(globals().items()):
        if not name.startswith("fault_"):
            continue
        began, seen = time.perf_counter(), {}
        name = name.removeprefix("fault_")
        try:
            begin(name)
            seen["shown"] = fault()
            begin(f"{name} after")
            seen["after"] = [*train("good"), job().status]
        except Exception:  # noqa: BLE001 - the test shows it
            seen["traceback"] = traceback.format_exc()
        results[name] = seen
        sys.stdout.write(f"{name} {time.perf_counter() - began:.2f} s\n")
    Path(REQUEST["result"]).write_text(json.dumps(results, default=str), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # Blender 4.2 may crash and 4.5 hang while the interpreter shuts down


main()
