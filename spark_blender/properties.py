"""What the add-on keeps in a scene: the project's path, the clips and takes listed, the choices made."""

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

FORMATS = (
    (".fbx", "FBX", "Shape keys and bones, a key per frame: Unreal, Unity, Maya"),
    (".abc", "Alembic", "The deforming mesh, every frame"),
    (".usdc", "USD", "Skeleton, blend shapes and their animation"),
    (".glb", "glTF Binary", "Skin, morph targets and animation in one file"),
    (".obj", "OBJ", "The head at rest"),
    (".csv", "Live Link Face CSV", "The take's expression curves, head and eye angles"),
    (".npz", "NumPy Geometry", "The take's mesh of every frame in camera axes"),
)
BACKEND_FORMATS = (".csv", ".npz")
"""Written by the backend from the take, so what was changed in the scene is not in them."""

PRESETS = (
    ("draft", "Draft", "Quick: the head from 40 moments of the clips, maps of 1024 pixels"),
    ("standard", "Standard", "The head from 72 moments of the clips, maps of 1024 pixels"),
    ("high", "High", "The head from 120 moments of the clips, maps of 2048 pixels"),
)
TRACKERS = (
    ("generic", "Landmarks", "All frames of a clip together, from the landmarks of the face: quick"),
    (
        "optimise",
        "Landmarks and Pictures",
        "Aligns the frames by what the skin looks like as well: steadier brows and head, three times the time",
    ),
)


class SPARK_PG_clip(bpy.types.PropertyGroup):
    """One video in the list"""

    path: StringProperty(name="Video", subtype="FILE_PATH")
    clip: StringProperty(name="Clip", description="Name in the project, once it has been read")
    frames: IntProperty()
    coverage: FloatProperty(description="Part of the frames in which the face was found")
    warnings: StringProperty()


class SPARK_PG_take(bpy.types.PropertyGroup):
    """One performance in the list; its `name` is the take's"""


class SPARK_PG_settings(bpy.types.PropertyGroup):
    """The SPARK tab's part of a scene"""

    project: StringProperty(name="Project", description="Folder of the person", subtype="DIR_PATH")
    clips: CollectionProperty(type=SPARK_PG_clip)
    clip_index: IntProperty()
    has_avatar: BoolProperty(description="Whether the project has a head to import")
    preset: EnumProperty(name="Head", description="How much work to put into the head", items=PRESETS)
    tracker: EnumProperty(name="Tracking", description="How the performances are found", items=TRACKERS)
    takes: CollectionProperty(type=SPARK_PG_take)
    take_index: IntProperty()
    match_scene: BoolProperty(
        name="Match Scene to Clip",
        description=(
            "Give the scene the clip's frame rate, range and size, its camera with the picture behind the head, "
            "and its sound"
        ),
        default=True,
    )
    start_frame: IntProperty(name="Start Frame", description="Where the take begins", default=1, min=0, max=1_000_000)
    export_format: EnumProperty(name="Format", description="Kind of file to write", items=FORMATS)


CLASSES = (SPARK_PG_clip, SPARK_PG_take, SPARK_PG_settings)


def settings_of(scene: bpy.types.Scene) -> SPARK_PG_settings:
    """The SPARK tab's part of a scene."""
    return scene.spark_capture
