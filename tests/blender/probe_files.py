"""Runs inside Blender: opens exported files again and tells what is in them."""

import json
import os
import sys
import traceback
from pathlib import Path

import bpy
import numpy as np


def the_mesh() -> "bpy.types.Object":
    return next(o for o in bpy.context.scene.objects if o.type == "MESH" and len(o.data.vertices) > 20)


def positions(frames: list) -> list:
    """World positions of the mesh's vertices at each frame."""
    result = []
    for frame in frames:
        bpy.context.scene.frame_set(int(frame))
        evaluated = the_mesh().evaluated_get(bpy.context.evaluated_depsgraph_get())
        mesh = evaluated.to_mesh()
        points = np.empty(len(mesh.vertices) * 3, np.float32)
        mesh.vertices.foreach_get("co", points)
        matrix = np.array(evaluated.matrix_world, float)
        result.append(points.reshape(-1, 3).astype(float) @ matrix[:3, :3].T + matrix[:3, 3])
        evaluated.to_mesh_clear()
    return result


def empty(rate: float) -> None:
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps = round(rate)


def timing() -> list:
    """First and last frame and rate that the file gave the scene."""
    scene = bpy.context.scene
    return [scene.frame_start, scene.frame_end, scene.render.fps / scene.render.fps_base]


def read_blend(request: dict, arrays: dict) -> dict:
    bpy.ops.wm.open_mainfile(filepath=request["blend"])
    arrays["blend"] = positions(request["frames"])
    scene = bpy.context.scene
    return {
        "images": {i.name: [i.packed_file is not None, i.filepath] for i in bpy.data.images if i.source == "FILE"},
        "clips": [[clip.filepath, clip.frame_duration] for clip in bpy.data.movieclips],
        "sounds": [sound.filepath for sound in bpy.data.sounds],
        "camera": scene.camera is not None,
        "range": [scene.frame_start, scene.frame_end],
    }


def read_alembic(request: dict, arrays: dict) -> dict:
    empty(request["rate"])
    bpy.ops.wm.alembic_import(filepath=request["abc"], as_background_job=False, set_frame_range=True)
    arrays["abc"] = positions(request["frames"])
    mesh = the_mesh().data
    return {
        "timing": timing(),
        "uv": len(mesh.uv_layers),
        "materials": len(mesh.materials),
        "sizes": sorted({p.loop_total for p in mesh.polygons}),
    }


def read_fbx(request: dict, arrays: dict) -> dict:
    if "fbx_import" not in dir(bpy.ops.wm):
        return {}
    empty(request["rate"])
    bpy.ops.wm.fbx_import(filepath=request["fbx"], anim_offset=0.0)
    arrays["fbx"] = positions(request["frames"])
    mesh = the_mesh()
    keys = mesh.data.shape_keys
    names = [key.name for key in keys.key_blocks][1:]
    weights = []
    for frame in request["frames"]:
        bpy.context.scene.frame_set(int(frame))
        values = keys.evaluated_get(bpy.context.evaluated_depsgraph_get()).key_blocks
        weights.append([values[name].value for name in names])
    arrays["fbx_weights"] = weights
    armature = mesh.find_armature()
    return {"names": names, "armature": armature.name, "bones": [bone.name for bone in armature.data.bones]}


def read_obj(request: dict, arrays: dict) -> dict:
    empty(request["rate"])
    bpy.ops.wm.obj_import(filepath=request["obj"])
    arrays["obj"] = positions([1])
    return {
        "images": sorted(Path(i.filepath).name for i in bpy.data.images if Path(bpy.path.abspath(i.filepath)).exists())
    }


def read_usd(request: dict, arrays: dict) -> dict:
    empty(request["rate"])
    bpy.ops.wm.usd_import(filepath=request["usdc"])
    arrays["usd"] = positions(request["frames"])
    return {"timing": timing(), "images": sorted(i.name for i in bpy.data.images if i.source == "FILE")}


def read_gltf(request: dict, arrays: dict) -> dict:
    empty(request["rate"])
    bpy.ops.import_scene.gltf(filepath=request["glb"])
    arrays["glb_rest"] = rest_positions()
    arrays["glb"] = positions([frame - 1 for frame in request["frames"]])  # its first frame is at 0 s
    return {"bones": sorted(bone.name for bone in the_mesh().find_armature().data.bones)}


def rest_positions() -> "np.ndarray":
    """(V, 3) of the mesh in its own axes, which the importer turns to +Z up."""
    mesh = the_mesh().data
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    return points.reshape(-1, 3)


def main() -> None:
    request = json.loads(Path(sys.argv[-1]).read_text())
    arrays, answer = {}, {}
    try:
        for read in (read_blend, read_alembic, read_fbx, read_obj, read_usd, read_gltf):
            answer[read.__name__] = read(request, arrays)
        np.savez(request["arrays"], **arrays)
    except Exception:  # noqa: BLE001 - the test shows it
        answer = {"error": traceback.format_exc()}
    Path(request["answer"]).write_text(json.dumps(answer))
    os._exit(0)


if __name__ == "__main__":
    main()
