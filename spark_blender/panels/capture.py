"""A clip becomes a take, and the take keys of the head in the scene."""

import bpy

from ..properties import settings_of
from ..situation import facts_of
from ..steps import RUNNING, Step
from .base import ORDER, SparkPanel, StepPanel, job_of_step, split_column
from .job import draw_job, duration


class SPARK_UL_takes(bpy.types.UIList):
    """The performances of the project"""

    def draw_item(self, context, layout, data, item, icon, active_data, active_property, index) -> None:
        facts = facts_of(settings_of(data.id_data))
        take = facts.takes.get(item.name) if facts else None
        row = layout.row(align=True)
        row.label(text=item.name, icon="ACTION")
        if take is None:
            return
        side = row.row(align=True)
        side.alignment = "RIGHT"
        side.label(text=duration(take.seconds))
        if facts.avatar is not None and take.made < facts.avatar.made:
            side.label(text="", icon="FILE_REFRESH")


class SPARK_PT_capture(StepPanel, bpy.types.Panel):
    bl_label = "Capture"
    bl_order = ORDER.index("capture")
    step = "capture"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        if step.status != RUNNING:
            column = split_column(layout)
            if settings.clip_index < len(settings.clips):
                row = column.row()
                row.label(text=settings.clips[settings.clip_index].name, icon="FILE_MOVIE")
            column.prop(settings, "tracker")
            if settings.tracker == "adapted":
                layout.operator("spark.adapt", icon="USER")
            row = layout.row()
            row.scale_y = 1.6
            row.operator("spark.capture", icon="REC")
        state = job_of_step("capture")
        if state is not None:
            draw_job(layout, context, state)


class SPARK_PT_takes(SparkPanel, bpy.types.Panel):
    bl_label = "Takes"
    bl_parent_id = "SPARK_PT_capture"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        layout.template_list("SPARK_UL_takes", "", settings, "takes", settings, "take_index", rows=2)
        column = split_column(layout)
        column.prop(settings, "target")
        if settings.target != "INSERT":
            column.prop(settings, "smoothing")
        column.prop(settings, "start_frame")
        column.prop(settings, "match_scene")
        layout.operator("spark.bake_take", icon="KEYFRAME_HLT")
        layout.operator("spark.add_light", icon="LIGHT_AREA")


CLASSES = (SPARK_UL_takes, SPARK_PT_capture, SPARK_PT_takes)
