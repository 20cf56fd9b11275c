"""Writes the head in the scene to files that other programs read."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from spark_backend.protocol.errors import SparkError

from .centimetres import in_centimetres
from .programs import PROGRAMS, Program
from .scene import HeadObjects


def export_head(head: HeadObjects, path: Path, program: Program = PROGRAMS["ANY"]) -> None:
    """Writes one file; its ending chooses the format. The scene's frame range is written, at the scene's rate.

    `program` is the one that shall read it, see `PROGRAMS`.
    """
    export = EXPORTERS.get(path.suffix.lower())
    if export is None:
        raise SparkError(f"{path.name}: unknown kind of file; choose one of {', '.join(EXPORTERS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with selected(head):
        export(head, path, program)
    if not path.exists():
        raise SparkError(f"{path}: Blender wrote nothing; look into the log for its reason")


def save_blend(head: HeadObjects, path: Path, program: Program) -> None:
    """The whole scene with the maps packed into it; clip and sound stay where they are, by relative paths."""
    images = {node.image for slot in head.mesh.material_slots for node in image_nodes(slot.material)}
    before = {image: image.filepath_raw for image in images}
    try:
        for image in images:
            if image.packed_file is None:
                image.pack()
            image.filepath_raw = f"//{Path(image.filepath_raw).name}"
        # Blender makes all paths relative to the new file, unless the user's preferences forbid it
        bpy.ops.wm.save_as_mainfile(filepath=str(path), compress=True, copy=True, check_existing=False)
    finally:
        for image, file in before.items():
            image.filepath_raw = file


def image_nodes(material: bpy.types.Material) -> list[bpy.types.Node]:
    """The nodes of a material that hold a map."""
    return [node for node in material.node_tree.nodes if node.type == "TEX_IMAGE" and node.image]


def export_fbx(head: HeadObjects, path: Path, program: Program) -> None:
    """Bones and shape keys with a key per frame, in centimetres. No modifiers: applying one drops the shape keys."""
    # Unreal adds a root bone of the object's name, unless it is this one
    with renamed(head.armature, "Armature", bpy.data.objects), in_centimetres(head):
        call(
            bpy.ops.export_scene.fbx,
            filepath=str(path),
            use_selection=True,
            object_types={"ARMATURE", "MESH"},
            use_mesh_modifiers=False,
            mesh_smooth_type=program.smoothing,
            add_leaf_bones=False,
            bake_anim=True,
            bake_anim_use_all_bones=True,
            bake_anim_use_all_actions=False,
            bake_anim_use_nla_strips=False,
            bake_anim_simplify_factor=0.0,
            path_mode="COPY",
            embed_textures=True,
        )


def export_alembic(head: HeadObjects, path: Path, program: Program) -> None:
    """The deformed mesh, every frame."""
    scene = bpy.context.scene
    call(
        bpy.ops.wm.alembic_export,
        filepath=str(path),
        start=scene.frame_start,
        end=scene.frame_end,
        selected=True,
        global_scale=100.0 if program.centimetres else 1.0,
        as_background_job=False,
        uvs=True,
        normals=True,
        face_sets=True,
        export_hair=False,
        export_particles=False,
    )


def export_usd(head: HeadObjects, path: Path, program: Program) -> None:
    """Skeleton, blend shapes and their animation; maps beside it in `textures`."""
    if program.centimetres and "convert_scene_units" not in bpy.ops.wm.usd_export.get_rna_type().properties:
        raise SparkError(f"{path.name}: this Blender writes USD in metres only; use 4.5 or later, or export FBX")
    call(
        bpy.ops.wm.usd_export,
        filepath=str(path),
        selected_objects_only=True,
        convert_orientation=program.y_up,
        export_global_forward_selection="NEGATIVE_Z",
        export_global_up_selection="Y",
        convert_scene_units="CENTIMETERS" if program.centimetres else "METERS",
        export_animation=bool(take_name(head)),
        export_armatures=True,
        export_shapekeys=True,
        export_materials=True,
        export_textures=True,  # until 4.2
        export_textures_mode="NEW",  # from 4.5
        relative_paths=True,
        export_hair=False,
        export_lights=False,
        export_cameras=False,
        convert_world_material=False,
    )


def export_gltf(head: HeadObjects, path: Path, program: Program) -> None:
    """Binary glTF: skin, morph targets, animation sampled at every frame, maps inside."""
    scene, take = bpy.context.scene, take_name(head)
    with gltf_seconds(scene.render), renamed(scene, take or scene.name, bpy.data.scenes):
        call(
            bpy.ops.export_scene.gltf,
            filepath=str(path),
            export_format="GLB",
            use_selection=True,
            export_apply=False,
            export_skins=True,
            export_all_influences=True,
            export_morph=True,
            export_morph_normal=False,
            export_animations=bool(take),
            export_animation_mode="SCENE",  # with what plays in the NLA; the animation is called after the scene
            export_anim_scene_split_object=False,
            export_morph_animation=True,
            export_frame_range=True,
            export_anim_slide_to_zero=True,  # the take begins at 0 s, not at the scene's first frame
            export_force_sampling=True,
            export_optimize_animation_size=False,
            export_extras=False,
            export_lights=False,
            export_cameras=False,
        )


def export_obj(head: HeadObjects, path: Path, program: Program) -> None:
    """The mesh as it stands in the rest pose, with its material file and maps."""
    with resting(head):
        call(
            bpy.ops.wm.obj_export,
            filepath=str(path),
            export_selected_objects=True,
            global_scale=100.0 if program.centimetres else 1.0,
            export_animation=False,
            apply_modifiers=True,
            export_materials=True,
            export_pbr_extensions=True,
            path_mode="COPY",
        )


EXPORTERS: Mapping[str, Callable[[HeadObjects, Path, Program], None]] = {
    ".blend": save_blend,
    ".fbx": export_fbx,
    ".abc": export_alembic,
    ".usdc": export_usd,
    ".usd": export_usd,
    ".usda": export_usd,
    ".glb": export_gltf,
    ".obj": export_obj,
}


def call(operator: Callable[..., Any], **options: Any) -> None:
    """Runs an exporter with those of the options that this Blender's version of it knows."""
    try:
        known = operator.get_rna_type().properties.keys()
    except KeyError as error:  # some distributions build Blender without Alembic or USD, or the add-on is off
        raise SparkError(f"this Blender has no {operator.idname_py()}; use one of blender.org or pip's bpy") from error
    operator(**{name: value for name, value in options.items() if name in known})


