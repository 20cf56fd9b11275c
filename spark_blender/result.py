"""A captured head and its takes in the user's scene: import, bake, export. Called by the operators and by the pump."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy

from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import Project
from spark_backend.protocol.take import Take, load_take
from spark_backend.protocol.timeline import Rate, frame_range, nearest_rate

from .adjust_properties import prepare_bake, start_anew
from .scene.exports import export_head
from .scene.scene import HeadObjects, add_clip, add_take_camera, bake_take, import_avatar

PROJECT_KEY = "spark_project"
"""Custom property of an armature: the project folder that its head comes from."""
TAKE_KEY = "spark_take"
"""Custom property of a camera: the take that it has filmed."""


@dataclass(frozen=True)
class Placement:
    """How a take comes into the scene."""

    start: int = 1
    match_scene: bool = True
    """Give the scene the clip's rate, range, size, camera, picture and sound."""


def require_object_mode() -> None:
    """Objects are made and selected in Object Mode only."""
    if bpy.context.mode != "OBJECT":
        raise SparkError("Blender is in another mode; go to Object Mode and try again")


def import_head(project: Project) -> HeadObjects:
    """The project's avatar in the scene; takes the place of the one that was imported before."""
    require_object_mode()
    avatar = load_avatar(project.avatar_folder)
    for head in list(heads(project.folder)):
        remove_head(head)
    head = import_avatar(avatar, project.folder.stem)
    head.armature[PROJECT_KEY] = str(project.folder)
    return head


def bake(project: Project, name: str, placement: Placement) -> tuple[str, ...]:
    """Plays a take on the project's head, which is imported when it is not there. Returns warnings."""
    require_object_mode()
    take = load_take(project.take_path(name))
    avatar = load_avatar(project.avatar_folder)
    head = find_head(project.folder) or import_head(project)
    scene = bpy.context.scene
    prepare_bake(head)
    if not placement.match_scene:
        rate = Rate(scene.render.fps, scene.render.fps_base)
        bake_take(head, avatar, take, name, rate=rate, start=placement.start)
        start_anew(head)
        return ()
    rate = nearest_rate(take.pts)
    scene.render.fps, scene.render.fps_base = rate.fps, rate.fps_base
    scene.frame_start, scene.frame_end = frame_range(take.pts, rate, placement.start)
    bake_take(head, avatar, take, name, rate=rate, start=placement.start)
    start_anew(head)
    remove_plate(scene, name)
    camera = add_take_camera(scene, avatar, take, name, rate, placement.start)
    camera[TAKE_KEY] = name
    warnings = add_clip(scene, camera, video, placement.start) if (video := source_video(take)) else ()
    scene.frame_set(placement.start)
    return warnings


def source_video(take: Take) -> Path | None:
    """The video that a take was made from, when it is still there."""
    path = take.source.get("path")
    return Path(path) if path and Path(path).is_file() else None


def export(project: Project, path: Path) -> None:
    """Writes the project's head, as it is in the scene, to a file whose ending chooses the format."""
    require_object_mode()
    head = find_head(project.folder)
    if head is None:
        raise SparkError(f"{project.folder.stem}: not in this scene; import the avatar first")
    try:
        export_head(head, path)
    except (RuntimeError, OSError) as error:  # what Blender's exporters raise
        reason = " ".join(str(error).removeprefix("Error:").split())
        raise SparkError(f"{path}: could not be written ({reason}); choose another place") from error


def heads(folder: Path) -> Iterator[HeadObjects]:
    """The heads of a project in the scene."""
    for armature in bpy.context.scene.objects:
        if armature.type != "ARMATURE" or not armature.get(PROJECT_KEY):
            continue
        if Path(bpy.path.abspath(armature[PROJECT_KEY])) != folder:
            continue
        for mesh in armature.children:
            if mesh.type == "MESH" and mesh.data.shape_keys is not None:
                yield HeadObjects(armature, mesh)
                break


def find_head(folder: Path) -> HeadObjects | None:
    """The project's head in the scene: the active one when there are several; None when there is none."""
    found = list(heads(folder))
    active = bpy.context.view_layer.objects.active
    return next((head for head in found if active in (head.armature, head.mesh)), found[0] if found else None)


def remove_head(head: HeadObjects) -> None:
    """Takes a head out of the file with everything that only it has used."""
    materials = [slot.material for slot in head.mesh.material_slots]
    mesh, armature = head.mesh.data, head.armature.data
    bpy.data.objects.remove(head.mesh)
    bpy.data.objects.remove(head.armature)
    for collection, data in ((bpy.data.meshes, mesh), (bpy.data.armatures, armature)):
        if data.users == 0:
            collection.remove(data)
    for material in dict.fromkeys(materials):
        if material is not None and material.users == 0:
            bpy.data.materials.remove(material)


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
