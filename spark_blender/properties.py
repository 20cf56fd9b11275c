"""What the add-on keeps in a scene: the project's path, the clips and takes listed, the choices made."""

import functools
import os
from pathlib import Path

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from .scene.programs import PROGRAMS

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
    (
        "optimise",
        "Pictures",
        "All frames of a clip together, aligned by the landmarks of the face and by what the skin looks like",
    ),
    (
        "landmarks",
        "Landmarks",
        "All frames of a clip together, by the landmarks alone: in a third of the time, less steady",
    ),
    ("generic", "Real Time", "Frame by frame, by a network that was trained on made-up people: the quickest"),
    ("adapted", "Real Time, Adapted", "Frame by frame, by the same network after it has learned this person"),
)


TARGETS = (
    ("ACTION", "Own Action", "Play the take as an action of its own, in the place of what the head plays now"),
    (
        "INSERT",
        "Current Action",
        "Put the take's keys into the action that the head plays now; keys outside of the take's time stay",
    ),
    ("LAYER", "NLA Strip", "Lay the take over what the head plays now, as a strip of its own in the NLA editor"),
)


class SPARK_PG_clip(bpy.types.PropertyGroup):
    """One video in the list"""

    path: StringProperty(name="Video", description="The video's file", subtype="FILE_PATH")
    face: IntProperty(
        name="Person",
        description="Which of the people in the picture to follow: 0 is the one who is largest and longest there",
        min=0,
        max=50,
    )


class SPARK_PG_take(bpy.types.PropertyGroup):
    """One performance in the list; its `name` is the take's"""


class SPARK_PG_settings(bpy.types.PropertyGroup):
    """The SPARK tab's part of a scene"""

    project: StringProperty(name="Project", description="Folder of the person", subtype="DIR_PATH")
    project_home: StringProperty(description="Where that folder was when the file was saved")
    clips: CollectionProperty(type=SPARK_PG_clip)
    clip_index: IntProperty(name="Clip", description="The video that is shown and captured")
    preset: EnumProperty(name="Quality", description="How much work to put into the head", items=PRESETS)
    subdivide: BoolProperty(
        name="Subdivide",
        description=(
            "Cut each polygon of the finished head into quads: smooth silhouettes, four times the vertices. "
            "Takes and exports of such a head are larger too"
        ),
    )
    tracker: EnumProperty(name="Tracking", description="How the performance is found", items=TRACKERS)
    smoothing: FloatProperty(
        name="Smoothing",
        description=(
            "Seconds over which the curves of a take are evened out when it is baked; blinks keep their height, and "
            "the panel Adjust changes it later"
        ),
        default=0.0,
        min=0.0,
        max=1.0,
        soft_max=0.2,
        step=0.5,
        precision=3,
    )
    takes: CollectionProperty(type=SPARK_PG_take)
    take_index: IntProperty(name="Take", description="The take that is baked and exported")
    target: EnumProperty(name="Bake To", description="Where the keys of a take go", items=TARGETS)
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
    export_for: EnumProperty(
        name="For",
        description="The program that shall read the file; it decides the unit and the axes",
        items=[(name, program.title, program.description) for name, program in PROGRAMS.items()],
    )
    exported: StringProperty(description="The file that was written last")


CLASSES = (SPARK_PG_clip, SPARK_PG_take, SPARK_PG_settings)


def settings_of(scene: bpy.types.Scene) -> SPARK_PG_settings:
    """The SPARK tab's part of a scene."""
    return scene.spark_capture


def absolute(path: str) -> Path:
    """A path that the file or the preferences keep, which may be relative to the .blend."""
    return resolved(path, bpy.data.filepath)


@functools.lru_cache(maxsize=1024)
def resolved(path: str, blend: str) -> Path:
    """`absolute` while the open file is `blend`; kept, because lists ask for every row at every drawing."""
    return Path(os.path.normpath(bpy.path.abspath(path))).absolute()
