"""How strongly a person's face moves live: between the sliders of a scene and the project, which keeps it.

The project is what counts: its strengths come with it into any scene. An undo puts sliders back without a word to the
project; the next start of Live brings the two together.
"""

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live_strengths import LiveStrengths, load_strengths, save_strengths
from spark_backend.protocol.names import ARKIT_52

from .properties import absolute, settings_of

REGIONS = ("brows", "eyes", "mouth", "jaw")

_moved: set[str] = set()
"""Names of the scenes whose sliders the project does not know yet."""
_showing = False
"""Sliders are being set to what the project keeps."""


def strengths_of(scene: bpy.types.Scene) -> LiveStrengths:
    """What a scene's sliders say."""
    settings = scene.spark_live
    return LiveStrengths(
        settings.strength,
        settings.smoothing,
        {region: getattr(settings, region) for region in REGIONS},
        {key.name: key.strength for key in settings.keys if key.strength != 1},
    )


def show_strengths(scene: bpy.types.Scene) -> None:
    """Sets a scene's sliders to what its project keeps, and lists the expressions."""
    global _showing
    strengths, settings = load_strengths(absolute(settings_of(scene).project)), scene.spark_live
    _showing = True
    try:
        settings.strength, settings.smoothing = strengths.strength, strengths.smoothing
        for region in REGIONS:
            setattr(settings, region, strengths.regions.get(region, 1.0))
        settings.keys.clear()
        for name in ARKIT_52:
            key = settings.keys.add()
            key.name, key.strength = name, strengths.keys.get(name, 1.0)
    finally:
        _showing = False


def note_moved(scene: bpy.types.Scene) -> bool:
    """A slider was set; gives whether by the user and on a person, so that there is something to save."""
    if _showing or not scene.spark_live.keys:
        return False
    _moved.add(scene.name)
    return True


def save_moved() -> str:
    """Saves what the sliders say that were moved; gives what could not be done, in a sentence."""
    told = ""
    while _moved:
        scene = bpy.data.scenes.get(_moved.pop())
        if scene is None or not settings_of(scene).project:
            continue
        try:
            save_strengths(absolute(settings_of(scene).project), strengths_of(scene))
        except SparkError as error:
            told = f"The strengths are not kept: {error}"
    return told
