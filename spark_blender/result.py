"""A captured head and its takes in the user's scene: import and bake. Called by the operators and by the pump."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from spark_backend.protocol.avatar import Avatar, load_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.project import Project
from spark_backend.protocol.take import Take, load_take
from spark_backend.protocol.timeline import Rate, frame_range, nearest_rate

from .adjust_playing import settle
from .adjust_properties import prepare_bake, start_anew
from .properties import absolute
from .scene.asset import mark_as_asset
from .scene.heads import heads_of
from .scene.layers import push_down
from .scene.lighting import Lamp, add_clip_lights
from .scene.renewal import renew_head
from .scene.scene import HeadObjects, add_clip, add_take_camera, bake_take, import_avatar, insert_take

PROJECT_KEY = "spark_project"
"""Custom property of an armature: the project folder that its head comes from."""
STAMP_KEY = "spark_made"
"""Custom property of an armature: when the files were written that its head was imported from."""
TAKE_KEY = "spark_take"
"""Custom property of a camera: the take that it has filmed."""


@dataclass(frozen=True)
class Placement:
    """How a take comes into the scene."""

    start: int = 1
    match_scene: bool = True
    """Give the scene the clip's rate, range, size, camera, picture and sound."""
    target: str = "ACTION"
    """`ACTION`: an action of the take's own; `INSERT`: into the one that plays now; `LAYER`: over that, in the NLA."""
    smoothing: float = 0.0
    """Seconds, see `Adjustments`; not for `INSERT`, whose action holds more than the take."""


def require_object_mode() -> None:
    """Objects are made and selected in Object Mode only."""
    if bpy.context.mode != "OBJECT":
        raise SparkError("Blender is in another mode; go to Object Mode and try again")


def import_head(project: Project) -> HeadObjects:
    """The project's avatar as a new head in the scene."""
    require_object_mode()
    head = import_avatar(load_avatar(project.avatar_folder), project.folder.stem)
    head.armature[PROJECT_KEY] = str(project.folder)
    stamp(head, project)
    bpy.context.view_layer.objects.active = head.armature
    return head


def update_head(project: Project, head: HeadObjects) -> tuple[str, ...]:
    """Gives a head in the scene what the project's avatar is now, see `renew_head`. Returns warnings."""
    require_object_mode()
    warnings = renew_head(head, load_avatar(project.avatar_folder))
    stamp(head, project)
    return warnings


def stamp(head: HeadObjects, project: Project) -> None:
    """Notes of which files a head was made."""
    head.armature[STAMP_KEY] = (project.avatar_folder / "avatar.json").stat().st_mtime


def mark_head(project: Project) -> None:
    """Puts the project's head of this scene into the asset browser."""
    require_object_mode()
    head = required_head(project)
    preview = project.avatar_folder / "preview.png"
    mark_as_asset(head, load_avatar(project.avatar_folder).licences, preview if preview.exists() else None)


def light_scene(project: Project, take: str, lamps: Sequence[Mapping[str, Any]], ambient: Sequence[float]) -> None:
    """Lights the head in the scene as its clip was lit; `lamps` and `ambient` as `spark light` tells them."""
    head = required_head(project)
    turn = world_from_camera(load_avatar(project.avatar_folder), load_take(project.take_path(take)))[:3, :3]
    found = [Lamp(lamp["name"], turn @ lamp["towards"], np.array(lamp["colour"])) for lamp in lamps]
    low, high = np.array(head.mesh.bound_box).min(0), np.array(head.mesh.bound_box).max(0)
    target = head.mesh.matrix_world @ Vector((low + high) / 2)
    add_clip_lights(bpy.context.scene, f"{project.folder.stem} light", np.array(target), found, np.array(ambient))


def stamp_of(head: HeadObjects) -> float:
    """When the head's files were written that it was imported from; 0 for one of an older SPARK."""
    return head.armature.get(STAMP_KEY, 0.0)


