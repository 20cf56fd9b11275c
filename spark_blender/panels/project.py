"""Which person's project the scene is about."""

import bpy

from .. import runtime
from ..drawing import paragraph
from ..project import project_folder
from ..properties import settings_of
from ..situation import facts_of
from ..steps import Step
from .base import ORDER, StepPanel


class SPARK_MT_recent(bpy.types.Menu):
    bl_label = "Recent Projects"

    def draw(self, context: bpy.types.Context) -> None:
        for folder in runtime.session().recent:
            self.layout.operator("spark.open_recent", text=folder.stem, icon="USER").folder = str(folder)


class SPARK_PT_project(StepPanel, bpy.types.Panel):
    bl_label = "Project"
    bl_order = ORDER.index("project")
    step = "project"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        if settings.project:
            row = layout.row(align=True)
            row.label(text=project_folder(settings).stem, icon="USER")
            row.operator("spark.refresh_project", text="", icon="FILE_REFRESH")
        if settings.project and facts_of(settings) is None:
            paragraph(layout, context, f"{project_folder(settings)}: not found; open it where it is now", "ERROR")
        row = layout.row(align=True)
        row.operator("spark.new_project", text="New", icon="ADD")
        row.operator("spark.open_project", text="Open", icon="FILE_FOLDER")
        recent = row.row(align=True)
        recent.enabled = bool(runtime.session().recent)
        recent.menu("SPARK_MT_recent", text="", icon="DOWNARROW_HLT")


CLASSES = (SPARK_MT_recent, SPARK_PT_project)
