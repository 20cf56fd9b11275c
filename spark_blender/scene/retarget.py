"""A performance on another character: its shape keys and bones follow ours by a mapping."""

from collections.abc import Mapping

import bpy
import numpy as np
from mathutils import Quaternion

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.posing import multiply_quaternions
from spark_backend.protocol.timeline import sign_continuous

from .action import Curve, write_curves
from .captured import bone_path, key_path
from .mapping import KeyMapping, map_weights
from .mesh import widen_sliders
from .performance import IDENTITY, Performance, inverse, scaled_rotations
from .reduction import reduce_keys

BONE_TOLERANCE = 0.1
"""Radians of a bone for one of a weight, in key reduction."""
MADE = "spark_retarget"
"""Custom property of an action that a retarget has made."""


def retarget(
    armature: bpy.types.Object,
    target: bpy.types.Object,
    performance: Performance,
    mapping: KeyMapping,
    name: str,
    frames: np.ndarray,
    tolerance: float = 0.0,
) -> None:
    """Plays our `armature`'s performance, at the frames (T,), on the mesh or armature `target`, in the action `name`.

    A mesh's bones are those of the armature that moves it. An action that the character had before stays in the file.
    The character is taken to look along its own -Y.
    """
    rig = target if target.type == "ARMATURE" else target.find_armature()
    weights = map_weights(performance.names, performance.weights, mapping.rows)
    keys = target.data.shape_keys if target.type == "MESH" else None
    weights = {key: values for key, values in weights.items() if keys is not None and key in keys.key_blocks}
    bones = {ours: bone for ours, bone in mapping.bones.items() if rig is not None and bone in rig.pose.bones}
    if not weights and not bones:
        raise SparkError(f"{target.name}: nothing is mapped to its shape keys or bones; press Guess or add rows")
    refuse_driven(target, keys, weights)
    remove_earlier(name)
    if weights:
        widen_sliders(target, list(weights), np.stack(list(weights.values()), axis=1))
        keep_former_action(keys)
        for key, values in weights.items():
            kept = reduce_keys(frames, values[:, None], tolerance)
            write_curves(keys, name, frames[kept], [Curve(key_path(key), 0, values[kept], "Retarget")])[MADE] = True
    if bones:
        keep_former_action(rig)
        for bone, rotation in target_rotations(armature, rig, performance, bones).items():
            write_rotation(rig, bone, rotation, name, frames, tolerance * BONE_TOLERANCE)


def refuse_driven(target: bpy.types.Object, keys: bpy.types.Key | None, weights: Mapping[str, np.ndarray]) -> None:
    """A driver wins over keys, so a driven shape key would not move."""
    drivers = keys.animation_data.drivers if keys is not None and keys.animation_data else ()
    paths = {driver.data_path for driver in drivers}
    driven = [key for key in weights if key_path(key) in paths]
    if driven:
        some = ", ".join(driven[:3])
        raise SparkError(f"{target.name}: drivers move {some}; remove these drivers or take the keys off the mapping")


def remove_earlier(name: str) -> None:
    """Takes out what an earlier retarget has written: with another mapping, other keys may have moved."""
    for action in [bpy.data.actions.get(name), bpy.data.actions.get(f"{name} Key")]:  # the second before 4.4
        if action is not None and MADE in action:
            bpy.data.actions.remove(action)


def keep_former_action(owner: bpy.types.ID) -> None:
    """An action without users is not saved."""
    if owner.animation_data is not None and owner.animation_data.action is not None:
        owner.animation_data.action.use_fake_user = True


def target_rotations(
    armature: bpy.types.Object, rig: bpy.types.Object, performance: Performance, bones: Mapping[str, str]
) -> dict[str, np.ndarray]:
    """(T, 4) unit wxyz of each of the character's bones, by its name, in the bone's own axes.

    Ours are carried over in the axes of their armatures at rest. Our root and neck make one turn of the head: a
    character with both bones gets half of it on each.
    """
    turns = {bone: in_armature_axes(armature, bone, q) for bone, q in performance.rotations.items()}
    wanted = {bone: turns[bone] for bone in ("jaw", "eye_left", "eye_right") if bone in turns}
    if "root" in turns and "neck" in turns:
        head = multiply_quaternions(turns["root"], turns["neck"])
        share = 0.5 if {"neck", "head"} <= set(bones) else 1.0
        wanted |= dict.fromkeys(("neck", "head"), scaled_rotations(head, IDENTITY, share))
    return {bones[bone]: in_bone_axes(rig, bones[bone], turn) for bone, turn in wanted.items() if bone in bones}


def in_armature_axes(armature: bpy.types.Object, bone: str, rotation: np.ndarray) -> np.ndarray:
    """(T, 4) of a bone's turn, seen from its armature at rest."""
    rest = rest_rotation(armature, bone)
    return multiply_quaternions(multiply_quaternions(rest, rotation), inverse(rest))


def in_bone_axes(armature: bpy.types.Object, bone: str, rotation: np.ndarray) -> np.ndarray:
    """(T, 4): the inverse of `in_armature_axes`, sign-continuous."""
    rest = rest_rotation(armature, bone)
    return sign_continuous(multiply_quaternions(multiply_quaternions(inverse(rest), rotation), rest))


def rest_rotation(armature: bpy.types.Object, bone: str) -> np.ndarray:
    """(1, 4) of a bone at rest, in its armature's axes."""
    return np.array(armature.data.bones[bone].matrix_local.to_quaternion().normalized(), float)[None]


def write_rotation(
    rig: bpy.types.Object, bone: str, rotation: np.ndarray, name: str, frames: np.ndarray, tolerance: float
) -> None:
    """Keys a bone's rotation (T, 4) in the mode that the rig has for it."""
    mode = rig.pose.bones[bone].rotation_mode
    if mode == "AXIS_ANGLE":
        raise SparkError(f"{rig.name}: its bone {bone} turns by axis and angle; set it to Quaternion or XYZ Euler")
    if mode == "QUATERNION":
        path, values, scale = "rotation_quaternion", rotation, 2.0
    else:
        path, values, scale = "rotation_euler", euler_angles(rotation, mode), 1.0
    kept = reduce_keys(frames, scale * values, tolerance)
    curves = [Curve(f"{bone_path(bone)}.{path}", i, column, bone) for i, column in enumerate(values[kept].T)]
    write_curves(rig, name, frames[kept], curves)[MADE] = True


def euler_angles(rotation: np.ndarray, order: str) -> np.ndarray:
    """(T, 3) radians without jumps."""
    angles, former = [], None
    for quaternion in rotation:
        near = () if former is None else (former,)
        former = Quaternion(quaternion).to_euler(order, *near)
        angles.append(tuple(former))
    return np.array(angles)