def bake(project: Project, name: str, placement: Placement) -> tuple[str, ...]:
    """Plays a take on the project's head, which is imported when it is not there. Returns warnings."""
    require_object_mode()
    take = load_take(project.take_path(name))
    avatar = load_avatar(project.avatar_folder)
    head = find_head(project.folder) or import_head(project)
    scene = bpy.context.scene
    if placement.match_scene:
        rate = nearest_rate(take.pts)
        scene.render.fps, scene.render.fps_base = rate.fps, rate.fps_base
    rate = Rate(scene.render.fps, scene.render.fps_base)
    lay_keys(head, avatar, take, name, rate, placement)
    if not placement.match_scene:
        return ()
    scene.frame_start, scene.frame_end = frame_range(take.pts, rate, placement.start)
    remove_plate(scene, name)
    camera = add_take_camera(scene, avatar, take, name, rate, placement.start)
    camera[TAKE_KEY] = name
    warnings = add_clip(scene, camera, video, placement.start) if (video := source_video(take)) else ()
    scene.frame_set(placement.start)
    return warnings


def lay_keys(head: HeadObjects, avatar: Avatar, take: Take, name: str, rate: Rate, placement: Placement) -> None:
    """Writes the take's keys to where the placement wants them; what is baked is what adjustments start from."""
    settle()
    prepare_bake(head)
    owners = (head.armature, head.mesh.data.shape_keys)
    plays = all(owner.animation_data is not None and owner.animation_data.action is not None for owner in owners)
    if placement.target == "INSERT" and plays:
        insert_take(head, avatar, take, rate=rate, start=placement.start)
        start_anew(head)
        return
    if placement.target == "LAYER":
        name = unused_action_name(name)  # the strips below may play this very take
        for owner in owners:
            push_down(owner)
    bake_take(head, avatar, take, name, rate=rate, start=placement.start)
    start_anew(head)
    if placement.smoothing:
        head.armature.animation_data.action.spark_adjust.smoothing = placement.smoothing


def unused_action_name(name: str) -> str:
    """The name, numbered when there is an action of that name."""
    names = (name, *(f"{name} {number}" for number in range(2, 1000)))
    return next(name for name in names if name not in bpy.data.actions)


def source_video(take: Take) -> Path | None:
    """The video that a take was made from, when it is still there."""
    path = take.source.get("path")
    return Path(path) if path and Path(path).is_file() else None


def required_head(project: Project) -> HeadObjects:
    """The project's head in the scene, which must be there."""
    head = find_head(project.folder)
    if head is None:
        raise SparkError(f"{project.folder.stem}: not in this scene; import the avatar first")
    return head


def heads(folder: Path) -> Iterator[HeadObjects]:
    """The heads of a project in the scene."""
    for head in heads_of(bpy.context.scene):
        place = head.armature.get(PROJECT_KEY)
        if place and absolute(place) == folder:
            yield head


def find_head(folder: Path) -> HeadObjects | None:
    """The project's head in the scene: the active one when there are several; None when there is none."""
    found = list(heads(folder))
    active = bpy.context.view_layer.objects.active
    return next((head for head in found if active in (head.armature, head.mesh)), found[0] if found else None)


def remove_plate(scene: bpy.types.Scene, take: str) -> None:
    """Takes out the camera and the sound that an earlier bake of the take has made."""
    for camera in [item for item in scene.objects if item.type == "CAMERA" and item.get(TAKE_KEY) == take]:
        data = camera.data
        clips = [background.clip for background in data.background_images if background.clip]
        bpy.data.objects.remove(camera)
        if data.users == 0:
            bpy.data.cameras.remove(data)
        for clip in clips:
            remove_sound(scene, clip)
            if clip.users == 0:
                bpy.data.movieclips.remove(clip)


def remove_sound(scene: bpy.types.Scene, clip: bpy.types.MovieClip) -> None:
    """Takes out the sound strips of a clip."""
    editor = scene.sequence_editor
    if editor is None:
        return
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # `sequences` until 4.3
    for strip in [strip for strip in strips if strip.type == "SOUND"]:
        if bpy.path.abspath(strip.sound.filepath) == bpy.path.abspath(clip.filepath):
            strips.remove(strip)
