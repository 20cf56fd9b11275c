"""The buttons of the panel Live."""

import bpy
from bpy.props import BoolProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.launch import backend_command
from spark_backend.protocol.live_commands import Calibrate, ForgetCalibration, Restart, StartRecording, StopRecording

from .. import runtime
from ..backend import job_parent
from ..operators.base import SentenceOnError, can_work, has_avatar, has_backend
from ..operators.capture import start_work
from ..project import required_project
from ..properties import absolute, settings_of
from ..pump import JOBS_FOLDER
from ..result import require_object_mode
from ..session import CAMERAS
from ..strengths import note_moved, show_strengths, strengths_of
from . import pump
from .properties import keep_strengths, live_settings
from .state import live

LOG_FOLDER = "live"
"""In the folder of jobs: where the log of the last session is."""


def camera_of(settings: bpy.types.PropertyGroup) -> str:
    """What `spark live --camera` is given."""
    chosen = {
        "CAMERA": settings.camera.strip() or "0",
        "ADDRESS": settings.address.strip(),
        "FILE": str(absolute(settings.file)) if settings.file else "",
        "PHONE": f"livelink://{settings.phone.strip()}",
    }[settings.source]
    if not chosen:
        raise SparkError("Nothing is chosen to film the face; give an address or a file")
    return chosen


def options_of(settings: bpy.types.PropertyGroup) -> list[str]:
    """The options of `spark live`, its project aside."""
    options = ["--camera", camera_of(settings), "--size", *settings.size.split()]
    options += ["--tracker", settings.tracker]
    options += ["--vmc", settings.vmc] if settings.use_vmc else []
    return options + (["--livelink", settings.livelink] if settings.use_livelink else [])


class SPARK_OT_live_list_cameras(SentenceOnError, bpy.types.Operator):
    """Look which cameras there are; the field beside offers their names"""

    bl_idname = "spark.live_list_cameras"
    bl_label = "Find Cameras"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_backend(cls) and not runtime.session().is_busy(CAMERAS)

    def work(self, context: bpy.types.Context) -> None:
        session = runtime.session()
        session.start(CAMERAS, backend_command(session.backend.python), job_parent(), Job("cameras", {}))


class SPARK_OT_live_start(SentenceOnError, bpy.types.Operator):
    """Let the camera drive the head"""

    bl_idname = "spark.live_start"
    bl_label = "Start"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return live().process is None and has_backend(cls) and has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        require_object_mode()
        settings, project = live_settings(context.scene), required_project(settings_of(context.scene))
        command = backend_command(runtime.session().backend.python)
        options = options_of(settings)
        if not settings.keys:  # the add-on was enabled with the project open
            show_strengths(context.scene)
        pump.drive(project)
        try:
            live().start(command, project.folder, project.folder / JOBS_FOLDER / LOG_FOLDER, options)
        except SparkError:
            pump.leave()
            raise
        live().send(strengths_of(context.scene).adjust())
        note_moved(context.scene)
        keep_strengths()


class RunningOperator:
    """An operator of a session that runs."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return live().view.running


class SPARK_OT_live_stop(RunningOperator, bpy.types.Operator):
    """Stop; a recording that runs is saved"""

    bl_idname = "spark.live_stop"
    bl_label = "Stop"

    def execute(self, context: bpy.types.Context) -> set[str]:
        live().stop()
        return {"FINISHED"}


class SPARK_OT_live_pause(RunningOperator, bpy.types.Operator):
    """Hold the pose, or go on"""

    bl_idname = "spark.live_pause"
    bl_label = "Pause"

    def execute(self, context: bpy.types.Context) -> set[str]:
        live().pause()
        return {"FINISHED"}


class SPARK_OT_live_restart(RunningOperator, bpy.types.Operator):
    """Open the camera anew; a video starts from its beginning"""

    bl_idname = "spark.live_restart"
    bl_label = "Restart Camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        live().send(Restart())
        return {"FINISHED"}


class SPARK_OT_live_calibrate(RunningOperator, bpy.types.Operator):
    """Look into the camera with a resting face for a second: expressions and the head's pose are counted from it"""

    bl_idname = "spark.live_calibrate"
    bl_label = "Calibrate"

    forget: BoolProperty(description="Take the face as it is seen again", options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        live().send(ForgetCalibration() if self.forget else Calibrate())
        return {"FINISHED"}


class SPARK_OT_live_record(RunningOperator, bpy.types.Operator):
    """Record a take, or end it: it is saved at once and baked at the true times"""

    bl_idname = "spark.live_record"
    bl_label = "Record"

    def execute(self, context: bpy.types.Context) -> set[str]:
        settings = live_settings(context.scene)
        if live().view.recording:
            live().send(StopRecording())
        else:
            live().send(StartRecording(settings.take, float(settings.count_in), settings.video, settings.sound))
        return {"FINISHED"}


class SPARK_OT_live_retrack(SentenceOnError, bpy.types.Operator):
    """Track the recorded video with the chosen tracker of the panel Capture, which sees all frames together"""

    bl_idname = "spark.live_retrack"
    bl_label = "Re-track Offline"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        saved = live().view.saved
        if saved is None or not saved.video:
            cls.poll_message_set("Record a take with its video first")
            return False
        return can_work(cls, context) and has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        tracker = settings_of(context.scene).tracker
        start_work(context, "capture", {"clips": [live().view.saved.video], "tracker": tracker, "keep_head": True})


CLASSES = (
    SPARK_OT_live_list_cameras,
    SPARK_OT_live_start,
    SPARK_OT_live_stop,
    SPARK_OT_live_pause,
    SPARK_OT_live_restart,
    SPARK_OT_live_calibrate,
    SPARK_OT_live_record,
    SPARK_OT_live_retrack,
)
