"""The videos of the person."""

import bpy

from spark_backend.protocol.project import ClipInfo

from ..drawing import paragraph
from ..facts import seconds_of
from ..pictures import portrait, thumbnail
from ..project import video_of
from ..properties import SPARK_PG_clip, settings_of
from ..situation import facts_of
from ..steps import RUNNING, Step
from .base import ORDER, StepPanel, job_of_step
from .job import draw_job, duration

THUMBNAIL_SCALE = 5.0
PORTRAIT_SCALE, PEOPLE_IN_ROW, MOST_PEOPLE = 3.0, 4, 12
"""Of people whose number can be chosen by their picture; a number can be typed for any."""


def clip_info(scene: bpy.types.Scene, item: SPARK_PG_clip) -> ClipInfo | None:
    """What reading the video has told; None before it was read."""
    facts = facts_of(settings_of(scene))
    name = facts.clip_of(video_of(item)) if facts else None
    return facts.clips[name] if name else None


class SPARK_UL_clips(bpy.types.UIList):
    """The videos, with their length and how much of each shows the face once they have been read"""

    def draw_item(self, context, layout, data, item: SPARK_PG_clip, icon, active_data, active_property, index) -> None:
        info = clip_info(data.id_data, item)
        row = layout.row(align=True)
        row.label(text=item.name, icon_value=thumbnail(video_of(item)))
        side = row.row(align=True)
        side.alignment = "RIGHT"
        if info is None:
            side.label(text="not read")
            return
        side.label(text=f"{duration(seconds_of(info))}   {100 * info.coverage:.0f} %")
        if info.warnings:
            side.label(text="", icon="ERROR")


class SPARK_PT_clips(StepPanel, bpy.types.Panel):
    bl_label = "Clips"
    bl_order = ORDER.index("clips")
    step = "clips"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        row = layout.row()
        row.template_list("SPARK_UL_clips", "", settings, "clips", settings, "clip_index", rows=3)
        buttons = row.column(align=True)
        buttons.operator("spark.add_clips", text="", icon="ADD")
        buttons.operator("spark.remove_clip", text="", icon="REMOVE")
        if settings.clip_index < len(settings.clips):
            draw_clip(layout, context, settings.clips[settings.clip_index])
        state = job_of_step("clips")
        if state is not None and (step.status == RUNNING or state.status != "done"):
            draw_job(layout, context, state)


def draw_clip(layout: bpy.types.UILayout, context: bpy.types.Context, item: SPARK_PG_clip) -> None:
    """The selected clip: its picture, what reading it has told, whom to follow."""
    info = clip_info(context.scene, item)
    row = layout.row()
    row.template_icon(icon_value=thumbnail(video_of(item)), scale=THUMBNAIL_SCALE)
    column = row.column(align=True)
    if info is None:
        column.operator("spark.read_clip", icon="VIEWZOOM")
        return
    column.label(text=f"{duration(seconds_of(info))}, {info.rate:.4g} fps")
    column.label(text=f"{info.size[0]} × {info.size[1]}, {info.codec}")
    column.label(text=f"Face in {100 * info.coverage:.0f} % of {info.frames} frames")
    if info.faces > 1:
        draw_people(layout, context, item, info)
    for warning in info.warnings:
        paragraph(layout, context, warning, "ERROR")


def draw_people(layout: bpy.types.UILayout, context: bpy.types.Context, item: SPARK_PG_clip, info: ClipInfo) -> None:
    """Which of several people to follow, with their pictures."""
    paragraph(layout, context, f"{info.faces} people; person {info.face} is followed", "COMMUNITY")
    facts = facts_of(settings_of(context.scene))
    pictures = list(facts.portraits.get(facts.clip_of(video_of(item)), {}).items())[:MOST_PEOPLE]
    grid = layout.grid_flow(row_major=True, columns=PEOPLE_IN_ROW, even_columns=True, align=True)
    for number, (path, made) in pictures:
        column = grid.column(align=True)
        column.template_icon(icon_value=portrait(path, made), scale=PORTRAIT_SCALE)
        column.operator("spark.choose_person", text=str(number), depress=number == item.face).number = number
    row = layout.row(align=True)
    row.prop(item, "face")
    row.operator("spark.read_clip", text="Read Again", icon="FILE_REFRESH")


CLASSES = (SPARK_UL_clips, SPARK_PT_clips)
