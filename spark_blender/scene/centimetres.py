"""A head in centimetres, for programs whose unit that is: Unreal and Maya, and FBX files altogether."""

import contextlib
from collections.abc import Iterable, Iterator

import bpy
import numpy as np
from mathutils import Matrix

from .action import channels_in_use
from .scene import HeadObjects

LOCATION = "location"


@contextlib.contextmanager
def in_centimetres(head: HeadObjects) -> Iterator[None]:
    """For a while the head's numbers are centimetres and the scene's unit is one; it looks and measures the same.

    Blender's FBX exporter otherwise writes metres below an armature scaled by 100. Unreal carries that scale into the
    root bone, where sockets, physics and retargeting suffer from it. Everything is given back as it was, bit by bit.
    """
    scene = bpy.context.scene
    units = scene.unit_settings
    before = units.system, units.scale_length
    factor = 100.0 * (1.0 if units.system == "NONE" else units.scale_length)
    with contextlib.ExitStack() as stack:
        stack.callback(scene.frame_set, scene.frame_current, subframe=scene.frame_subframe)
        stack.callback(set_units, units, *before)
        set_units(units, "METRIC", 0.01)
        for owner in (head.mesh, head.armature):
            stack.enter_context(scaled_data(owner, factor))
        stack.enter_context(scaled_locations({**chain(head.mesh), **chain(head.armature)}.values(), factor))
        scene.frame_set(scene.frame_current, subframe=scene.frame_subframe)
        yield


def set_units(units: bpy.types.UnitSettings, system: str, scale_length: float) -> None:
    """Sets what one unit of the scene is."""
    units.system, units.scale_length = system, scale_length


def chain(owner: bpy.types.Object | None) -> dict[str, bpy.types.Object]:
    """The object, its parent, and so on, by name."""
    return {} if owner is None else {owner.name_full: owner, **chain(owner.parent)}


@contextlib.contextmanager
def scaled_data(owner: bpy.types.Object, factor: float) -> Iterator[None]:
    """Gives a mesh or an armature a larger copy of its data, of the same name, for a while."""
    original, name = owner.data, owner.data.name
    larger = original.copy()
    matrix = Matrix.Scale(factor, 4)
    if owner.type == "MESH":
        larger.transform(matrix, shape_keys=True)
    else:
        larger.transform(matrix)
    original.name, larger.name = f"{name} in metres", name
    owner.data = larger
    try:
        yield
    finally:
        owner.data = original
        larger.user_clear()
        type_collection(larger).remove(larger)
        original.name = name


def type_collection(data: bpy.types.ID) -> bpy.types.bpy_prop_collection:
    """Where a mesh's or an armature's data is kept."""
    return bpy.data.meshes if isinstance(data, bpy.types.Mesh) else bpy.data.armatures


@contextlib.contextmanager
def scaled_locations(owners: Iterable[bpy.types.Object], factor: float) -> Iterator[None]:
    """Moves objects and their bones `factor` times as far from their places of rest, keys included, for a while."""
    with contextlib.ExitStack() as stack:
        for curve in location_curves(owners):
            stack.callback(set_keys, curve, *scale_keys(curve, factor))
        for owner in owners:
            for moving in (owner, *(owner.pose.bones if owner.pose else ())):
                stack.callback(setattr, moving, LOCATION, moving.location.copy())
                moving.location *= factor
            inverse = owner.matrix_parent_inverse.copy()
            stack.callback(setattr, owner, "matrix_parent_inverse", inverse.copy())
            inverse.translation *= factor
            owner.matrix_parent_inverse = inverse
        yield


def location_curves(owners: Iterable[bpy.types.Object]) -> list[bpy.types.FCurve]:
    """The curves that move objects or their bones, each once even where an action is shared."""
    curves = (curve for owner in owners for channels in channels_in_use(owner) for curve in channels.fcurves)
    return list({curve.as_pointer(): curve for curve in curves if curve.data_path.split(".")[-1] == LOCATION}.values())


KEY_PLACES = ("co", "handle_left", "handle_right")


def scale_keys(curve: bpy.types.FCurve, factor: float) -> tuple[np.ndarray, ...]:
    """Multiplies the values of a curve; gives what they were, for `set_keys`."""
    before = []
    for place in KEY_PLACES:
        points = np.empty((len(curve.keyframe_points), 2), np.float32)
        curve.keyframe_points.foreach_get(place, points.ravel())
        before.append(points)
    set_keys(curve, *(points * np.array([1, factor], np.float32) for points in before))
    return tuple(before)


def set_keys(curve: bpy.types.FCurve, *places: np.ndarray) -> None:
    """Writes keys and their handles, each (T, 2), and nothing else."""
    for place, points in zip(KEY_PLACES, places, strict=True):
        curve.keyframe_points.foreach_set(place, points.ravel())
    curve.id_data.update_tag()  # 4.2 goes on with the old keys otherwise
