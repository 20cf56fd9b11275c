"""The backend and its jobs."""

from collections.abc import Iterable
from dataclasses import replace

import bpy
from bpy.props import StringProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.launch import backend_command

from .. import runtime
from ..backend import find_backend, job_parent
from ..preferences import preferences_of
from ..project import required_project
from ..properties import SPARK_PG_clip, settings_of
from ..pump import JOBS_FOLDER
from ..session import CHECK, SET_UP, WORK
from .base import SentenceOnError, has_project, is_free


class SPARK_OT_check_backend(SentenceOnError, bpy.types.Operator):
    """See whether the backend works, on which device it runs and what is missing"""

    bl_idname = "spark.check_backend"
    bl_label = "Check"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return not runtime.session().is_busy(CHECK) and not runtime.session().is_busy(SET_UP)

    def work(self, context: bpy.types.Context) -> None:
        session = runtime.session()
        session.set_backend(find_backend(bpy.path.abspath(preferences_of(context).backend)))
        if session.backend.python is None:
            raise SparkError(session.backend.message)
        try:
            options = {"blender": bpy.app.binary_path or None}  # for its headless exports, this Blender will do
            session.start(CHECK, backend_command(session.backend.python), job_parent(), Job("doctor", options))
        except SparkError as error:
            session.set_backend(replace(session.backend, status="broken", message=str(error)))
            raise
        session.set_backend(replace(session.backend, status="checking", message="Checking"))


class SPARK_OT_capture(SentenceOnError, bpy.types.Operator):
    """Build the person's head from all clips, track every clip, import the head and play the first take on it"""

    bl_idname = "spark.capture"
    bl_label = "Capture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_capture(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        start_capture(context, settings_of(context.scene).clips, keep_head=False)


class SPARK_OT_track_clip(SentenceOnError, bpy.types.Operator):
    """Track the selected video on the head that the project has, and play the take on it; the head stays as it is"""

    bl_idname = "spark.track_clip"
    bl_label = "Track Selected Clip"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not can_capture(cls, context):
            return False
        if not settings_of(context.scene).has_avatar:
            cls.poll_message_set("Capture first: the project has no head yet")
            return False
        return True

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        if settings.clip_index >= len(settings.clips):
            raise SparkError("No clip is selected; choose one in the list")
        start_capture(context, [settings.clips[settings.clip_index]], keep_head=True)


def can_capture(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether there is a backend, a project with clips, and no running job; says what is missing."""
    if runtime.session().backend.python is None:
        operator.poll_message_set("Set up the backend or choose its environment first")
        return False
    if not has_project(operator, context) or not is_free(operator):
        return False
    if not settings_of(context.scene).clips:
        operator.poll_message_set("Add a clip first")
        return False
    return True


def start_capture(context: bpy.types.Context, clips: Iterable[SPARK_PG_clip], keep_head: bool) -> None:
    """Starts the job that reads the clips, builds the head unless it is kept, and tracks them."""
    settings = settings_of(context.scene)
    options = {
        "project": str(required_project(settings).folder),
        "clips": [bpy.path.abspath(item.path) for item in clips],
        "preset": settings.preset,
        "tracker": settings.tracker,
        "keep_head": keep_head,
    }
    start_work(context, Job("capture", options))


def start_work(context: bpy.types.Context, job: Job) -> None:
    """Starts a job for the open project."""
    session = runtime.session()
    if session.backend.python is None:
        raise SparkError("No backend found; set it up or choose its environment first")
    if session.is_busy(SET_UP):
        raise SparkError("The backend is being set up; wait for its end or cancel that")
    parent = required_project(settings_of(context.scene)).folder / JOBS_FOLDER
    session.start(WORK, backend_command(session.backend.python), parent, job, preferences_of(context).keep_running)


class SPARK_OT_cancel(bpy.types.Operator):
    """Stop the running job"""

    bl_idname = "spark.cancel"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        state = runtime.session().state(WORK)
        return state is not None and state.status == "running"

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.session().cancel(WORK)
        return {"FINISHED"}


class SPARK_OT_dismiss(bpy.types.Operator):
    """Put this message away"""

    bl_idname = "spark.dismiss"
    bl_label = "Dismiss"

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.session().dismiss(WORK)
        return {"FINISHED"}


class SPARK_OT_open_log(SentenceOnError, bpy.types.Operator):
    """Show what the backend has printed"""

    bl_idname = "spark.open_log"
    bl_label = "Open Log"

    kind: StringProperty(default=WORK, options={"HIDDEN"})

    def work(self, context: bpy.types.Context) -> None:
        state = runtime.session().state(self.kind)
        if state is None or not state.log.exists():
            raise SparkError("There is no log; it is kept from the start of a job on")
        bpy.ops.wm.path_open(filepath=str(state.log))


CLASSES = (
    SPARK_OT_check_backend,
    SPARK_OT_capture,
    SPARK_OT_track_clip,
    SPARK_OT_cancel,
    SPARK_OT_dismiss,
    SPARK_OT_open_log,
)
