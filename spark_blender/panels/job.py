"""A job in a panel: its bar and picture while it runs, and how it ended."""

import time

import bpy

from ..drawing import alert, paragraph, sidebar_width
from ..job_state import JobState, seconds_left
from ..pictures import tiles
from ..session import WORK

TITLES = {
    "ingest": "Reading",
    "train": "Training",
    "adapt": "Adapting",
    "track": "Capture",
    "capture": "Capture",
    "light": "Light",
    "export": "Export",
}
SHOWN_WARNINGS = 5
ICON_UNIT = 20
"""Pixels of a `template_icon` at scale 1 and an interface scale of 1."""


def duration(seconds: float) -> str:
    """Seconds for people."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d} min"
    return f"{int(seconds // 3600)}:{int(seconds % 3600 // 60):02d} h"


def draw_job(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState, kind: str = WORK) -> None:
    """The running job of a kind, or how the last one ended."""
    if state.busy:
        draw_running(layout, context, state, kind)
    elif state.status == "failed":
        alert(layout, context, state.message, kind)
    else:
        draw_end(layout, context, state, kind)
    for warning in state.warnings[-SHOWN_WARNINGS:]:
        paragraph(layout, context, warning, "ERROR")


def draw_running(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState, kind: str) -> None:
    """Bar, stage, times and the latest picture."""
    row = layout.row(align=True)
    row.progress(factor=state.fraction, type="BAR", text=f"{100 * state.fraction:.0f} %")
    row.operator("spark.cancel", text="", icon="X").kind = kind
    now = time.time()
    left = seconds_left(state, now)
    times = duration(now - state.started) + (f", {duration(left)} left" if left is not None else "")
    paragraph(layout, context, "Cancelling" if state.status == "cancelling" else state.stage)
    paragraph(layout, context, times)
    if state.preview:
        draw_picture(layout, context)


def draw_picture(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The job's latest picture over the sidebar's width."""
    column = layout.column(align=True)
    for icons in tiles():
        row = column.row(align=True)
        for icon in icons:
            row.template_icon(icon_value=icon, scale=max(2.0, sidebar_width(context) / ICON_UNIT / len(icons)))


def draw_end(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState, kind: str) -> None:
    """That a job is done or was cancelled, and what is to be known of its result."""
    title = TITLES.get(state.command, state.command.capitalize())
    done = state.status == "done"
    row = layout.row(align=True)
    words = f"{title} {'done' if done else 'cancelled'} after {duration(state.seconds)}"
    row.label(text=words, icon="CHECKMARK" if done else "CANCEL")
    row.operator("spark.dismiss", text="", icon="X", emboss=False).kind = kind
    if state.resumable:
        layout.operator("spark.resume", icon="PLAY")
    if done and state.message:
        paragraph(layout, context, state.message, "ERROR")
