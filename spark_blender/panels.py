"""The tab SPARK in the 3D viewport's sidebar."""

import time

import bpy

from . import runtime
from .drawing import alert, draw_set_up, paragraph
from .preferences import preferences_of
from .properties import BACKEND_FORMATS, SPARK_PG_clip, SPARK_PG_settings, settings_of
from .session import CHECK, SET_UP, WORK, JobState, seconds_left

BACKEND_ICONS = {"missing": "QUESTION", "unchecked": "QUESTION", "checking": "SORTTIME", "ready": "CHECKMARK"}
TITLES = {"capture": "Capture", "export": "Export", "doctor": "Check"}


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"


class SparkPanel:
    """Where all panels are."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "SPARK"


class SPARK_PT_backend(SparkPanel, bpy.types.Panel):
    bl_label = "Backend"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        layout, backend = self.layout, runtime.session().backend
        row = layout.row(align=True)
        row.prop(preferences_of(context), "backend", text="", placeholder="Environment")
        row.operator("spark.check_backend", icon="FILE_REFRESH", text="")
        if backend.status == "missing" or runtime.session().is_busy(SET_UP):
            draw_set_up(layout, context)
        if backend.status == "broken":
            alert(layout, context, backend.message, CHECK)
            return
        paragraph(layout, context, backend.message, BACKEND_ICONS.get(backend.status, "QUESTION"))
        check = runtime.session().state(CHECK)
        for warning in check.warnings if check and backend.status == "ready" else ():
            paragraph(layout, context, warning, "ERROR")


class SPARK_PT_project(SparkPanel, bpy.types.Panel):
    bl_label = "Project"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        if settings.project:
            row = layout.row(align=True)
            row.label(text=project_name(settings), icon="USER")
            row.operator("spark.refresh_project", text="", icon="FILE_REFRESH")
        row = layout.row(align=True)
        row.operator("spark.new_project", text="New", icon="ADD")
        row.operator("spark.open_project", text="Open", icon="FILE_FOLDER")


def project_name(settings: SPARK_PG_settings) -> str:
    """The person's name, as the project's folder has it."""
    folder = settings.project.replace("\\", "/").rstrip("/").rpartition("/")[2]
    return folder.removesuffix(".spark")


class SPARK_UL_clips(bpy.types.UIList):
    """The videos, with how much of each shows the face once that is known"""

    def draw_item(self, context, layout, data, item: SPARK_PG_clip, icon, active_data, active_property, index) -> None:
        row = layout.row(align=True)
        row.label(text=item.name, icon="ERROR" if item.warnings else "FILE_MOVIE")
        if item.clip:
            info = row.row()
            info.alignment = "RIGHT"
            info.label(text=f"{100 * item.coverage:.0f} %")


class SPARK_PT_clips(SparkPanel, bpy.types.Panel):
    bl_label = "Clips"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        row = layout.row()
        row.template_list("SPARK_UL_clips", "", settings, "clips", settings, "clip_index", rows=3)
        buttons = row.column(align=True)
        buttons.operator("spark.add_clips", text="", icon="ADD")
        buttons.operator("spark.remove_clip", text="", icon="REMOVE")
        if settings.clips and settings.clip_index < len(settings.clips):
            describe_clip(layout, context, settings.clips[settings.clip_index])


def describe_clip(layout: bpy.types.UILayout, context: bpy.types.Context, item: SPARK_PG_clip) -> None:
    """What reading the selected clip has told."""
    if item.clip:
        paragraph(layout, context, f"Face in {100 * item.coverage:.0f} % of {item.frames} frames")
    for warning in item.warnings.splitlines():
        paragraph(layout, context, warning, "ERROR")


class SPARK_PT_capture(SparkPanel, bpy.types.Panel):
    bl_label = "Capture"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        layout, state = self.layout, runtime.session().state(WORK)
        if state is None or not state.busy:
            draw_choices(layout, settings_of(context.scene))
        if state is not None:
            draw_job(layout, context, state)


def draw_choices(layout: bpy.types.UILayout, settings: SPARK_PG_settings) -> None:
    """What a capture shall do, and its buttons."""
    column = layout.column()
    column.use_property_split, column.use_property_decorate = True, False
    column.prop(settings, "preset")
    column.prop(settings, "tracker")
    row = layout.row()
    row.scale_y = 1.6
    row.operator("spark.capture", icon="PLAY")
    if settings.has_avatar:
        layout.operator("spark.track_clip", icon="TRACKING")


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    """The running job's bar, or how the last one ended."""
    title = TITLES.get(state.command, state.command.capitalize())
    if state.busy:
        row = layout.row(align=True)
        row.progress(factor=state.fraction, type="BAR", text=f"{100 * state.fraction:.0f} %")
        row.operator("spark.cancel", text="", icon="X")
        paragraph(layout, context, "Cancelling" if state.status == "cancelling" else state.stage)
        now = time.time()
        left = seconds_left(state, now)
        words = f", {duration(left)} left" if left is not None else ""
        paragraph(layout, context, f"{duration(now - state.started)} so far{words}")
    elif state.status == "failed":
        alert(layout, context, state.message, WORK)
        return
    else:
        row = layout.row(align=True)
        word = "done" if state.status == "done" else "cancelled"
        icon = "CHECKMARK" if state.status == "done" else "CANCEL"
        row.label(text=f"{title} {word} after {duration(state.seconds)}", icon=icon)
        row.operator("spark.dismiss", text="", icon="X", emboss=False)
        if state.status == "done" and state.message:
            paragraph(layout, context, state.message, "ERROR")
    for warning in state.warnings[-5:]:
        paragraph(layout, context, warning, "ERROR")


class SPARK_UL_takes(bpy.types.UIList):
    """The performances of the project"""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        layout.label(text=item.name, icon="ACTION")


class SPARK_PT_result(SparkPanel, bpy.types.Panel):
    bl_label = "Result"
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        layout.operator("spark.import_avatar", icon="IMPORT")
        layout.template_list("SPARK_UL_takes", "", settings, "takes", settings, "take_index", rows=2)
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(settings, "start_frame")
        column.prop(settings, "match_scene")
        layout.operator("spark.bake_take", icon="KEYFRAME_HLT")


class SPARK_PT_export(SparkPanel, bpy.types.Panel):
    bl_label = "Export"
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        row = layout.row(align=True)
        row.prop(settings, "export_format", text="")
        row.operator("spark.export", text="Export", icon="EXPORT")
        if settings.export_format in BACKEND_FORMATS:
            paragraph(layout, context, "Written from the selected take, not from the scene", "INFO")


CLASSES = (
    SPARK_UL_clips,
    SPARK_UL_takes,
    SPARK_PT_backend,
    SPARK_PT_project,
    SPARK_PT_clips,
    SPARK_PT_capture,
    SPARK_PT_result,
    SPARK_PT_export,
)
