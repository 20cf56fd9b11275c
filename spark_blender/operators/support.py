"""Models that are fetched, and the report for when something goes wrong."""

from pathlib import Path

import bpy
from bpy.props import StringProperty

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.launch import backend_command

from .. import runtime
from ..backend import job_parent
from ..diagnostics import private_texts, write_report
from ..preferences import terms_of
from ..project import project_folder, video_of
from ..properties import absolute, settings_of
from ..session import CHECK, EXPORT, MODELS, SET_UP, WORK
from .base import SentenceOnError, has_backend


def start_models(context: bpy.types.Context, options: dict[str, str]) -> None:
    """Asks the backend about its models."""
    session = runtime.session()
    session.start(
        MODELS, backend_command(session.backend.python), job_parent(), Job("models", options), terms_of(context)
    )


class AsksForModels(SentenceOnError):
    """A button that needs a backend which is not busy with models."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_backend(cls) and not runtime.session().is_busy(MODELS)


class SPARK_OT_list_models(AsksForModels, bpy.types.Operator):
    """See which networks and head models there are, their licences, sizes and places"""

    bl_idname = "spark.list_models"
    bl_label = "List Models"

    def work(self, context: bpy.types.Context) -> None:
        start_models(context, {})


class SPARK_OT_get_model(AsksForModels, bpy.types.Operator):
    """Download this model from its official address; it is checked by its digest"""

    bl_idname = "spark.get_model"
    bl_label = "Download Model"

    model: StringProperty(options={"HIDDEN"})

    def work(self, context: bpy.types.Context) -> None:
        if not bpy.app.online_access:
            raise SparkError(
                "Blender may not go online; allow it in Preferences > System > Network, or choose the model's file"
            )
        start_models(context, {"action": "get", "name": self.model})


class SPARK_OT_choose_model_file(AsksForModels, bpy.types.Operator):
    """Use a file of this model that you have; it is checked by its digest and copied to SPARK's data folder"""

    bl_idname = "spark.choose_model_file"
    bl_label = "Choose Model File"

    model: StringProperty(options={"HIDDEN"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> None:
        start_models(context, {"action": "get", "name": self.model, "file": str(absolute(self.filepath))})


class SPARK_OT_copy_report(bpy.types.Operator):
    """Put a report for the developers on the clipboard; it names no person, no clip and no folder of yours"""

    bl_idname = "spark.copy_report"
    bl_label = "Copy Diagnostic Report"

    def execute(self, context: bpy.types.Context) -> set[str]:
        context.window_manager.clipboard = diagnostic_report()
        self.report({"INFO"}, "The report is on the clipboard")
        return {"FINISHED"}


def diagnostic_report() -> str:
    """The report about this session."""
    session = runtime.session()
    scenes = [settings_of(scene) for scene in bpy.data.scenes]
    people = {folder for settings in scenes if (folder := project_folder(settings))} | {*session.facts, *session.recent}
    videos = {video_of(item) for settings in scenes for item in settings.clips}
    videos |= {Path(info.source) for facts in session.facts.values() for info in facts.clips.values()}
    names = {name for facts in session.facts.values() for name in (*facts.clips, *facts.takes)}
    blender = {"version": bpy.app.version_string, "build": bpy.app.build_hash.decode("ascii", "replace")}
    jobs = {kind: session.state(kind) for kind in (CHECK, SET_UP, MODELS, WORK, EXPORT)}
    private = private_texts(sorted(people), sorted(videos), sorted(names))
    return write_report(blender, session.backend, session.checks, jobs, private)


CLASSES = (SPARK_OT_list_models, SPARK_OT_get_model, SPARK_OT_choose_model_file, SPARK_OT_copy_report)
