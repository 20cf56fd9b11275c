"""Runs inside Blender (pip's bpy): sets a backend up, cancels, repairs and removes it through the add-on's operators.

`python setup_scenario.py REQUEST.json`; what it saw is written as JSON. Timers do not run here: `pump` is called.
"""

import importlib
import json
import os
import shutil
import sys
import traceback
from pathlib import Path
from types import SimpleNamespace

REQUEST = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
os.environ["BLENDER_USER_RESOURCES"] = REQUEST["user"]

sys.path.append(str(Path(__file__).parent))  # which Python's switch -I leaves out

import bpy  # noqa: E402
import installed  # noqa: E402
from installed import MODULE, Canvas, part, refused, session  # noqa: E402

addon_utils = importlib.import_module("addon_utils")  # found only once bpy is there

PATIENCE = 120.0


def preferences():
    return bpy.context.preferences.addons[MODULE].preferences


def state():
    return session().state("set-up")


def drawn():
    """What the preferences show, in lines."""
    context = SimpleNamespace(
        preferences=SimpleNamespace(system=SimpleNamespace(ui_scale=1.0)), region=SimpleNamespace(width=4000)
    )
    canvas, own = Canvas(), preferences()
    names = ("backend", "python", "device", "wheels", "projects", "keep_running")
    fields = {name: getattr(own, name) for name in names}
    type(own).draw(SimpleNamespace(layout=canvas, bl_rna=own.bl_rna, **fields), context)
    return canvas.lines


def pump_until(condition):
    return installed.pump_until(condition, "set-up", PATIENCE)


def whole(operator, **options):
    """A whole job."""
    operator(**options)
    return pump_until(lambda: not state().busy)


def step_install():
    bpy.ops.extensions.package_install_files(
        filepath=REQUEST["zip"], repo="user_default", enable_on_install=True, overwrite=True
    )
    folder = Path(part("setup.steps").__file__).parents[1]
    carried = [path.name for path in (folder / "wheels").iterdir()]
    shutil.copy(REQUEST["wheel"], folder / "wheels")  # the real one would want the real torch
    return {"carried": carried, "lines": drawn(), "folder": str(folder)}


def step_offline():
    bpy.context.preferences.system.use_online_access = False
    sentence = refused(bpy.ops.spark.set_up_backend)
    preferences().wheels = REQUEST["wheels"]
    return {"sentence": sentence, "state": state() is None}


def step_cancel():
    bpy.ops.spark.set_up_backend()
    running = [drawn(), bpy.ops.spark.set_up_backend.poll(), bpy.ops.spark.check_backend.poll()]
    pump_until(lambda: state().stage == "PyTorch")
    bpy.ops.spark.cancel_set_up()
    cancelling = drawn()
    pump_until(lambda: not state().busy)
    return {"running": running, "cancelling": cancelling, "status": state().status, "lines": drawn()}


def step_resume():
    longest = whole(bpy.ops.spark.set_up_backend)
    python = session().backend.python
    return {
        "longest": longest,
        "status": state().status,
        "log": state().log.read_text(encoding="utf-8"),
        "lines": drawn(),
        "python": str(python),
        "torch": "torch" in sys.modules,
    }


def step_after_a_restart():
    addon_utils.disable(MODULE, default_set=False)
    addon_utils.enable(MODULE, default_set=False)
    found = session().backend.message
    bpy.ops.spark.check_backend.poll()
    return {"message": found, "python": str(session().backend.python)}


def step_fault():
    wheel = next(Path(REQUEST["wheels"]).glob("anny-*.whl"))
    content = wheel.read_bytes()
    wheel.write_bytes(content[:100])
    whole(bpy.ops.spark.set_up_backend, repair=True)
    failed = {"status": state().status, "lines": drawn(), "backend": session().backend.message}
    wheel.write_bytes(content)
    whole(bpy.ops.spark.set_up_backend)
    return {**failed, "again": state().status}


def step_remove():
    folder = session().backend.python.parents[1]
    whole(bpy.ops.spark.remove_backend)
    return {"there": folder.exists(), "lines": drawn(), "status": session().backend.status}


def main():
    results = {"violations": {}}
    for name, step in list(globals().items()):
        if name.startswith("step_"):
            try:
                results[name.removeprefix("step_")] = step()
            except Exception:  # noqa: BLE001 - the test that asks for this step shows it
                results[name.removeprefix("step_")] = traceback.format_exc()
    results["violations"] = {name: list(texts) for name, texts in addon_utils._extensions_warnings_get().items()}
    Path(REQUEST["result"]).write_text(json.dumps(results, default=str), encoding="utf-8")
    os._exit(0)  # Blender 4.2 may crash and 4.5 hang while the interpreter shuts down


main()
