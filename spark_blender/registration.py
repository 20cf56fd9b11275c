"""Puts classes, properties, handlers and the timer into Blender, and takes all of them out again."""

import bpy

from . import (
    adjust_operators,
    adjust_panels,
    adjust_properties,
    adjust_retarget,
    panels,
    preferences,
    properties,
    pump,
    runtime,
)
from .backend import find_backend
from .operators import capture, project, result, setup

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *project.CLASSES,
    *capture.CLASSES,
    *result.CLASSES,
    *setup.CLASSES,
    *panels.CLASSES,
    *adjust_properties.CLASSES,
    *adjust_operators.CLASSES,
    *adjust_retarget.CLASSES,
    *adjust_panels.CLASSES,
)


@bpy.app.handlers.persistent
def after_load(*_: object) -> None:
    """A file was opened: its project may have changed, and may have a job that still runs."""
    pump.take_up_projects()


def register_all() -> None:
    """Everything in; the session starts."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.spark_capture = bpy.props.PointerProperty(type=properties.SPARK_PG_settings)
    adjust_properties.register_properties()
    adjust_retarget.register_properties()
    session = runtime.open_session()
    session.set_backend(find_backend(bpy.path.abspath(preferences.preferences_of(bpy.context).backend)))
    bpy.app.handlers.load_post.append(after_load)
    if not bpy.app.background:  # timers never run without a window, and a left one hangs Blender 4.5 at its end
        bpy.app.timers.register(pump.tick, first_interval=pump.IDLE_INTERVAL, persistent=True)


def unregister_all() -> None:
    """Everything out, in the opposite order; running jobs are let go of."""
    if bpy.app.timers.is_registered(pump.tick):
        bpy.app.timers.unregister(pump.tick)
    if after_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(after_load)
    runtime.close_session()
    adjust_retarget.unregister_properties()
    adjust_properties.unregister_properties()
    del bpy.types.Scene.spark_capture
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
