"""What the sliders of an action say, and where its seconds lie on the timeline."""

import bpy

from .scene.captured import timing
from .scene.performance import REGIONS, Adjustments, RestFace


def wish_of(action: bpy.types.Action) -> Adjustments:
    """What the sliders of an action say."""
    settings = action.spark_adjust
    trim = None
    if settings.use_trim:
        trim = (seconds_at(action, settings.first), seconds_at(action, settings.last))
    rest = RestFace()
    if settings.has_rest:
        rest = RestFace({key.name: key.rest for key in settings.keys}, tuple(settings.rest_jaw))
    return Adjustments(
        strengths={region: getattr(settings, region) for region in REGIONS},
        key_strengths={key.name: key.strength for key in settings.keys if key.strength != 1},
        smoothing=settings.smoothing,
        tolerance=settings.tolerance,
        mirror=settings.mirror,
        rest=rest,
        trim=trim,
        loop=settings.loop,
    )


def seconds_at(action: bpy.types.Action, frame: float) -> float:
    """The take's second at a frame of the scene."""
    rate, start = timing(action)
    return (frame - start) / rate.per_second


def frame_at(action: bpy.types.Action, seconds: float) -> int:
    """The frame of the scene nearest to a second of the take."""
    rate, start = timing(action)
    return round(start + seconds * rate.per_second)
