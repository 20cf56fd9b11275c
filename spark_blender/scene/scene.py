"""The avatar and its take in Blender: what the add-on's buttons and the headless exporter call."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.take import Take
from spark_backend.protocol.timeline import Rate, frame_numbers, frame_range, nearest_rate

from .action import Curve, write_curves
from .armature import bone_motions, build_armature
from .camera import add_background, animate_camera, build_camera, fit_render_size
from .captured import note_timing
from .layers import insert_curves
from .lighting import add_lights, add_world
from .materials import build_materials
from .mesh import add_shape_keys, add_vertex_groups, build_mesh, widen_sliders
from .sound import add_sound

KEY_GROUPS = ("eye", "jaw", "mouth", "brow", "cheek", "nose", "tongue")


@dataclass(frozen=True)
class HeadObjects:
    """The two objects of one avatar."""

    armature: bpy.types.Object
    mesh: bpy.types.Object


@dataclass(frozen=True)
class BuiltScene:
    """What `build_scene` made."""

    head: HeadObjects
    camera: bpy.types.Object | None
    warnings: tuple[str, ...] = ()


def import_avatar(avatar: Avatar, name: str, collection: bpy.types.Collection | None = None) -> HeadObjects:
    """The head at rest: mesh with materials and shape keys, skinned to its armature.

    The armature is called `name`, the mesh `name head`. Both go into `collection`, else the scene's own.
    """
    collection = collection or bpy.context.scene.collection
    mesh = build_mesh(avatar, f"{name} head", build_materials(avatar, name))
    collection.objects.link(mesh)
    add_shape_keys(mesh, avatar)
    add_vertex_groups(mesh, avatar)
    armature = build_armature(avatar, name, collection)
    mesh.parent = armature
    modifier = mesh.modifiers.new("Armature", "ARMATURE")
    modifier.object, modifier.use_deform_preserve_volume = armature, False
    return HeadObjects(armature, mesh)


def bake_take(head: HeadObjects, avatar: Avatar, take: Take, name: str, *, rate: Rate, start: float = 1.0) -> None:
    """Plays a take on the head: linear keys at the true time of every frame, in one action called `name`.

    Baking the same take again replaces its keys. An action of that name that animates something else is left alone.
    """
    frames = frame_numbers(take.pts, rate, start)
    action = action_name(head, name)
    baked = write_curves(head.armature, action, frames, bone_curves(head.armature, avatar, take))
    baked["spark_avatar"] = head.armature.name
    note_timing(baked, rate, start)
    write_curves(head.mesh.data.shape_keys, action, frames, key_curves(head.mesh, take))


def insert_take(head: HeadObjects, avatar: Avatar, take: Take, *, rate: Rate, start: float = 1.0) -> None:
    """Puts a take's keys into the actions that bones and shape keys play; keys outside of the take's time stay."""
    frames = frame_numbers(take.pts, rate, start)
    action = insert_curves(head.armature, frames, bone_curves(head.armature, avatar, take))
    action["spark_avatar"] = head.armature.name
    note_timing(action, rate, start)
    insert_curves(head.mesh.data.shape_keys, frames, key_curves(head.mesh, take))


def key_curves(mesh: bpy.types.Object, take: Take) -> list[Curve]:
    """The curves of the shape keys that the mesh has; their sliders are widened to hold them."""
    known = [name for name in take.names if name in mesh.data.shape_keys.key_blocks]
    weights = take.weights[:, [take.names.index(name) for name in known]]
    widen_sliders(mesh, known, weights)
    return [
        Curve(f'key_blocks["{bpy.utils.escape_identifier(name)}"].value', 0, values, key_group(name))
        for name, values in zip(known, weights.T, strict=True)
    ]


def action_name(head: HeadObjects, take: str) -> str:
    """The take's name, with the avatar's where another avatar's action has it already."""
    taken = bpy.data.actions.get(take)
    return take if taken is None or taken.get("spark_avatar") == head.armature.name else f"{take} {head.armature.name}"


def bone_curves(armature: bpy.types.Object, avatar: Avatar, take: Take) -> list[Curve]:
    """Location of the root and rotation of each moving bone, grouped by bone."""
    curves = []
    for bone, motion in bone_motions(armature, avatar, take).items():
        path = f'pose.bones["{bone}"]'
        curves += [Curve(f"{path}.rotation_quaternion", i, motion.rotation[:, i], bone) for i in range(4)]
        if motion.location is not None:
            curves += [Curve(f"{path}.location", i, motion.location[:, i], bone) for i in range(3)]
    return curves


def key_group(expression: str) -> str:
    """The group of an expression's curve: the part of the face that its name begins with."""
    return next((part.capitalize() for part in KEY_GROUPS if expression.startswith(part)), "Other")


def build_scene(
    avatar: Avatar, take: Take | None, *, name: str, take_name: str = "Take", video: Path | None = None, start: int = 1
) -> BuiltScene:
    """Fills the current scene, taken to be empty: head, light and, with a take, performance, camera, plate and sound.

    The scene gets the clip's rate and range. A clip that Blender cannot open becomes a warning.
    """
    scene = bpy.context.scene
    head = import_avatar(avatar, name)
    add_world(scene)
    eyes = [avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")]
    add_lights(scene.collection, np.mean(eyes, axis=0))
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Standard"  # the plate's own look; AgX would grey it
    if take is None:
        return BuiltScene(head, None)
    rate = nearest_rate(take.pts)
    scene.render.fps, scene.render.fps_base = rate.fps, rate.fps_base
    scene.frame_start, scene.frame_end = frame_range(take.pts, rate, start)
    bake_take(head, avatar, take, take_name, rate=rate, start=start)
    camera = add_take_camera(scene, avatar, take, take_name, rate, start)
    warnings = add_clip(scene, camera, video, start) if video is not None else ()
    scene.frame_set(start)
    return BuiltScene(head, camera, warnings)


def add_take_camera(
    scene: bpy.types.Scene, avatar: Avatar, take: Take, name: str, rate: Rate, start: int
) -> bpy.types.Object:
    """The camera that filmed the take, made the scene's, with the render's size."""
    camera = build_camera(take, world_from_camera(avatar, take), scene.collection, f"{name} camera")
    animate_camera(camera, take, frame_numbers(take.pts, rate, start))
    fit_render_size(scene.render, take)
    scene.camera = camera
    return camera


def add_clip(scene: bpy.types.Scene, camera: bpy.types.Object, video: Path, start: int) -> tuple[str, ...]:
    """The clip as the camera's background and its sound, if any, from frame `start` on at the scene's rate.

    Returns what the user should know.
    """
    rate = Rate(scene.render.fps, scene.render.fps_base)
    try:
        clip = add_background(camera, video, (start, scene.frame_end), rate)
    except SparkError as error:
        return (str(error),)
    warnings = add_sound(scene, video, start)
    width, height = clip.size
    if (height, width) == (scene.render.resolution_x, scene.render.resolution_y) != (width, height):
        lying = f"{video.name}: this Blender shows the clip lying on its side; use 4.5 or later, or turn the clip"
        return (lying, *warnings)
    return warnings
