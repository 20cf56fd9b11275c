"""The add-on's preferences: which backend does the work, and where projects are made."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from . import runtime
from .backend import find_backend


def look_for_backend(preferences: "SPARK_AP_preferences", context: bpy.types.Context) -> None:
    """Another environment was chosen: what is known of the old one no longer holds."""
    runtime.session().set_backend(find_backend(preferences.backend))


class SPARK_AP_preferences(bpy.types.AddonPreferences):
    """Preferences of the SPARK add-on"""

    bl_idname = __package__

    backend: StringProperty(
        name="Environment",
        description="Folder or Python of the environment in which SPARK's backend is installed; empty: look for one",
        subtype="FILE_PATH",
        update=look_for_backend,
    )
    projects: StringProperty(
        name="Projects",
        description="Folder in which new projects are made",
        subtype="DIR_PATH",
        default=str(Path.home() / "SPARK"),
    )
    keep_running: BoolProperty(
        name="Keep Capturing When Blender Closes",
        description="Let a running capture go on; it is found again when the file is opened",
    )

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.use_property_split = True
        self.layout.prop(self, "backend")
        self.layout.label(text=runtime.session().backend.message)
        self.layout.prop(self, "projects")
        self.layout.prop(self, "keep_running")


CLASSES = (SPARK_AP_preferences,)


def preferences_of(context: bpy.types.Context) -> SPARK_AP_preferences:
    """The add-on's preferences."""
    return context.preferences.addons[__package__].preferences
