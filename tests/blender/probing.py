"""What probes share inside Blender; a probe puts this folder on `sys.path`, which Python's switch -I leaves out."""

import importlib.util
import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


def answer(probe: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Makes our packages importable by the runner's own function, has `probe` answer the request, ends the process."""
    request = json.loads(Path(sys.argv[-1]).read_text(encoding="utf-8"))
    specification = importlib.util.spec_from_file_location("runner", request["runner"])
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    runner.load_packages()
    try:
        result = probe(request)
    except Exception:  # noqa: BLE001 - the test shows it
        result = {"error": traceback.format_exc()}
    Path(request["answer"]).write_text(json.dumps(result, default=str), encoding="utf-8")
    os._exit(0)


def world_vertices(mesh: Any) -> list[list[float]]:
    """(V, 3) of a mesh object, evaluated, in world axes."""
    import bpy
    import numpy as np

    evaluated = mesh.evaluated_get(bpy.context.evaluated_depsgraph_get())
    data = evaluated.to_mesh()
    points = np.empty(len(data.vertices) * 3, np.float32)
    data.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world, float)
    evaluated.to_mesh_clear()
    return (points.reshape(-1, 3).astype(float) @ matrix[:3, :3].T + matrix[:3, 3]).tolist()
