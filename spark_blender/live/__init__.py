"""The panel Live: a camera drives the head in the viewport. `register` and `unregister` put it in and take it out."""

import bpy

from . import corner, operators, panel, properties, pump, state

CLASSES = (*properties.CLASSES, *operators.CLASSES, *panel.CLASSES)


def register() -> None:
    """The scene's properties; nothing runs before Start is pressed."""
    bpy.types.Scene.spark_live = bpy.props.PointerProperty(type=properties.SPARK_PG_live)


def unregister() -> None:
    """Lets go of a running session, which ends by itself; what the sliders say is saved."""
    if bpy.app.timers.is_registered(properties.keep_strengths):
        bpy.app.timers.unregister(properties.keep_strengths)
    properties.keep_strengths()
    pump.leave()
    corner.hide()
    state.close()
    del bpy.types.Scene.spark_live
