"""Runs inside Blender: writes the toy head for each program and tells how large Blender finds the files again."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

import bpy
import numpy as np
from probing import answer, world_vertices


def write(request: dict) -> dict:
    """Writes every file; gives the sentences of those that were refused."""
    from spark_backend.protocol.avatar import load_avatar
    from spark_backend.protocol.errors import SparkError
    from spark_backend.protocol.take import load_take
    from spark_blender.scene.exports import export_head
    from spark_blender.scene.programs import PROGRAMS
    from spark_blender.scene.scene import build_scene

    bpy.ops.wm.read_factory_settings(use_empty=True)
    avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
    head, refused = build_scene(avatar, take, name="toy").head, {}
    bpy.context.scene.frame_end = 3
    for name, program in PROGRAMS.items():
        for ending in ("abc", "usdc", "obj", "fbx"):
            try:
                export_head(head, Path(request["folder"]) / f"{name}.{ending}", program)
            except SparkError as error:
                refused[f"{name}.{ending}"] = str(error)
    return refused


def sizes(request: dict) -> dict:
    """Extent of the head in the units of the Alembic and OBJ files."""
    readers = {
        "abc": lambda path: bpy.ops.wm.alembic_import(filepath=path, as_background_job=False),
        "obj": lambda path: bpy.ops.wm.obj_import(filepath=path),
    }
    found = {}
    for path in sorted(Path(request["folder"]).iterdir()):
        if path.suffix[1:] in readers:
            bpy.ops.wm.read_factory_settings(use_empty=True)
            readers[path.suffix[1:]](str(path))
            mesh = next(o for o in bpy.context.scene.objects if o.type == "MESH" and len(o.data.vertices) > 20)
            found[path.name] = np.ptp(np.array(world_vertices(mesh)), axis=0).tolist()
    return found


answer(lambda request: {"version": list(bpy.app.version), "refused": write(request), "sizes": sizes(request)})
