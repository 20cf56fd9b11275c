"""Runs inside Blender: exports FBX and glTF of a head that its bones, its object, its parent and an NLA strip move.

Tells what of the scene differs during and after the exports.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import bpy
import numpy as np
from probing import answer, world_vertices

FRAMES = (1, 9, 24)


def flat(things, attribute: str, width: int) -> bytes:
    values = np.empty(len(things) * width, np.float32)
    things.foreach_get(attribute, values)
    return values.tobytes()


def flags(*vectors) -> bytes:
    return b"".join(np.array(vector, float).tobytes() for vector in vectors)


def state() -> dict[str, bytes]:
    """Every number in the file that an export might change."""
    scene = bpy.context.scene
    units = scene.unit_settings
    found = {"scene": flags([units.scale_length, scene.frame_current, scene.render.fps_base])}
    found["words"] = f"{scene.name} {units.system}".encode()
    for mesh in bpy.data.meshes:
        found[f"mesh {mesh.name}"] = flat(mesh.vertices, "co", 3)
        for block in mesh.shape_keys.key_blocks if mesh.shape_keys else ():
            found[f"{mesh.name} {block.name}"] = flat(block.data, "co", 3)
    for armature in bpy.data.armatures:
        found[f"armature {armature.name}"] = flags(*(bone.matrix_local for bone in armature.bones))
    for thing in bpy.data.objects:
        found[f"object {thing.name}"] = flags(thing.matrix_world, thing.matrix_basis, thing.matrix_parent_inverse)
        found[f"data {thing.name}"] = thing.data.name.encode() if thing.data else b""
        bones = thing.pose.bones if thing.pose else ()
        found[f"pose {thing.name}"] = flags(*(bone.matrix_basis for bone in bones))
    for action in bpy.data.actions:
        for number, curve in enumerate(curves_of(action)):
            for place in ("co", "handle_left", "handle_right"):
                found[f"{action.name} {number} {place}"] = flat(curve.keyframe_points, place, 2)
    return found


def curves_of(action) -> list:
    if bpy.app.version < (4, 4):
        return list(action.fcurves)
    strips = (strip for layer in action.layers for strip in layer.strips)
    return [curve for strip in strips for bag in strip.channelbags for curve in bag.fcurves]


def moving_head(request: dict):
    """The toy with a take, moved on by everything that can move it; nothing is symmetric or round."""
    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.take import load_take
    from spark_blender.scene.exports import export_head
    from spark_blender.scene.scene import build_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
    head = build_scene(avatar, take, name="toy", take_name="one").head
    export_head(head, Path(request["folder"]) / "still.glb")
    scene, armature = bpy.context.scene, head.armature
    animation = armature.animation_data
    action, slot = animation.action, getattr(animation, "action_slot", None)
    animation.action = None
    strip = animation.nla_tracks.new().strips.new("one", 1, action)
    if slot is not None:
        strip.action_slot = slot
    parent = bpy.data.objects.new("stage", None)
    scene.collection.objects.link(parent)
    parent.location, parent.rotation_euler = (0.3, -0.2, 0.1), (0.1, 0.2, 0.3)
    armature.parent = parent
    armature.matrix_parent_inverse.translation = (0.05, 0.06, -0.07)
    for frame, place in ((1, (0.0, 0.1, 0.2)), (24, (0.4, 0.3, 0.2))):
        armature.location = place
        armature.keyframe_insert("location", frame=frame)
    scene.frame_set(5)
    return head


def probe(request: dict) -> dict:
    import spark_blender.scene.exports as exports

    head = moving_head(request)
    before, during = state(), {}
    call = exports.call

    def looking(operator, **options):
        during.update(state())
        call(operator, **options)

    exports.call = looking
    exports.export_head(head, Path(request["folder"]) / "moved.fbx")
    exports.call = call
    exports.export_head(head, Path(request["folder"]) / "moved.glb")
    after, shown = state(), {}
    for frame in FRAMES:
        bpy.context.scene.frame_set(frame)
        shown[frame] = world_vertices(head.mesh)
    return {
        "changed during": [name for name in before if during.get(name) != before[name]],
        "changed after": sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)),
        "shown": shown,
    }


answer(probe)
