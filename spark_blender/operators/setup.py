"""Making, repairing and removing the backend's environment, from the preferences."""

import sys
from pathlib import Path

import bpy
from bpy.props import BoolProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job

from .. import runtime
from ..backend import data_folder, job_parent
from ..preferences import SPARK_AP_preferences, preferences_of
from ..session import CHECK, SET_UP, WORK
from .base import SentenceOnError

ADDON = Path(__file__).resolve().parents[1]


def nothing_runs(operator: type[bpy.types.Operator]) -> bool:
    """For `poll`: whether neither the backend nor its set-up is at work; says so when one is."""
    if any(runtime.session().is_busy(kind) for kind in (CHECK, WORK, SET_UP)):
        operator.poll_message_set("A job is running; wait for its end or cancel it")
        return False
    return True


def start_set_up(job: Job) -> None:
    """Starts a job of `setup` in Blender's own Python."""
    command = (sys.executable, "-I", "-u", str(ADDON / "run.py"), "setup.work")
    runtime.session().start(SET_UP, command, job_parent(), job)


def environment(preferences: SPARK_AP_preferences) -> str:
    """Where the environment is or shall be made."""
    return bpy.path.abspath(preferences.backend) or str(data_folder() / "environment")


def request(preferences: SPARK_AP_preferences, repair: bool) -> dict[str, object]:
    """The options of the job, see `setup.work.set_up`; faults that Blender alone knows of are a `SparkError`."""
    wheel = next((ADDON / "wheels").glob("spark_backend-*.whl"), None)
    if wheel is None:
        raise SparkError(f"{ADDON}: this add-on carries no backend; install it from its zip")
    wheels = bpy.path.abspath(preferences.wheels)
    if not wheels and not bpy.app.online_access:
        raise SparkError(
            "Blender may not go online; allow it in Preferences > System > Network, or choose a folder of wheels"
        )
    return {
        "folder": environment(preferences),
        "python": bpy.path.abspath(preferences.python) or sys.executable,
        "wheel": str(wheel),
        "constraints": str(ADDON / "constraints.txt"),
        "wheels": wheels or None,
        "device": preferences.device,
        "repair": repair,
        "addon": str(ADDON),
        "blender": bpy.app.binary_path or None,
    }


class SPARK_OT_set_up_backend(SentenceOnError, bpy.types.Operator):
    """Make the environment that computes for SPARK, or go on where that was left; about 3 GB, with CUDA 8"""

    bl_idname = "spark.set_up_backend"
    bl_label = "Set Up Backend"

    repair: BoolProperty(description="Make it anew, also where it is done", options={"SKIP_SAVE"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return "Make the environment anew; what was downloaded is used again" if properties.repair else cls.__doc__

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def work(self, context: bpy.types.Context) -> None:
        start_set_up(Job("set-up", request(preferences_of(context), self.repair)))


class SPARK_OT_cancel_set_up(bpy.types.Operator):
    """Stop; what is done stays and is used when you go on"""

    bl_idname = "spark.cancel_set_up"
    bl_label = "Cancel Set-Up"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return runtime.session().is_busy(SET_UP)

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.session().cancel(SET_UP)
        return {"FINISHED"}


class SPARK_OT_remove_backend(SentenceOnError, bpy.types.Operator):
    """Delete the environment that Set Up Backend has made; projects, heads and takes stay"""

    bl_idname = "spark.remove_backend"
    bl_label = "Remove Backend"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return nothing_runs(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def work(self, context: bpy.types.Context) -> None:
        start_set_up(Job("remove", {"folder": environment(preferences_of(context))}))


CLASSES = (SPARK_OT_set_up_backend, SPARK_OT_cancel_set_up, SPARK_OT_remove_backend)
