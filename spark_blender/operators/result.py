"""What is done with a captured head: import, bake, export."""

import bpy
from bpy.props import BoolProperty, StringProperty

from spark_backend.protocol.errors import SparkError

from ..exporting import start_export
from ..project import required_project
from ..properties import BACKEND_FORMATS, SPARK_PG_settings, absolute, settings_of
from ..pump import placement, wait_for_export
from ..result import bake, find_head, import_head, mark_head, update_head
from ..viewport import waiting
from .base import SentenceOnError, can_work, has_avatar, has_project, is_free
from .capture import start_work


def selected_take(settings: SPARK_PG_settings) -> str | None:
    """The name of the take that is selected in the list."""
    return settings.takes[settings.take_index].name if settings.takes else None


def has_takes(operator: type[bpy.types.Operator], context: bpy.types.Context) -> bool:
    """For `poll`: whether the project has a take; says so when not."""
    if not settings_of(context.scene).takes:
        operator.poll_message_set("Capture a clip first")
        return False
    return True


class SPARK_OT_import_avatar(SentenceOnError, bpy.types.Operator):
    """Bring the head into the scene; one that is there takes the new shape and keeps materials, modifiers, animation"""

    bl_idname = "spark.import_avatar"
    bl_label = "Import Avatar"
    bl_options = {"REGISTER", "UNDO"}

    beside: BoolProperty(
        name="As a New Head",
        description="Make another head, and leave the one that was imported before as it is",
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        project = required_project(settings_of(context.scene))
        head = None if self.beside else find_head(project.folder)
        with waiting():
            if head is None:
                import_head(project)
                return
            warnings = update_head(project, head)
        for warning in warnings:
            self.report({"WARNING"}, warning)


class SPARK_OT_mark_asset(SentenceOnError, bpy.types.Operator):
    """Put the head into the asset browser, in the catalogue Characters/SPARK Heads of the file's folder"""

    bl_idname = "spark.mark_asset"
    bl_label = "Mark as Asset"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_avatar(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        mark_head(required_project(settings_of(context.scene)))
        if not bpy.data.filepath:
            self.report({"INFO"}, "Save the file, then mark it again to put it into a catalogue")


class SPARK_OT_bake_take(SentenceOnError, bpy.types.Operator):
    """Play the selected take on the head, as keys at the true time of every frame"""

    bl_idname = "spark.bake_take"
    bl_label = "Bake Take"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_project(cls, context) and has_takes(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        with waiting():
            warnings = bake(required_project(settings), selected_take(settings), placement(settings))
        for warning in warnings:
            self.report({"WARNING"}, warning)


class SPARK_OT_add_light(SentenceOnError, bpy.types.Operator):
    """Light the head as its clip was lit: key, fill and rim lamps and an even rest, found from the clip's frames"""

    bl_idname = "spark.add_light"
    bl_label = "Add Light of Clip"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return can_work(cls, context) and has_takes(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        start_work(context, "light", {"take": selected_take(settings_of(context.scene))})


class SPARK_OT_export(SentenceOnError, bpy.types.Operator):
    """Write the head with its performance to a file for other programs"""

    bl_idname = "spark.export"
    bl_label = "Export"

    filepath: StringProperty(subtype="FILE_PATH")
    filter_glob: StringProperty(options={"HIDDEN"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_avatar(cls, context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        settings = settings_of(context.scene)
        project = required_project(settings)
        name = (selected_take(settings) or project.folder.stem) + settings.export_format
        self.filter_glob = f"*{settings.export_format}"
        self.filepath = str(project.folder / "exports" / name)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        project, path = required_project(settings), absolute(self.filepath)
        suffix = settings.export_format
        path = path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)
        if suffix not in BACKEND_FORMATS:
            with waiting():
                start_export(project, path, settings.export_for)
            if bpy.app.background:  # nothing would tell of its end
                wait_for_export()
            return
        if not settings.takes:
            raise SparkError(f"{path.name}: needs a take; capture a clip first")
        if not is_free(type(self)):
            raise SparkError("A job is running; wait for its end or cancel it")
        options = {"output": str(path), "take": selected_take(settings), "geometry": suffix == ".npz"}
        start_work(context, "export", options)


CLASSES = (SPARK_OT_import_avatar, SPARK_OT_mark_asset, SPARK_OT_bake_take, SPARK_OT_add_light, SPARK_OT_export)
