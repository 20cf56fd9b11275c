"""The joints as an armature whose posed result equals `spark_backend.protocol.posing`."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Vector

from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.names import JOINTS
from spark_backend.protocol.placement import WORLD_FROM_CAMERA_QUATERNION, world_from_camera
from spark_backend.protocol.posing import joint_transforms, multiply_quaternions, quaternion_to_matrix
from spark_backend.protocol.take import Take
from spark_backend.protocol.timeline import sign_continuous

UP = np.array([0.0, 0.0, 1.0])
FORWARD = np.array([0.0, -1.0, 0.0])
LOCAL_JOINTS = ("neck", "jaw", "eye_left", "eye_right")


@dataclass(frozen=True)
class BoneMotion:
    """What to key on one pose bone, in its own axes."""

    rotation: np.ndarray
    """(T, 4) unit wxyz, sign-continuous."""
    location: np.ndarray | None = None
    """(T, 3) metres."""


def build_armature(avatar: Avatar, name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """An armature object in `collection` with one bone per joint, its head at the joint."""
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    collection.objects.link(armature)
    with editing(data) as bones:
        for index in range(len(avatar.joint_names)):
            place_bone(bones, avatar, index)
    for bone in armature.pose.bones:
        bone.rotation_mode = "QUATERNION"
    data.display_type = "STICK"
    armature.show_in_front = True
    return armature


@contextlib.contextmanager
def editing(data: bpy.types.Armature) -> Iterator[bpy.types.ArmatureEditBones]:
    """The bones of an armature, to be made and moved: which Blender allows in edit mode, of the active object alone.

    That is an object made for it: one that the artist has hidden, or put into a collection that is left out, cannot be
    edited. What was active and selected is so again afterwards.
    """
    layer = bpy.context.view_layer
    active, selected = layer.objects.active, list(bpy.context.selected_objects)
    if active is not None and active.mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    for item in selected:
        item.select_set(False)
    hand = bpy.data.objects.new(data.name, data)
    bpy.context.scene.collection.objects.link(hand)
    layer.objects.active = hand
    hand.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        yield data.edit_bones
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        bpy.data.objects.remove(hand)
        layer.objects.active = active
        for item in selected:
            item.select_set(True)


def place_bone(bones: bpy.types.ArmatureEditBones, avatar: Avatar, index: int) -> None:
    """The edit bone of a joint, made when it is not there: from the joint along `bone_vector`, rolled so that its X
    axis is the avatar's +X.
    """
    joint = avatar.joint_names[index]
    vector, made = bone_vector(avatar, joint), joint not in bones
    bone = bones.new(joint) if made else bones[joint]
    bone.head = avatar.joints[index]
    bone.tail = avatar.joints[index] + vector
    bone.align_roll(Vector(np.cross([1.0, 0.0, 0.0], vector)))
    if made and avatar.parents[index] >= 0:
        bone.parent = bones[avatar.joint_names[avatar.parents[index]]]


def bone_vector(avatar: Avatar, joint: str) -> np.ndarray:
    """(3,) metres from a bone's head to its tail, in the avatar's YZ plane: up the spine, out of jaw and eyes."""
    place = dict(zip(avatar.joint_names, avatar.joints, strict=True))
    scale = float(np.linalg.norm(place["eye_left"] - place["eye_right"]))
    if joint.startswith("eye"):
        return FORWARD * scale * 0.5
    if joint == "jaw":
        return (FORWARD * 0.8 - UP * 0.6) * scale * 1.2
    if joint == "head":
        return UP * scale * 2.0
    above = (place["head" if joint == "neck" else "neck"] - place[joint]) * np.array([0.0, 1.0, 1.0])
    return above if above[2] > 0.3 * scale else UP * scale


def bone_motions(
    armature: bpy.types.Object, avatar: Avatar, take: Take, world: np.ndarray | None = None
) -> dict[str, BoneMotion]:
    """What to key on each bone, by name, so that the skull is seen where the take's camera saw it.

    `world` (4, 4) brings camera axes to Blender's; left out, it is `world_from_camera` of the take.

    A pose bone turns in its own rest axes, so a joint's rotation q becomes conj(r) q r, with r the bone's rest
    rotation. `head` has no motion of its own: `root` and `neck` carry it. A rig that lacks one of them is refused.
    """
    if missing := [bone for bone in ("root", *LOCAL_JOINTS) if bone not in armature.data.bones]:
        raise SparkError(f"{armature.name}: has no bone {' and no '.join(missing)} any more; import the avatar again")
    rest = {bone.name: np.array(bone.matrix_local.to_quaternion().normalized(), float) for bone in armature.data.bones}
    motions = {joint: BoneMotion(in_bone_axes(rest[joint], getattr(take, joint))) for joint in LOCAL_JOINTS}
    seen = multiply_quaternions(WORLD_FROM_CAMERA_QUATERNION, take.head_rotation)
    skull_to_root = conjugate(np.asarray(take.neck, float))
    world = world_from_camera(avatar, take) if world is None else world
    transform = world @ joint_transforms(avatar, take)[:, JOINTS.index("root")]
    origin = np.array(armature.data.bones["root"].head_local, float)
    travel = transform[:, :3, :3] @ origin + transform[:, :3, 3] - origin
    location = travel @ quaternion_to_matrix(rest["root"])
    motions["root"] = BoneMotion(in_bone_axes(rest["root"], multiply_quaternions(seen, skull_to_root)), location)
    return motions


def in_bone_axes(rest: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """(T, 4) rotations in the avatar's axes, seen from a bone whose rest rotation is `rest` (4,), sign-continuous."""
    turned = multiply_quaternions(multiply_quaternions(conjugate(rest), rotation), np.broadcast_to(rest, (1, 4)))
    return sign_continuous(turned / np.linalg.norm(turned, axis=1, keepdims=True))


def conjugate(quaternion: np.ndarray) -> np.ndarray:
    """(..., 4) wxyz, the inverse of a unit quaternion."""
    return quaternion * np.array([1.0, -1.0, -1.0, -1.0])
