"""The add-on's preferences: which backend does the work and how it is set up, and where projects are made."""

from pathlib import Path

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty

from . import runtime
from .backend import find_backend
from .drawing import draw_set_up, paragraph


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
        layout, session = self.layout, runtime.session()
        layout.use_property_split = True
        for name in ("backend", "python", "device", "wheels"):
            layout.prop(self, name)
        paragraph(layout, context, session.backend.message, "INFO")
        draw_set_up(layout, context)
        row = layout.row(align=True)
        row.operator("spark.check_backend")
        row.operator("spark.set_up_backend", text="Repair").repair = True
        row.operator("spark.remove_backend", text="Remove")
        layout.prop(self, "projects")
        layout.prop(self, "keep_running")


CLASSES = (SPARK_AP_preferences,)


def preferences_of(context: bpy.types.Context) -> SPARK_AP_preferences:
    """The add-on's preferences."""
    return context.preferences.addons[__package__].preferences
