"""The add-on's preferences: which backend does the work and how it is set up, and where projects are made."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import runtime
from .backend import find_backend
from .preferences_drawing import draw_preferences
from .session import Terms


def look_for_backend(preferences: "SPARK_AP_preferences", context: bpy.types.Context) -> None:
    """Another environment was chosen: what is known of the old one no longer holds."""
    runtime.session().set_backend(find_backend(preferences.backend))


class SPARK_AP_preferences(bpy.types.AddonPreferences):
    """Preferences of the SPARK add-on"""

    bl_idname = __package__

    backend: StringProperty(
        name="Environment",
        description=(
            "Folder or Python of the environment in which SPARK's backend is, or is to be set up; "
            "empty: look for one, and set it up in SPARK's data folder"
        ),
        subtype="FILE_PATH",
        update=look_for_backend,
    )
    python: StringProperty(
        name="Python",
        description="Python, 3.11 or later, from which the environment is made; empty: the one inside Blender",
        subtype="FILE_PATH",
    )
    device: EnumProperty(
        name="Device",
        description="What the backend shall compute on",
        items=(
            ("auto", "Best There Is", "The NVIDIA card when its driver serves it, else the processor"),
            ("cpu", "Processor", "A smaller download, without CUDA"),
        ),
    )
    wheels: StringProperty(
        name="Wheels",
        description="Folder with downloaded packages to set up from without network; empty: fetch them",
        subtype="DIR_PATH",
    )
    projects: StringProperty(
        name="Projects",
        description="Folder in which new projects are made",
        subtype="DIR_PATH",
        default=str(Path.home() / "SPARK"),
    )
    keep_running: BoolProperty(
        name="Keep Training When Blender Closes",
        description="Let a running job go on; it is found again when the file is opened",
    )

    def draw(self, context: bpy.types.Context) -> None:
        draw_preferences(self, context)


CLASSES = (SPARK_AP_preferences,)


def preferences_of(context: bpy.types.Context) -> SPARK_AP_preferences:
    """The add-on's preferences."""
    return context.preferences.addons[__package__].preferences


def terms_of(context: bpy.types.Context) -> Terms:
    """What the user has allowed jobs of the backend."""
    return Terms(preferences_of(context).keep_running, bpy.app.online_access)
