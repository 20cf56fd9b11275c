"""The person's head: trained by the backend, then brought into the scene."""

import bpy

from ..drawing import paragraph
from ..properties import settings_of
from ..quality import describe_quality
from ..situation import facts_of
from ..steps import RUNNING, Step
from .base import ORDER, StepPanel, job_of_step, split_column
from .job import draw_job


class SPARK_PT_avatar(StepPanel, bpy.types.Panel):
    bl_label = "Avatar"
    bl_order = ORDER.index("avatar")
    step = "avatar"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings, facts = self.layout, settings_of(context.scene), facts_of(settings_of(context.scene))
        if step.status != RUNNING:
            split_column(layout).prop(settings, "preset")
            row = layout.row()
            row.scale_y = 1.6
            row.operator("spark.train", icon="PLAY", text="Train Again" if facts and facts.avatar else "Train")
        state = job_of_step("avatar")
        if state is not None:
            draw_job(layout, context, state)
        if facts is not None and facts.avatar is not None and step.status != RUNNING:
            for line in describe_quality(facts.avatar):
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
