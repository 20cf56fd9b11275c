"""Puts classes, properties, handlers and the timer into Blender, and takes all of them out again."""

import bpy

from . import (
    adjust_operators,
    adjust_panels,
    adjust_playing,
    adjust_properties,
    adjust_retarget,
    live,
    panels,
    paths,
    pictures,
    preferences,
    properties,
    pump,
    runtime,
)
from .backend import find_backend
from .operators import capture, project, result, setup, support
from .recent import recent_projects
from .scene.heads import forget_heads

CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *project.CLASSES,
    *capture.CLASSES,
    *result.CLASSES,
    *setup.CLASSES,
    *support.CLASSES,
    *panels.CLASSES,
    *adjust_properties.CLASSES,
    *adjust_operators.CLASSES,
    *adjust_retarget.CLASSES,
    *adjust_panels.CLASSES,
    *live.CLASSES,
)


@bpy.app.handlers.persistent
def after_load(*_: object) -> None:
    """A file was opened: its project may have changed, and may have a job that still runs."""
    forget_heads()
    paths.after_load()
    pump.take_up_projects()
    adjust_playing.take_up()


@bpy.app.handlers.persistent
def after_undo(*_: object) -> None:
    """The scene is as it was, what is on disk is not."""
    forget_heads()
    pump.list_anew()
    adjust_playing.take_up()


@bpy.app.handlers.persistent
def before_change(*_: object) -> None:
    """What is in memory is about to be replaced by another state or another file."""
    adjust_playing.forget()


@bpy.app.handlers.persistent
def before_render(*_: object) -> None:
    """What is rendered is what the sliders say."""
    adjust_playing.settle()


@bpy.app.handlers.persistent
def before_save(target: str, *_: object) -> None:
    """Paths in a file start from where it is; its curves are whole."""
    paths.before_save(target)
    adjust_playing.settle()


@bpy.app.handlers.persistent
def after_save(target: str, *_: object) -> None:
    """Paths of this session start from the open file."""
    paths.after_save(target)


HANDLERS = (
    ("load_pre", before_change),
    ("undo_pre", before_change),
    ("redo_pre", before_change),
    ("render_init", before_render),
    ("load_post", after_load),
    ("undo_post", after_undo),
    ("redo_post", after_undo),
    ("save_pre", before_save),
    ("save_post", after_save),
)


def register_all() -> None:
    """Everything in; the session starts."""
    for kind in CLASSES:
        bpy.utils.register_class(kind)
    bpy.types.Scene.spark_capture = bpy.props.PointerProperty(type=properties.SPARK_PG_settings)
    adjust_properties.register_properties()
    adjust_retarget.register_properties()
    live.register()
    pictures.open_pictures()
    session = runtime.open_session()
    session.set_backend(find_backend(bpy.path.abspath(preferences.preferences_of(bpy.context).backend)))
    session.recent = tuple(recent_projects())
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    if not bpy.app.background:  # timers never run without a window, and a left one hangs Blender 4.5 at its end
        bpy.app.timers.register(pump.tick, first_interval=pump.IDLE_INTERVAL, persistent=True)


def unregister_all() -> None:
    """Everything out, in the opposite order; running jobs are let go of."""
    adjust_playing.close()
    if bpy.app.timers.is_registered(pump.tick):
        bpy.app.timers.unregister(pump.tick)
    for name, handler in HANDLERS:
        if handler in getattr(bpy.app.handlers, name):
            getattr(bpy.app.handlers, name).remove(handler)
    live.unregister()
    runtime.close_session()
    pictures.close_pictures()
    adjust_retarget.unregister_properties()
    adjust_properties.unregister_properties()
    del bpy.types.Scene.spark_capture
    for kind in reversed(CLASSES):
        bpy.utils.unregister_class(kind)
