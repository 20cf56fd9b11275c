"""The panel Live in the tab SPARK."""

import bpy

from .. import runtime
from ..drawing import paragraph
from ..panels.base import ORDER, SparkPanel, split_column
from ..session import CAMERAS
from ..strengths import REGIONS
from .properties import SPARK_PG_live_key, live_settings
from .state import LiveView, live

ICONS = {
    "starting": "SORTTIME",
    "tracking": "CHECKMARK",
    "searching": "VIEWZOOM",
    "paused": "PAUSE",
    "waiting": "SORTTIME",
    "stopping": "SORTTIME",
    "ended": "RADIOBUT_OFF",
    "off": "RADIOBUT_OFF",
}


class SPARK_PT_live(SparkPanel, bpy.types.Panel):
    bl_label = "Live"
    bl_order = ORDER.index("live")
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        self.layout.label(text="", icon=ICONS[live().view.state])

    def draw(self, context: bpy.types.Context) -> None:
        layout, view = self.layout, live().view
        if not view.running and live().process is None:
            draw_source(layout, context)
        draw_buttons(layout, view)
        if view.message:
            paragraph(layout, context, view.message, "ERROR" if view.fault else ICONS[view.state])
        if view.running:
            draw_pace(layout, view)
        if view.calibration and view.running:
            paragraph(layout, context, view.calibration, "CHECKMARK" if view.calibrated else "INFO")
        if view.note:
            paragraph(layout, context, view.note, "INFO")


def draw_source(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What films the face."""
    settings = live_settings(context.scene)
    column = split_column(layout)
    column.prop(settings, "source")
    if settings.source == "CAMERA":
        row = column.row(align=True)
        row.prop(settings, "camera", placeholder="First")
        row.operator("spark.live_list_cameras", text="", icon="FILE_REFRESH")
        if fault := camera_fault():
            paragraph(layout, context, fault, "ERROR")
        column.prop(settings, "size")
    else:
        column.prop(settings, {"ADDRESS": "address", "FILE": "file", "PHONE": "phone"}[settings.source])
    if settings.source != "PHONE":
        column.prop(settings, "tracker")


def camera_fault() -> str:
    """Why the cameras could not be listed, or that there are none; empty when all is well or nobody has asked."""
    state = runtime.session().state(CAMERAS)
    if state is None or state.busy or runtime.session().cameras:
        return ""
    return state.message if state.status == "failed" else "No camera is there; plug one in"


def draw_buttons(layout: bpy.types.UILayout, view: LiveView) -> None:
    """Start, or what can be done while it runs."""
    row = layout.row(align=True)
    row.scale_y = 1.6
    if live().process is None:
        row.operator("spark.live_start", icon="PLAY")
        return
    row.operator("spark.live_stop", icon="SNAP_FACE")
    row.operator("spark.live_pause", text="", icon="PLAY" if view.state == "paused" else "PAUSE")
    row.operator("spark.live_restart", text="", icon="FILE_REFRESH")
    row = layout.row(align=True)
    row.operator("spark.live_calibrate", icon="USER").forget = False
    row.operator("spark.live_calibrate", text="", icon="LOOP_BACK").forget = True


def draw_pace(layout: bpy.types.UILayout, view: LiveView) -> None:
    """How fast it goes."""
    column = layout.column(align=True)
    column.label(text=f"{view.rate:.0f} fps   {1000 * view.latency.whole:.0f} ms", icon="TIME")
    for count, what in ((view.dropped, "frames dropped"), (view.malformed, "malformed packets")):
        if count:
            column.label(text=f"{count} {what}", icon="BLANK1")


class SPARK_PT_live_latency(SparkPanel, bpy.types.Panel):
    bl_label = "Latency"
    bl_parent_id = "SPARK_PT_live"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return live().view.running

    def draw(self, context: bpy.types.Context) -> None:
        latency = live().view.latency
        column = self.layout.column(align=True)
        for name in ("camera", "tracker", "transport", "viewport", "whole"):
            row = column.split(factor=0.4)
            row.label(text=name.capitalize())
            row.label(text=f"{1000 * getattr(latency, name):.1f} ms")


class SPARK_PT_live_record(SparkPanel, bpy.types.Panel):
    bl_label = "Record"
    bl_parent_id = "SPARK_PT_live"

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings, view = self.layout, live_settings(context.scene), live().view
        column = split_column(layout)
        for name in ("take", "count_in", "video", "sound"):
            column.prop(settings, name)
        row = layout.row()
        row.scale_y = 1.6
        row.alert = view.recording == "recording"
        row.operator("spark.live_record", text=record_text(view), icon="REC", depress=bool(view.recording))
        if view.saved is not None:
            layout.label(text=f"{view.saved.name}, {view.saved.seconds:.1f} s", icon="ACTION")
        layout.operator("spark.live_retrack", icon="TRACKING")


def record_text(view: LiveView) -> str:
    """What the button says."""
    if view.recording == "counting":
        return f"Recording in {view.seconds:.0f}"
    return f"Stop Recording   {view.seconds:.1f} s" if view.recording else "Record"


class SPARK_PT_live_adjust(SparkPanel, bpy.types.Panel):
    bl_label = "Strength"
    bl_parent_id = "SPARK_PT_live"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        column, settings = split_column(self.layout), live_settings(context.scene)
        for name in ("smoothing", "strength", *REGIONS, "show_picture"):
            column.prop(settings, name, slider=name != "show_picture")


class SPARK_UL_live_keys(bpy.types.UIList):
    """Every expression with its strength"""

    def draw_item(
        self, context, layout, data, item: SPARK_PG_live_key, icon, active_data, active_property, index
    ) -> None:
        row = layout.split(factor=0.62)  # the longest name just fits
        row.label(text=item.name)
        row.prop(item, "strength", text="", slider=True)


class SPARK_PT_live_keys(SparkPanel, bpy.types.Panel):
    bl_label = "Expressions"
    bl_parent_id = "SPARK_PT_live_adjust"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(live_settings(context.scene).keys) > 0

    def draw(self, context: bpy.types.Context) -> None:
        settings = live_settings(context.scene)
        self.layout.template_list("SPARK_UL_live_keys", "", settings, "keys", settings, "key_index", rows=6)


class SPARK_PT_live_streams(SparkPanel, bpy.types.Panel):
    bl_label = "Send to Other Programs"
    bl_parent_id = "SPARK_PT_live"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout, settings = self.layout, live_settings(context.scene)
        column = layout.column()
        column.active = live().process is None
        for switch, address in (("use_vmc", "vmc"), ("use_livelink", "livelink")):
            row = column.row(align=True)
            row.prop(settings, switch)
            row.prop(settings, address, text="")
        paragraph(layout, context, "Nothing is sent unless it is ticked; takes effect at the next start", "INFO")


CLASSES = (
    SPARK_UL_live_keys,
    SPARK_PT_live,
    SPARK_PT_live_latency,
    SPARK_PT_live_record,
    SPARK_PT_live_adjust,
    SPARK_PT_live_keys,
    SPARK_PT_live_streams,
)
