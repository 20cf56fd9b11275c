"""Runs inside Blender: opens files of the head at rest and tells what is in them."""

import json
import os
import sys
import traceback
from pathlib import Path

import bpy
import numpy as np

IMPORTERS = {
    "fbx": lambda path: bpy.ops.wm.fbx_import(filepath=path),
    "glb": lambda path: bpy.ops.import_scene.gltf(filepath=path),
    "usdc": lambda path: bpy.ops.wm.usd_import(filepath=path),
    "obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    "ply": lambda path: bpy.ops.wm.ply_import(filepath=path),
    "blend": lambda path: bpy.ops.wm.open_mainfile(filepath=path),
}


def read(kind: str, path: str, arrays: dict) -> dict:
    """World positions and texture coordinates of all corners, sizes of polygons, keys, and where the maps lead."""
    if kind == "fbx" and "fbx_import" not in dir(bpy.ops.wm):
        return {}
    bpy.ops.wm.read_factory_settings(use_empty=True)
    IMPORTERS[kind](path)
    head = next(o for o in bpy.context.scene.objects if o.type == "MESH" and len(o.data.vertices) > 20)
    mesh = head.data
    points = np.array([vertex.co for vertex in mesh.vertices], float)
    matrix = np.array(head.matrix_world, float)
    points = points @ matrix[:3, :3].T + matrix[:3, 3]
    corners = np.array([loop.vertex_index for loop in mesh.loops])
    arrays[f"{kind}_corners"] = points[corners]
    arrays[f"{kind}_uv"] = np.array([place.vector for place in mesh.uv_layers[0].uv], float)
    return {
        "sizes": sorted({polygon.loop_total for polygon in mesh.polygons}),
        "polygons": len(mesh.polygons),
        "keys": [key.name for key in mesh.shape_keys.key_blocks] if mesh.shape_keys else [],
        "links": sorted({link for slot in head.material_slots for link in links(slot.material)}),
    }


def links(material: bpy.types.Material) -> list[str]:
    """`file > input` for the maps of a material."""
    nodes = material.node_tree.nodes if material and material.node_tree else ()
    return [
        f"{Path(node.image.filepath or node.image.name).stem} > {link.to_socket.name}"
        for node in nodes
        if node.type == "TEX_IMAGE" and node.image
        for link in node.outputs["Color"].links
    ]


def main() -> None:
    request = json.loads(Path(sys.argv[-1]).read_text())
    arrays, answer = {}, {}
    try:
        for kind, path in request["files"].items():
            answer[kind] = read(kind, path, arrays)
        np.savez(request["arrays"], **arrays)
    except Exception:  # noqa: BLE001 - the test shows it
        answer = {"error": traceback.format_exc()}
    Path(request["answer"]).write_text(json.dumps(answer))
    os._exit(0)


main()
