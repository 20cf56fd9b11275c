"""What the add-on's preferences show: the backend and its set-up, what the check has found, the models."""

from collections.abc import Mapping
from typing import Any

import bpy

from . import runtime
from .backend import describe_row
from .drawing import alert, draw_set_up, paragraph
from .job_state import sentence
from .session import MODELS, SET_UP


def draw_preferences(preferences: bpy.types.AddonPreferences, context: bpy.types.Context) -> None:
    """All of it."""
    layout, session = preferences.layout, runtime.session()
    layout.use_property_split = True
    for name in ("backend", "python", "device", "wheels"):
        layout.prop(preferences, name)
    if not session.is_busy(SET_UP):
        paragraph(layout, context, session.backend.message, "INFO")
    draw_set_up(layout, context)
    draw_log(layout)
    row = layout.row(align=True)
    row.operator("spark.check_backend")
    row.operator("spark.set_up_backend", text="Repair").repair = True
    row.operator("spark.remove_backend", text="Remove")
    draw_checks(layout, context)
    draw_models(layout, context)
    layout.prop(preferences, "projects")
    layout.prop(preferences, "keep_running")
    layout.operator("spark.copy_report", icon="COPYDOWN")


def draw_log(layout: bpy.types.UILayout) -> None:
    """What the set-up prints at the moment."""
    if not runtime.session().is_busy(SET_UP):
        return
    column = layout.box().column(align=True)
    column.scale_y, column.active = 0.7, False
    for line in runtime.session().log_lines:
        column.label(text=line)


def draw_checks(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the last look at the backend has found, in words."""
    checks = runtime.session().checks
    header, body = layout.panel("spark_checks", default_closed=True)
    faults = sum(row.get("state") != "ok" for row in checks)
    told = f"{len(checks) - faults} of {len(checks)} in order" if checks else "not checked yet"
    header.label(text=f"What the Backend Has ({told})")
    for row in checks if body is not None else ():
        paragraph(body, context, describe_row(row), "CHECKMARK" if row.get("state") == "ok" else "ERROR")


def draw_models(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """Every model with its licence and size, and how it is got."""
    session = runtime.session()
    header, body = layout.panel("spark_models")
    header.label(text="Models")
    if body is None:
        return
    row = body.row(align=True)
    row.operator("spark.list_models", icon="FILE_REFRESH")
    state = session.state(MODELS)
    if state is not None and state.busy:
        paragraph(body, context, state.stage, "SORTTIME")
    elif state is not None and state.status == "failed":
        alert(body, context, state.message, MODELS)
    for model in session.models:
        draw_model(body, context, model)


def draw_model(layout: bpy.types.UILayout, context: bpy.types.Context, model: Mapping[str, Any]) -> None:
    """One model."""
    box = layout.box()
    row = box.row(align=True)
    row.label(text=str(model["name"]), icon="CHECKMARK" if model["here"] else "IMPORT")
    paragraph(box, context, f"{sentence(str(model['for']))}. {model['licence']}, {size_of(model)}")
    paragraph(box, context, str(model["where"]))
    if not model["here"] and model["source"]:
        row.operator("spark.get_model", text="Download", icon="IMPORT").model = str(model["name"])
        row.operator("spark.choose_model_file", text="", icon="FILE_FOLDER").model = str(model["name"])


def size_of(model: Mapping[str, Any]) -> str:
    """A model's size for people."""
    return f"{float(model['bytes']) / 1e6:.1f} MB"
