"""Runs inside Blender (pip's bpy): one Blender starts a training and ends, as in a crash; another looks for it.

`python restart_scenario.py REQUEST.json`. The request's `leave` names people, each with whether their job is to go on
without Blender; without it every file of the folder is opened.
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
from installed import MODULE, drawn, run_steps, session  # noqa: E402

WORK = Path(REQUEST["work"])


def pump_until(condition):
    installed.pump_until(condition, "work", 30.0)


def step_install():
    installed.install(REQUEST)
    bpy.context.preferences.addons[MODULE].preferences.backend = REQUEST["environments"]["full"]


def step_leave():
    """A training that has begun, and the file saved."""
    if "leave" not in REQUEST:
        return None
    person, keep_running = REQUEST["leave"]
    bpy.context.preferences.addons[MODULE].preferences.keep_running = keep_running
    bpy.ops.spark.new_project(person=person, folder=str(WORK))
    (WORK / "endless.mp4").touch()
    bpy.ops.spark.add_clips(directory=str(WORK), files=[{"name": "endless.mp4"}])
    bpy.ops.spark.train()
    pump_until(lambda: session().state("work").stage == "Working")
    bpy.ops.wm.save_as_mainfile(filepath=str(WORK / f"{person}.blend"))
    return session()._processes["work"].process_id


def step_find():
    """What each file's project shows of the job, and what comes of cancelling what still runs."""
    if "leave" in REQUEST:
        return None
    found = {}
    for file in sorted(WORK.glob("*.blend")):
        bpy.ops.wm.open_mainfile(filepath=str(file))
        pump_until(lambda: session().state("work").stage == "Working" or not session().is_busy("work"))
        lines = drawn("SPARK_PT_avatar")
        runs = session().is_busy("work")
        if runs:
            bpy.ops.spark.cancel()
            pump_until(lambda: not session().is_busy("work"))
        found[file.stem] = {"runs": runs, "lines": lines, "end": session().state("work").status}
        bpy.ops.spark.dismiss()
    return found


run_steps(globals(), REQUEST)
