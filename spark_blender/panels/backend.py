"""The backend: which one does the work, and its set-up."""

import bpy

from .. import runtime
from ..drawing import alert, draw_set_up, paragraph
from ..preferences import preferences_of
from ..session import CHECK, SET_UP
from .base import ORDER, SparkPanel

ICONS = {
    "missing": "QUESTION",
    "unchecked": "QUESTION",
    "checking": "SORTTIME",
    "ready": "CHECKMARK",
    "broken": "ERROR",
}


class SPARK_PT_backend(SparkPanel, bpy.types.Panel):
    bl_label = "Backend"
    bl_order = ORDER.index("backend")

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.label(text="", icon=ICONS[runtime.session().backend.status])

    def draw(self, context: bpy.types.Context) -> None:
        layout, backend = self.layout, runtime.session().backend
        row = layout.row(align=True)
        row.prop(preferences_of(context), "backend", text="", placeholder="Environment")
        row.operator("spark.check_backend", icon="FILE_REFRESH", text="")
        row.operator("spark.copy_report", icon="COPYDOWN", text="")
        if backend.status == "missing" or runtime.session().is_busy(SET_UP):
            draw_set_up(layout, context)
        if runtime.session().is_busy(SET_UP):
            return
        if backend.status == "broken":
            alert(layout, context, backend.message, CHECK)
            return
        paragraph(layout, context, backend.message, ICONS[backend.status])
        check = runtime.session().state(CHECK)
        for warning in check.warnings if check and backend.status == "ready" else ():
            paragraph(layout, context, warning, "ERROR")


CLASSES = (SPARK_PT_backend,)
