"""Projects and their clips."""

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from spark_backend.protocol.project import open_project

from ..preferences import preferences_of
from ..project import VIDEO_SUFFIXES, add_clips, free_name, new_project, refresh, remove_clip, show_project
from ..properties import absolute, settings_of
from .base import SentenceOnError, has_project, is_free


class SPARK_OT_new_project(SentenceOnError, bpy.types.Operator):
    """Make a project: the folder for one person's clips, head and takes"""

    bl_idname = "spark.new_project"
    bl_label = "New Project"
    bl_options = {"UNDO"}

    person: StringProperty(name="Name", description="The person's name", default="Person")
    folder: StringProperty(name="Folder", description="Where the project's folder is made", subtype="DIR_PATH")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_free(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.folder = preferences_of(context).projects
        return context.window_manager.invoke_props_dialog(self, width=400)

    def work(self, context: bpy.types.Context) -> None:
        parent = absolute(self.folder or preferences_of(context).projects)
        new_project(settings_of(context.scene), parent, self.person)


class SPARK_OT_open_project(SentenceOnError, bpy.types.Operator):
    """Open a project folder"""

    bl_idname = "spark.open_project"
    bl_label = "Open Project"
    bl_options = {"UNDO"}

    directory: StringProperty(subtype="DIR_PATH")
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_free(cls)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self.directory = preferences_of(context).projects
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> None:
        show_project(settings_of(context.scene), open_project(absolute(self.directory)))


class SPARK_OT_refresh_project(SentenceOnError, bpy.types.Operator):
    """Read clips and takes from the project's folder again"""

    bl_idname = "spark.refresh_project"
    bl_label = "Refresh"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return has_project(cls, context)

    def work(self, context: bpy.types.Context) -> None:
        refresh(settings_of(context.scene))


class SPARK_OT_open_recent(SentenceOnError, bpy.types.Operator):
    """Open this project"""

    bl_idname = "spark.open_recent"
    bl_label = "Open Recent Project"
    bl_options = {"UNDO"}

    folder: StringProperty(options={"HIDDEN"})

    @classmethod
    def description(cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        return f"Open {properties.folder}"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return is_free(cls)

    def work(self, context: bpy.types.Context) -> None:
        show_project(settings_of(context.scene), open_project(absolute(self.folder)))


class SPARK_OT_add_clips(SentenceOnError, bpy.types.Operator):
    """Add videos of the person; you can also drag them from a file browser into the viewport"""

    bl_idname = "spark.add_clips"
    bl_label = "Add SPARK Clips"  # as Blender lists it among what can be done with a dropped video
    bl_options = {"UNDO"}

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_glob: StringProperty(default=";".join(f"*{suffix}" for suffix in VIDEO_SUFFIXES), options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if self.files:  # they were dropped into the viewport
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def work(self, context: bpy.types.Context) -> None:
        settings, folder = settings_of(context.scene), absolute(self.directory)
        videos = [folder / file.name for file in self.files if file.name]
        if videos and not settings.project:
            parent = absolute(preferences_of(context).projects)
            project = new_project(settings, parent, free_name(parent, videos[0].stem))
            self.report({"INFO"}, f"Made the project {project.folder}")
        add_clips(settings, videos)


class SPARK_FH_videos(bpy.types.FileHandler):
    bl_idname = "SPARK_FH_videos"
    bl_label = "SPARK Clips"
    bl_import_operator = "spark.add_clips"
    bl_file_extensions = ";".join(VIDEO_SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        return context.area is not None and context.area.type == "VIEW_3D"


class SPARK_OT_remove_clip(SentenceOnError, bpy.types.Operator):
    """Take the selected video out of the project; its file is left alone"""

    bl_idname = "spark.remove_clip"
    bl_label = "Remove Clip"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(settings_of(context.scene).clips) and is_free(cls)

    def work(self, context: bpy.types.Context) -> None:
        settings = settings_of(context.scene)
        remove_clip(settings, settings.clip_index)


CLASSES = (
    SPARK_OT_new_project,
    SPARK_OT_open_project,
    SPARK_OT_open_recent,
    SPARK_OT_refresh_project,
    SPARK_OT_add_clips,
    SPARK_OT_remove_clip,
    SPARK_FH_videos,
)
