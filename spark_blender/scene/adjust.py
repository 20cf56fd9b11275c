"""Changes after the bake. Each is worked out anew from what was captured, so every one can be taken back."""

import bpy
import numpy as np

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.timeline import Rate

from .action import Curve, channels_of, fill_curves
from .captured import (
    action_of,
    bone_path,
    captured_of,
    forget_captured,
    key_path,
    note_timing,
    read_performance,
    timing,
)
from .head_motion import PLACES, ROOT, hand_back, place_of, take_over, write_carrier
from .heads import heads_of
from .mesh import widen_sliders
from .performance import Adjustments, Performance, RestFace, adjusted, rest_face
from .reduction import reduce_each, reduce_keys
from .scene import HeadObjects

BONE_TOLERANCE = 0.1
"""Radians or metres of a bone for one of a weight, in key reduction."""


def heads_of_takes(scene: bpy.types.Scene) -> list[HeadObjects]:
    """The heads of a scene that play a take."""
    return [head for head in heads_of(scene) if plays_take(head.armature)]


def plays_take(armature: bpy.types.Object) -> bool:
    """Whether its action was baked from a take."""
    animation = armature.animation_data
    return animation is not None and animation.action is not None and "spark_avatar" in animation.action


def apply(head: HeadObjects, wish: Adjustments) -> Performance:
    """Plays the captured performance, adjusted, on the head. Returns it at all its keys, before their reduction."""
    performance = adjusted(read_performance(head.armature, head.mesh), wish)
    rate, start = timing(action_of(head.armature))
    frames = start + performance.seconds * rate.per_second
    write_keys(head.mesh, frames, performance, wish.tolerance)
    write_bones(head.armature, frames, performance, wish.tolerance)
    mark_range(action_of(head.armature), frames, wish.loop > 0)
    return performance


def write_keys(mesh: bpy.types.Object, frames: np.ndarray, performance: Performance, tolerance: float) -> None:
    """The shape keys' curves at the frames (T,), each reduced on its own."""
    keys = mesh.data.shape_keys
    widen_sliders(mesh, performance.names, performance.weights)
    channels = channels_of(keys, action_of(keys))
    kept_keys = reduce_each(frames, performance.weights.T[..., None], tolerance)
    for name, values, kept in zip(performance.names, performance.weights.T, kept_keys, strict=True):
        group = channels.fcurves.find(key_path(name)).group
        curve = Curve(key_path(name), 0, values[kept], group.name if group else "Other")
        fill_curves(channels, frames[kept], [curve])


def write_bones(armature: bpy.types.Object, frames: np.ndarray, performance: Performance, tolerance: float) -> None:
    """The bones' curves at the frames (T,); all curves of one property keep the same keys."""
    action, bound = action_of(armature), tolerance * BONE_TOLERANCE
    channels = channels_of(armature, action)
    carried = place_of(action) != "BONE"
    if carried:
        write_carrier(armature, action, performance, frames)
    for bone, rotation in performance.rotations.items():
        if not (carried and bone == ROOT):
            kept = reduce_keys(frames, 2 * rotation, bound)  # a quaternion moves by half the angle
            fill_curves(channels, frames[kept], bone_curves(bone, "rotation_quaternion", rotation[kept]))
    for bone, location in performance.locations.items():
        if not (carried and bone == ROOT):
            kept = reduce_keys(frames, location, bound)
            fill_curves(channels, frames[kept], bone_curves(bone, "location", location[kept]))


def bone_curves(bone: str, name: str, values: np.ndarray) -> list[Curve]:
    """One curve for each column of values (T, C) of a bone's property."""
    path = f"{bone_path(bone)}.{name}"
    return [Curve(path, index, column, bone) for index, column in enumerate(values.T)]


def mark_range(action: bpy.types.Action, frames: np.ndarray, cyclic: bool) -> None:
    """Tells Blender where the action begins and ends, and whether it is made to be repeated."""
    action.use_frame_range, action.use_cyclic = True, cyclic
    action.frame_start, action.frame_end = float(frames[0]), float(frames[-1])


def measure_rest(head: HeadObjects, first: float, last: float) -> RestFace:
    """The captured face between two frames of the scene, to be taken for rest."""
    rate, start = timing(action_of(head.armature))
    seconds = [(frame - start) / rate.per_second for frame in (first, last)]
    return rest_face(read_performance(head.armature, head.mesh), *seconds)


def retime(head: HeadObjects, wish: Adjustments, rate: Rate, start: float) -> None:
    """Lays the performance anew on a timeline of another rate: what took a second takes a second."""
    action = action_of(head.armature)
    captured_of(action)  # keeps the old timing with the old keys
    note_timing(action, rate, start)
    apply(head, wish)


def move_head(head: HeadObjects, wish: Adjustments, place: str, camera: bpy.types.Object | None) -> None:
    """Puts the head's travel on the root bone, on the armature object, or reversed on the camera (`PLACES`).

    Seen through that camera the picture stays the same in all three.
    """
    if place not in PLACES:
        raise SparkError(f"{place}: no place for head motion; choose one of {', '.join(PLACES)}")
    performance = read_performance(head.armature, head.mesh)
    if ROOT not in performance.rotations or ROOT not in performance.locations:
        raise SparkError(f"{head.armature.name}: its bone {ROOT} has no keys; bake the take again")
    action = action_of(head.armature)
    hand_back(head.armature, action)
    try:
        take_over(head.armature, action, place, camera)
    finally:
        apply(head, wish)


def keep(head: HeadObjects) -> None:
    """Takes the adjusted curves for captured: from now on they are what adjustments start from."""
    action = action_of(head.armature)
    if place_of(action) != "BONE":
        raise SparkError("The head's motion is not on its bone; put it back there first")
    forget_captured(action)
    forget_captured(action_of(head.mesh.data.shape_keys))
