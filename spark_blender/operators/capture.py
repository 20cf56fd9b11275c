"""The backend and its jobs."""

from dataclasses import replace

import bpy
from bpy.props import IntProperty, StringProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.launch import backend_command

from .. import runtime
from ..backend import find_backend, job_parent
from ..pictures import forget_picture
from ..preferences import preferences_of, terms_of
from ..project import found_video, refresh, required_project
from ..properties import SPARK_PG_clip, SPARK_PG_settings, settings_of
from ..pump import JOBS_FOLDER
from ..session import CHECK, EXPORT, SET_UP, WORK
from .base import SentenceOnError, can_work, has_avatar, has_backend, has_clips


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


class SPARK_OT_read_clip(SentenceOnError, bpy.types.Operator):
    """Find the face in every frame of the selected video now; training and capturing do it by themselves"""

    bl_idname = "spark.read_clip"
    bl_label = "Read Clip"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_work(cls, context) and has_clips(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        item = selected_clip(settings)
        options = {"clips": [str(found_video(item))], "face": item.face or None}
        start_work(context, "ingest", options)


class SPARK_OT_choose_person(SentenceOnError, bpy.types.Operator):
    """Follow this person; press Read Again then"""

    bl_idname = "spark.choose_person"
    bl_label = "Choose Person"
    bl_options = {"UNDO", "INTERNAL"}

    number: IntProperty(options={"HIDDEN"})

    def work(self, context: bpy.types.Context) -> None:
        selected_clip(settings_of(context.scene)).face = self.number


class SPARK_OT_train(SentenceOnError, bpy.types.Operator):
    """Build the person's head from all clips of the list; Blender stays free meanwhile"""

    bl_idname = "spark.train"
    bl_label = "Train"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_work(cls, context) and has_clips(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        clips = [str(found_video(item)) for item in settings.clips]
        start_work(context, "train", {"clips": clips, "preset": settings.preset, "subdivide": settings.subdivide})


class SPARK_OT_adapt(SentenceOnError, bpy.types.Operator):
    """Teach the real-time tracker this person, from the head and all clips that have been read"""

    bl_idname = "spark.adapt"
    bl_label = "Adapt Tracker"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_work(cls, context) and has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        start_work(context, "adapt", {"preset": settings_of(context.scene).preset})


class SPARK_OT_resume(SentenceOnError, bpy.types.Operator):
    """Go on with the work that was stopped; what it has done is kept"""

    bl_idname = "spark.resume"
    bl_label = "Resume"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        state = runtime.session().state(WORK)
        return state is not None and state.resumable and has_backend(cls)

    def work(self, context: bpy.types.Context) -> None:
        session = runtime.session()
        session.resume(WORK, backend_command(session.backend.python), terms_of(context))


class SPARK_OT_capture(SentenceOnError, bpy.types.Operator):
    """Track the selected video on the head that the project has, and play the take on it in the scene"""

    bl_idname = "spark.capture"
    bl_label = "Capture"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_work(cls, context) and has_clips(cls, context) and has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        video = found_video(selected_clip(settings))
        clip = refresh(settings).clip_of(video)
        if clip is not None:
            start_work(context, "track", {"clip": clip, "tracker": settings.tracker})
            return
        options = {"clips": [str(video)], "face": selected_clip(settings).face or None}
        start_work(context, "capture", {**options, "tracker": settings.tracker, "keep_head": True})


def selected_clip(settings: SPARK_PG_settings) -> SPARK_PG_clip:
    """The video that is selected in the list."""
    if settings.clip_index >= len(settings.clips):
        raise SparkError("No clip is selected; choose one in the list")
    return settings.clips[settings.clip_index]


def start_work(context: bpy.types.Context, command: str, options: dict[str, object]) -> None:
    """Starts a job for the open project, which becomes one of its options."""
    session = runtime.session()
    if session.backend.python is None:
        raise SparkError("No backend found; set it up or choose its environment first")
    if session.is_busy(SET_UP):
        raise SparkError("The backend is being set up; wait for its end or cancel that")
    folder = required_project(settings_of(context.scene)).folder
    job = Job(command, {"project": str(folder), **options})
    session.start(WORK, backend_command(session.backend.python), folder / JOBS_FOLDER, job, terms_of(context))
    forget_picture()


class SPARK_OT_cancel(bpy.types.Operator):
    """Stop the running job"""

    bl_idname = "spark.cancel"
    bl_label = "Cancel"

    kind: StringProperty(default=WORK, options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        states = (runtime.session().state(kind) for kind in (WORK, EXPORT))
        return any(state is not None and state.status == "running" for state in states)

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.session().cancel(self.kind)
        return {"FINISHED"}


class SPARK_OT_dismiss(bpy.types.Operator):
    """Put this message away"""

    bl_idname = "spark.dismiss"
    bl_label = "Dismiss"

    kind: StringProperty(default=WORK, options={"HIDDEN", "SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        runtime.session().dismiss(self.kind)
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
    SPARK_OT_read_clip,
    SPARK_OT_choose_person,
    SPARK_OT_train,
    SPARK_OT_adapt,
    SPARK_OT_resume,
    SPARK_OT_capture,
    SPARK_OT_cancel,
    SPARK_OT_dismiss,
    SPARK_OT_open_log,
)
