"""What the tab and the preferences draw alike. Drawing reads what is known already: no files, no processes."""

import textwrap

import bpy

from . import runtime
from .job_state import JobState
from .session import EXPORT, SET_UP, WORK

LETTER_WIDTH = 6.4
"""Mean width in pixels of a letter of Blender's interface at a scale of 1."""


def sidebar_width(context: bpy.types.Context) -> float:
    """Pixels at an interface scale of 1 that a panel has for its contents."""
    return context.region.width / context.preferences.system.ui_scale - 45


def paragraph(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Text over as many lines as the sidebar's width needs: labels do not wrap."""
    width = sidebar_width(context) - (25 if icon != "NONE" else 0)
    column = layout.column(align=True)
    column.scale_y = 0.8
    for index, line in enumerate(textwrap.wrap(text, max(16, int(width / LETTER_WIDTH)))):
        column.label(text=line, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def alert(layout: bpy.types.UILayout, context: bpy.types.Context, message: str, kind: str) -> None:
    """A fault in one sentence, with the way to the log."""
    box = layout.box()
    column = box.column()
    column.alert = True
    paragraph(column, context, message, "ERROR")
    state = runtime.session().state(kind)
    if state is None:
        return
    if state.resumable:
        box.operator("spark.resume", icon="PLAY")
    row = box.row(align=True)
    row.operator("spark.open_log", icon="TEXT").kind = kind
    if kind in (WORK, EXPORT):
        row.operator("spark.dismiss", icon="X").kind = kind


def draw_set_up(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button that makes the backend's environment; its bar while that goes on, and how it ended."""
    state = runtime.session().state(SET_UP)
    if state is not None and state.busy:
        row = layout.row(align=True)
        row.progress(factor=state.fraction, type="BAR", text=f"{100 * state.fraction:.0f} %")
        row.operator("spark.open_log", text="", icon="TEXT").kind = SET_UP
        row.operator("spark.cancel_set_up", text="", icon="X")
        paragraph(layout, context, "Cancelling" if state.status == "cancelling" else state.stage)
        return
    layout.operator("spark.set_up_backend", icon="IMPORT").repair = False
    if state is not None:
        draw_end_of_set_up(layout, context, state)


def draw_end_of_set_up(layout: bpy.types.UILayout, context: bpy.types.Context, state: JobState) -> None:
    """How the set-up or the removal ended."""
    if state.status == "failed":
        alert(layout, context, state.message, SET_UP)
    elif state.status == "cancelled":
        paragraph(layout, context, "Cancelled; press Set Up Backend to go on from there", "CANCEL")
    else:
        word = "set up" if "environment" in state.result else "removed"
        paragraph(layout, context, f"The backend is {word}", "CHECKMARK")
