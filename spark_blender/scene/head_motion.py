"""Where a head's travel through the picture is keyed: on its root bone, on its object, or the other way on the camera.

The places of rest of object and camera are noted on the action, so that the motion can be taken back to the bone.
"""

import bpy
import numpy as np
from mathutils import Matrix

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.posing import quaternion_to_matrix
from spark_backend.protocol.timeline import sign_continuous

from .action import Curve, assign_action, channels_of, fill_curves
from .performance import Performance
from .stepwise import Steps

ROOT = "root"
PLACES = ("BONE", "OBJECT", "CAMERA")
PLACE = "spark_head_motion"
CARRIER, CARRIER_REST, CARRIER_MODE = "spark_carrier", "spark_carrier_rest", "spark_carrier_rotation_mode"
"""Custom properties of the armature's action: the place; the object or camera that moves, and how it stood before."""

MATRICES_AT_ONCE = 1000


def place_of(action: bpy.types.Action) -> str:
    """One of `PLACES`."""
    return action.get(PLACE, "BONE")


def take_over(
    armature: bpy.types.Object, action: bpy.types.Action, place: str, camera: bpy.types.Object | None
) -> None:
    """Chooses what carries the motion and notes how that stands now."""
    if place == "BONE":
        return
    carrier = armature if place == "OBJECT" else camera
    if carrier is None:
        raise SparkError("The scene has no camera to move; add one, or bake with Match Scene to Clip")
    for item in (carrier, armature):
        if item.parent is not None:
            raise SparkError(f"{item.name}: has a parent; clear it (Alt P) or leave the motion on the bone")
    if place == "CAMERA" and carrier.animation_data is not None and carrier.animation_data.action is not None:
        raise SparkError(f"{carrier.name}: moves already; unlink its action or choose another camera for the scene")
    if not np.allclose(armature.scale, armature.scale[0], rtol=1e-4):
        raise SparkError(f"{armature.name}: is scaled unevenly; apply its scale (Ctrl A) and try again")
    action[PLACE], action[CARRIER] = place, carrier
    action[CARRIER_REST] = np.array(carrier.matrix_basis).ravel().tolist()
    action[CARRIER_MODE] = carrier.rotation_mode
    carrier.rotation_mode = "QUATERNION"


def hand_back(armature: bpy.types.Object, action: bpy.types.Action) -> None:
    """Stands the object or camera where it was before it carried the motion, without keys."""
    carrier = action.get(CARRIER)
    if carrier is not None:
        animated = carrier.animation_data.action if carrier.animation_data else None
        if carrier == armature:
            remove_curves(channels_of(armature, action), ("location", "rotation_quaternion"))
        elif animated is not None and animated.get(CARRIER) == carrier:
            bpy.data.actions.remove(animated)
        carrier.rotation_mode = action[CARRIER_MODE]
        carrier.matrix_basis = rest_basis(action)
    for name in (PLACE, CARRIER, CARRIER_REST, CARRIER_MODE):
        action.pop(name, None)


def rest_basis(action: bpy.types.Action) -> Matrix:
    """How the carrier stood before it moved."""
    return Matrix(np.array(action[CARRIER_REST]).reshape(4, 4).tolist())


def carrier_steps(
    armature: bpy.types.Object, action: bpy.types.Action, performance: Performance, frames: np.ndarray
) -> Steps[None]:
    """Keys the root's motion on the carrier, at every frame (T,), and stands the root still."""
    carrier = action[CARRIER]
    motion = root_motion(armature, performance)
    rest = np.array(rest_basis(action), float)
    yield
    if carrier == armature:
        matrices = rest @ motion
    else:
        world = np.array(armature.matrix_basis, float)
        matrices = world @ np.linalg.inv(motion) @ np.linalg.inv(world) @ rest
    parts = []
    for first in range(0, len(matrices), MATRICES_AT_ONCE):
        yield
        parts += [Matrix(matrix).decompose() for matrix in matrices[first : first + MATRICES_AT_ONCE].tolist()]
    location = np.array([part[0] for part in parts])
    rotation = sign_continuous(np.array([part[1] for part in parts]))
    curves = [Curve("location", i, location[:, i], "Object Transforms") for i in range(3)]
    curves += [Curve("rotation_quaternion", i, rotation[:, i], "Object Transforms") for i in range(4)]
    if carrier != armature:
        assign_action(carrier, f"{action.name} camera motion")[CARRIER] = carrier
    for curve in curves:
        yield
        fill_curves(channels_of(carrier, carrier.animation_data.action), frames, [curve])
    still_root(armature, action)


def root_motion(armature: bpy.types.Object, performance: Performance) -> np.ndarray:
    """(T, 4, 4): how the root bone moves what it carries, in the armature's axes."""
    rest = np.array(armature.data.bones[ROOT].matrix_local, float)
    pose = np.tile(np.eye(4), (len(performance.seconds), 1, 1))
    pose[:, :3, :3] = quaternion_to_matrix(performance.rotations[ROOT])
    pose[:, :3, 3] = performance.locations[ROOT]
    return rest @ pose @ np.linalg.inv(rest)


def still_root(armature: bpy.types.Object, action: bpy.types.Action) -> None:
    """Takes the root bone's keys out and puts it to rest."""
    path = f'pose.bones["{ROOT}"]'
    remove_curves(channels_of(armature, action), (f"{path}.location", f"{path}.rotation_quaternion"))
    armature.pose.bones[ROOT].matrix_basis = Matrix()


def remove_curves(channels: bpy.types.bpy_struct, paths: tuple[str, ...]) -> None:
    """Takes out the curves of these properties."""
    for curve in [curve for curve in channels.fcurves if curve.data_path in paths]:
        channels.fcurves.remove(curve)
