"""Runs inside Blender: builds the scene in several ways and tells what Blender makes of it."""

import importlib.util
import json
import os
import sys
import traceback
from dataclasses import replace
from pathlib import Path


def packages() -> dict:
    """Our packages made importable by the runner's own function; returns the request."""
    request = json.loads(Path(sys.argv[-1]).read_text())
    specification = importlib.util.spec_from_file_location("runner", request["runner"])
    runner = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(runner)
    runner.load_packages()
    return request


def empty() -> None:
    import bpy

    bpy.ops.wm.read_factory_settings(use_empty=True)


def world_vertices(mesh_object) -> "np.ndarray":
    """(V, 3) evaluated, in world axes."""
    import bpy
    import numpy as np

    evaluated = mesh_object.evaluated_get(bpy.context.evaluated_depsgraph_get())
    mesh = evaluated.to_mesh()
    points = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", points)
    matrix = np.array(evaluated.matrix_world, float)
    evaluated.to_mesh_clear()
    return points.reshape(-1, 3).astype(float) @ matrix[:3, :3].T + matrix[:3, 3]


def set_frame(frame: float) -> None:
    import bpy

    bpy.context.scene.frame_set(int(frame // 1), subframe=frame % 1)


def all_curves(owner) -> list:
    """The curves that animate a data-block, in any version."""
    action = owner.animation_data.action
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    slot = owner.animation_data.action_slot
    return list(action.layers[0].strips[0].channelbag(slot).fcurves)


def keys_of(owner, path: str, index: int = 0) -> list:
    curve = next(c for c in all_curves(owner) if c.data_path == path and c.array_index == index)
    return [tuple(point.co) for point in curve.keyframe_points]


def probe_whole_scene(request: dict, avatar, take) -> dict:
    import bpy
    import numpy as np

    from spark_blender.scene.scene import build_scene

    empty()
    built = build_scene(avatar, take, name="toy", take_name="one", video=Path(request["video"]), start=request["start"])
    scene, head = bpy.context.scene, built.head
    frames = [keys_of(head.armature, 'pose.bones["root"].location')[i][0] for i in range(len(take.pts))]
    posed, pixels = [], []
    for frame in frames:
        set_frame(frame)
        points = world_vertices(head.mesh)
        posed.append(points)
        pixels.append(project(points, built.camera))
    np.savez(request["folder"] + "/scene.npz", posed=posed, pixels=pixels, frames=frames)
    mesh = head.mesh.data
    keys = mesh.shape_keys
    clip = bpy.data.movieclips[0]
    editor = scene.sequence_editor
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    curves = all_curves(keys) + all_curves(head.armature)
    return {
        "fps": [scene.render.fps, scene.render.fps_base],
        "range": [scene.frame_start, scene.frame_end],
        "resolution": [scene.render.resolution_x, scene.render.resolution_y],
        "warnings": built.warnings,
        "keys": [key.name for key in keys.key_blocks],
        "bones": {bone.name: bone.parent.name if bone.parent else None for bone in head.armature.data.bones},
        "polygon_sizes": [polygon.loop_total for polygon in mesh.polygons],
        "smooth": all(polygon.use_smooth for polygon in mesh.polygons),
        "materials": [material.name for material in mesh.materials],
        "solid": [round(material.diffuse_color[3], 3) for material in mesh.materials],
        "polygon_material": [polygon.material_index for polygon in mesh.polygons],
        "uv": [tuple(value.vector) for value in mesh.uv_layers[0].uv],
        "corner_vertices": [loop.vertex_index for loop in mesh.loops],
        "textures": sorted(n.image.name for n in mesh.materials[0].node_tree.nodes if n.type == "TEX_IMAGE"),
        "clip": {"size": list(clip.size), "fps": clip.fps, "start": clip.frame_start, "frames": clip.frame_duration},
        "background": [b.source for b in built.camera.data.background_images],
        "sound": [[strip.type, strip.frame_final_start, strip.frame_final_end] for strip in strips],
        "interpolation": sorted({p.interpolation for c in curves for p in c.keyframe_points}),
        "groups": sorted({c.group.name for c in curves}),
        "actions": sorted(action.name for action in bpy.data.actions),
        "slots": sorted(slot.identifier for slot in getattr(bpy.data.actions["one"], "slots", ())),
        "root": [[v for _, v in keys_of(head.armature, 'pose.bones["root"].rotation_quaternion', i)] for i in range(4)],
        "weights": {n: keys_of(keys, f'key_blocks["{n}"].value') for n in ("jawOpen", "eyeBlinkLeft")},
    }  # fmt: skip


def project(points, camera):
    """(V, 3) world points to (V, 2) pixels of the render, from the top left, by Blender's own matrices."""
    import bpy
    import numpy as np

    render = bpy.context.scene.render
    projection = camera.calc_matrix_camera(
        bpy.context.evaluated_depsgraph_get(),
        x=render.resolution_x,
        y=render.resolution_y,
        scale_x=render.pixel_aspect_x,
        scale_y=render.pixel_aspect_y,
    )
    matrix = np.array(projection, float) @ np.linalg.inv(np.array(camera.matrix_world, float))
    clip = np.concatenate([points, np.ones((len(points), 1))], 1) @ matrix.T
    unit = clip[:, :2] / clip[:, 3:]
    return np.stack([(unit[:, 0] + 1) / 2 * render.resolution_x, (1 - unit[:, 1]) / 2 * render.resolution_y], 1)


def probe_render(request: dict, avatar, take) -> dict:
    """A Workbench picture of one frame through the take's camera."""
    import bpy

    from spark_blender.scene.scene import build_scene

    empty()
    built = build_scene(avatar, take, name="toy", take_name="one")
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.display.render_aa = "OFF"
    scene.render.filepath = request["folder"] + "/render.png"
    scene.render.image_settings.color_mode = "RGBA"
    scene.frame_set(3)
    bpy.ops.render.render(write_still=True)
    return {"camera": built.camera.name}


def probe_peaks(request: dict, avatar, take) -> dict:
    """Weights above 1 and below 0 reach the key."""
    from spark_backend.protocol.timeline import Rate
    from spark_blender.scene.scene import bake_take, import_avatar

    empty()
    head = import_avatar(avatar, "toy")
    weights = take.weights.copy()
    weights[3, take.names.index("jawOpen")] = 1.75
    weights[4, take.names.index("jawOpen")] = -0.25
    bake_take(head, avatar, replace(take, weights=weights), "peak", rate=Rate(30), start=1)
    key = head.mesh.data.shape_keys.key_blocks["jawOpen"]
    values = []
    for frame in (4, 5):
        set_frame(frame)
        values.append(key.value)
    return {"values": values, "untouched": head.mesh.data.shape_keys.key_blocks["tongueOut"].slider_max}


def probe_bakes(request: dict, avatar, take) -> dict:
    """Two heads, one take name; the same take twice; an outside action of that name."""
    import bpy

    from spark_backend.protocol.timeline import Rate
    from spark_blender.scene.scene import bake_take, import_avatar

    empty()
    bpy.data.actions.new("mine")
    first, second = import_avatar(avatar, "first"), import_avatar(avatar, "second")
    for _ in range(2):
        bake_take(first, avatar, take, "talk", rate=Rate(30), start=1)
    half = replace(
        take,
        **{n: getattr(take, n)[:9] for n in take.__dataclass_fields__ if n not in ("names", "K", "size", "source")},
    )
    bake_take(second, avatar, half, "talk", rate=Rate(25), start=100)
    bake_take(first, avatar, take, "mine", rate=Rate(30), start=1)
    counts = {}
    for head in (first, second):
        name = head.armature.name
        counts[name] = [
            len(keys_of(head.armature, 'pose.bones["jaw"].rotation_quaternion', 0)),
            len(keys_of(head.mesh.data.shape_keys, 'key_blocks["jawOpen"].value')),
        ]
    return {"counts": counts, "actions": sorted(a.name for a in bpy.data.actions),
            "last": keys_of(second.mesh.data.shape_keys, 'key_blocks["jawOpen"].value')[-1][0]}  # fmt: skip


def probe_zoom(request: dict, avatar, take) -> dict:
    """Intrinsics that change over time."""
    import numpy as np

    from spark_blender.scene.scene import build_scene

    empty()
    K = np.tile(take.K, (len(take.pts), 1, 1))
    K[:, [0, 1], [0, 1]] *= np.linspace(1, 1.5, len(K))[:, None]
    K[:, 0, 2] += np.linspace(0, 30, len(K))
    built = build_scene(avatar, replace(take, K=K), name="toy", take_name="zoom")
    pixels = []
    for frame in (1, len(K)):
        set_frame(frame)
        pixels.append(project(world_vertices(built.head.mesh), built.camera).tolist())
    return {"pixels": pixels}


def probe_bad_clip(request: dict, avatar, take) -> dict:
    """A clip that is none, and one without sound."""
    import bpy

    from spark_blender.scene.scene import build_scene

    empty()
    bad = build_scene(avatar, take, name="toy", take_name="one", video=Path(request["bad_video"]))
    empty()
    silent = build_scene(avatar, take, name="toy", take_name="one", video=Path(request["silent_video"]))
    editor = bpy.context.scene.sequence_editor
    strips = [] if editor is None else editor.strips if hasattr(editor, "strips") else editor.sequences
    return {"bad": bad.warnings, "silent": silent.warnings, "strips": len(strips)}


def probe_retimed(request: dict, avatar, take) -> dict:
    """A clip whose own rate is not that of its frames: which picture is shown at some frames, counted from 0."""
    import bpy

    from spark_blender.scene.scene import build_scene

    empty()
    video = Path(request["slow_video"])
    built = build_scene(avatar, take, name="toy", take_name="one", video=video, start=request["start"])
    pictures = []
    for frame in (request["start"], request["start"] + 7, request["start"] + 23):
        set_frame(frame)
        camera = built.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data
        background = camera.background_images[0]
        pictures.append(frame - background.image_user.frame_start + background.image_user.frame_offset)
    return {"source": background.source, "pictures": pictures, "duration": background.image_user.frame_duration}


def main() -> None:
    request = packages()
    try:
        import bpy

        from spark_backend.protocol.avatar import load_avatar
        from spark_backend.protocol.take import load_take

        avatar, take = load_avatar(Path(request["avatar"])), load_take(Path(request["take"]))
        probes = [value for name, value in globals().items() if name.startswith("probe_")]
        answer = {probe.__name__: probe(request, avatar, take) for probe in probes}
        answer["version"] = list(bpy.app.version)
    except Exception:  # noqa: BLE001 - the test shows it
        answer = {"error": traceback.format_exc()}
    Path(request["answer"]).write_text(json.dumps(answer))
    os._exit(0)


main()
