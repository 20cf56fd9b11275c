"""Runs inside Blender: a head on which an artist has worked takes the shape of another avatar. Tells what is left."""

import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import bpy
import numpy as np
from probing import answer, world_vertices


def probe(request):
    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_backend.protocol.timeline import Rate
    from spark_blender.scene.renewal import renew_head
    from spark_blender.scene.scene import bake_take, import_avatar

    bpy.ops.wm.read_factory_settings(use_empty=True)
    place = Path(request["avatar"])
    head = import_avatar(load_avatar(place), "Anna")
    bake_take(head, load_avatar(place), load_take(Path(request["take"])), "one", rate=Rate(30))
    before = work_on(head)
    for path in Path(request["newer"]).iterdir():
        shutil.copy(path, place / path.name)
    avatar = load_avatar(place)
    active = bpy.context.view_layer.objects.active.name
    warnings = renew_head(head, avatar)
    result = {
        "before": before,
        "after": kept(head),
        "warnings": warnings,
        "active": [active, bpy.context.view_layer.objects.active.name],
        "objects": sorted(item.name for item in bpy.data.objects),
        "albedo": list(albedo().pixels[:3]),
        "packed": albedo().packed_file is not None,
        "own_key": offsets(head, "Own", "Basis"),
        "own_on_smile": offsets(head, "Own Smile", "mouthSmileLeft"),
        "key_added": "tongueOut" in head.mesh.data.shape_keys.key_blocks,
        "bone_added": "jaw" in head.armature.data.bones,
        "own_bone": list(head.armature.data.bones["Earring"].head_local),
        "parent": head.armature.data.bones["Earring"].parent.name,
    }
    return result | shapes(head, avatar, import_avatar) | refusals(head, avatar, renew_head)


def work_on(head):
    """What an artist may do with a head. Gives what is to be found again."""
    mesh, armature = head.mesh, head.armature
    skin = mesh.data.materials[0]
    shader = next(node for node in skin.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.77
    mesh.data.materials.append(bpy.data.materials.new("Freckles"))
    mesh.data.polygons[3].material_index = len(mesh.data.materials) - 1
    mesh.modifiers.new("Smooth", "SUBSURF").levels = 1
    mesh.vertex_groups.new(name="Mask").add([1, 2, 3], 0.5, "REPLACE")
    mesh.vertex_groups["jaw"].add([0], 0.123, "REPLACE")
    mesh.data.uv_layers.new(name="Second")
    mesh.data.shape_keys.key_blocks["jawOpen"].slider_max = 1.5
    add_key(mesh, "Own", "Basis")
    add_key(mesh, "Own Smile", "mouthSmileLeft")
    mesh.shape_key_remove(mesh.data.shape_keys.key_blocks["tongueOut"])
    armature.pose.bones["head"].constraints.new("LIMIT_ROTATION").name = "Stiff"
    armature.location, armature.hide_viewport = (0.5, 0.0, 0.0), True
    edit_bones(armature)
    albedo().pack()
    other = bpy.data.objects.new("Other", None)
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    return kept(head)


def add_key(mesh, name, ground):
    """A sculpted shape key, on top of another."""
    key = mesh.shape_key_add(name=name, from_mix=False)
    key.value = 0.0  # a new one is on from Blender 5.0 on
    key.relative_key = mesh.data.shape_keys.key_blocks[ground]
    for index, point in enumerate(key.points):
        point.co = key.relative_key.points[index].co
    key.points[5].co.z += 0.03


def edit_bones(armature):
    """An earring, and no jaw."""
    from spark_blender.scene.armature import editing

    with editing(armature.data) as bones:
        earring = bones.new("Earring")
        earring.head, earring.tail, earring.parent = bones["head"].head, bones["head"].tail, bones["head"]
        bones.remove(bones["jaw"])


def kept(head):
    """Everything that must not change."""
    mesh, keys = head.mesh, head.mesh.data.shape_keys
    skin = mesh.data.materials[0]
    shader = next(node for node in skin.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    groups = {group.name: round(group_sum(mesh, group.index), 4) for group in mesh.vertex_groups}
    return {
        "materials": [material.name for material in mesh.data.materials],
        "roughness": round(shader.inputs["Roughness"].default_value, 4),
        "freckles": mesh.data.polygons[3].material_index,
        "modifiers": [modifier.name for modifier in mesh.modifiers],
        "groups": groups,
        "uv": sorted(layer.name for layer in mesh.data.uv_layers),
        "slider": keys.key_blocks["jawOpen"].slider_max,
        "constraint": [item.name for item in head.armature.pose.bones["head"].constraints],
        "x": head.armature.location.x,
        "hidden": head.armature.hide_viewport,
        "plays": [owner.animation_data.action.name for owner in (head.armature, keys)],
        "names": [mesh.name, mesh.data.name, head.armature.name, keys.name],
    }


def group_sum(mesh, index):
    return sum(item.weight for vertex in mesh.data.vertices for item in vertex.groups if item.group == index)


def albedo():
    return bpy.data.images["Anna_albedo.png"]


def offsets(head, name, ground):
    """Largest distance of a key to another, and where."""
    blocks = head.mesh.data.shape_keys.key_blocks
    pairs = zip(blocks[name].points, blocks[ground].points, strict=True)
    difference = np.array([np.array(a.co) - b.co for a, b in pairs])
    lengths = np.linalg.norm(difference, axis=1)
    return [int(lengths.argmax()), float(lengths.max()), float(np.sort(lengths)[-2])]


def shapes(head, avatar, import_avatar):
    """The renewed head without what the artist has added and one imported anew, in the same pose of the take."""
    head.mesh.modifiers.remove(head.mesh.modifiers["Smooth"])
    stiff = head.armature.pose.bones["head"].constraints
    stiff.remove(stiff["Stiff"])
    head.armature.location, head.armature.hide_viewport = (0.0, 0.0, 0.0), False
    head.mesh.vertex_groups["jaw"].add([0], float(avatar.skinning[0, 3]), "REPLACE")
    fresh = import_avatar(avatar, "Berta")
    for old, new in ((head.armature, fresh.armature), (head.mesh.data.shape_keys, fresh.mesh.data.shape_keys)):
        animation = new.animation_data_create()
        animation.action = old.animation_data.action
        if hasattr(animation, "action_slot"):
            animation.action_slot = old.animation_data.action_slot
    bpy.context.scene.frame_set(9)
    uv = [np.array([corner.vector for corner in item.data.uv_layers["UVMap"].uv]) for item in (head.mesh, fresh.mesh)]
    return {
        "renewed": world_vertices(head.mesh),
        "fresh": world_vertices(fresh.mesh),
        "uv": [float(np.abs(uv[0] - uv[1]).max()), float(uv[1].max())],
    }


def refusals(head, avatar, renew_head):
    """Paint that is not saved; then polygons that are not the avatar's: nothing may be changed."""
    albedo().pixels[0] = 0.25
    warnings = renew_head(head, avatar)
    painted = albedo().pixels[0]
    mesh = head.mesh.data
    flipped = mesh.polygons[0]
    flipped.flip()
    try:
        renew_head(head, avatar)
    except Exception as error:  # noqa: BLE001 - the test shows it
        return {"paint": [warnings, painted], "refused": str(error)}
    return {"paint": [warnings, painted], "refused": ""}


answer(probe)
