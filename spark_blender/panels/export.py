"""Files for other programs."""

import bpy

from .. import runtime
from ..drawing import paragraph
from ..properties import BACKEND_FORMATS, settings_of
from ..session import EXPORT, WORK
from ..steps import Step
from .base import ORDER, StepPanel, job_of_step, split_column
from .job import draw_job


class SPARK_PT_export(StepPanel, bpy.types.Panel):
    bl_label = "Export"
    bl_order = ORDER.index("export")
    step = "export"

    def draw_step(self, context: bpy.types.Context, step: Step) -> None:
        layout, settings = self.layout, settings_of(context.scene)
        column = split_column(layout)
        column.prop(settings, "export_format")
        if settings.export_format not in BACKEND_FORMATS:
            column.prop(settings, "export_for")
        layout.operator("spark.export", icon="EXPORT")
        if settings.export_format in BACKEND_FORMATS:
            paragraph(layout, context, "Written from the selected take, not from the scene", "INFO")
        else:
            paragraph(layout, context, "Written from the scene as it is now; work on meanwhile", "INFO")
        for kind, state in ((EXPORT, runtime.session().state(EXPORT)), (WORK, job_of_step("export"))):
            if state is not None:
                draw_job(layout, context, state, kind)


CLASSES = (SPARK_PT_export,)