def take_name(head: HeadObjects) -> str:
    """What the performance on the head is called: its action or, in the NLA, its uppermost strip; empty without one."""
    animation = head.armature.animation_data
    if animation is None:
        return ""
    strips = (strip for track in reversed(animation.nla_tracks) for strip in track.strips)
    playing = animation.action or next(strips, None)
    return playing.name if playing else ""


@contextlib.contextmanager
def selected(head: HeadObjects) -> Iterator[None]:
    """Selects the head and nothing else, and gives the user's selection back."""
    layer = bpy.context.view_layer
    before, active = list(bpy.context.selected_objects), layer.objects.active
    for chosen in before:
        chosen.select_set(False)
    head.armature.select_set(True)
    head.mesh.select_set(True)
    layer.objects.active = head.armature
    try:
        yield
    finally:
        head.armature.select_set(False)
        head.mesh.select_set(False)
        for chosen in before:
            chosen.select_set(True)
        layer.objects.active = active


@contextlib.contextmanager
def gltf_seconds(render: bpy.types.RenderSettings) -> Iterator[None]:
    """Makes Blender's glTF exporter write true seconds at rates such as 29.97.

    Up to 5.2 it takes the rate for `fps * fps_base`, which is `fps / fps_base`: half an hour drifts by 3.6 s.
    """
    before = render.fps_base
    render.fps_base = 1 / before
    try:
        yield
    finally:
        render.fps_base = before


@contextlib.contextmanager
def renamed(target: bpy.types.ID, name: str, others: bpy.types.bpy_prop_collection) -> Iterator[None]:
    """Gives a data-block another name for a while, when none of the others has it."""
    before = target.name
    if name not in others:
        target.name = name
    try:
        yield
    finally:
        target.name = before


@contextlib.contextmanager
def resting(head: HeadObjects) -> Iterator[None]:
    """Shows the head without pose and expression for a while."""
    keys = head.mesh.data.shape_keys
    before = (head.armature.data.pose_position, head.mesh.show_only_shape_key, head.mesh.active_shape_key_index)
    head.armature.data.pose_position = "REST"
    head.mesh.show_only_shape_key, head.mesh.active_shape_key_index = True, 0
    keys.update_tag()
    try:
        yield
    finally:
        head.armature.data.pose_position = before[0]
        head.mesh.show_only_shape_key, head.mesh.active_shape_key_index = before[1], before[2]
        keys.update_tag()
