"""The person's head: trained by the backend, then brought into the scene."""

from collections.abc import Sequence

import bpy

from ..drawing import paragraph
from ..facts import AvatarFacts
from ..pictures import portrait
from ..properties import settings_of
from ..quality import HEAD_MODELS, describe_quality
from ..situation import facts_of
from ..steps import RUNNING, Step
from .base import ORDER, StepPanel, job_of_step, split_column
from .job import draw_job

PORTRAIT_SCALE = 7.0


class SPARK_PT_avatar(StepPanel, bpy.types.Panel):
    bl_label = "Avatar"
    bl_order = ORDER.index("avatar")
    step = "avatar"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings, facts = self.layout, settings_of(context.scene), facts_of(settings_of(context.scene))
        if step.status != RUNNING:
            column = split_column(layout)
            if facts is not None:
                draw_named(column, "Head Model", HEAD_MODELS.get(facts.head_model, facts.head_model))
            column.prop(settings, "preset")
            column.prop(settings, "subdivide")
            row = layout.row()
            row.scale_y = 1.6
            row.operator("spark.train", icon="PLAY", text="Train Again" if facts and facts.avatar else "Train")
        state = job_of_step("avatar")
        if state is not None:
            draw_job(layout, context, state)
        if facts is not None and facts.avatar is not None and step.status != RUNNING:
            draw_quality(layout, context, facts.avatar, state.warnings if state is not None else ())


def draw_named(column: bpy.types.UILayout, name: str, text: str) -> None:
    """What is given and not to be chosen, in line with the choices."""
    row = column.split(factor=0.4)
    left = row.row()
    left.alignment = "RIGHT"
    left.label(text=name)
    row.label(text=text)


def draw_quality(
    layout: bpy.types.UILayout, context: bpy.types.Context, avatar: AvatarFacts, told: Sequence[str]
) -> None:
    """The head's picture and what is to be known of it, apart from what its training has `told` above."""
    if avatar.preview is not None:
        layout.template_icon(icon_value=portrait(avatar.preview, avatar.made), scale=PORTRAIT_SCALE)
    for line in describe_quality(avatar):
        if line.text not in told:
            paragraph(layout, context, line.text, "CHECKMARK" if line.good else "ERROR")


class SPARK_PT_import(StepPanel, bpy.types.Panel):
    bl_label = "Import Avatar"
    bl_order = ORDER.index("import")
    step = "import"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        row = self.layout.row(align=True)
        row.operator("spark.import_avatar", icon="IMPORT").beside = False
        row.operator("spark.import_avatar", text="", icon="ADD").beside = True
        self.layout.operator("spark.mark_asset", icon="ASSET_MANAGER")


CLASSES = (SPARK_PT_avatar, SPARK_PT_import)
