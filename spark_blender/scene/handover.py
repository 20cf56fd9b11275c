"""A head handed over to another Blender: a file with it alone, and what else of its scene an export depends on."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from spark_backend.protocol.errors import SparkError

from .captured import CAPTURED
from .scene import HeadObjects

SCENE = ("name", "frame_start", "frame_end", "frame_step", "frame_current")
RENDER = ("fps", "fps_base", "frame_map_old", "frame_map_new")
UNITS = ("system", "scale_length")
"""What of a scene, of its rendering and of its units makes a difference to an exported file."""


def hand_over(head: HeadObjects, path: Path) -> dict[str, Any]:
    """Writes a head with all that it depends on (parents, materials, actions) to a `.blend` at `path`. Gives what
    `take_over` needs beside that file.

    Blender waits meanwhile: 0.02 s for a take of 1,000 frames, 0.1 s for one of 10,000.
    """
    refuse_painted(head)
    scene = bpy.context.scene
    objects = [head.armature, head.mesh, *ancestors(head.armature)]
    with captured_left_out():
        bpy.data.libraries.write(str(path), set(objects), path_remap="ABSOLUTE", fake_user=False)
    return {
        "file": str(path),
        "objects": [item.name for item in objects],
        "scene": {name: getattr(scene, name) for name in SCENE},
        "render": {name: getattr(scene.render, name) for name in RENDER},
        "units": {name: getattr(scene.unit_settings, name) for name in UNITS},
    }


def take_over(told: Mapping[str, Any]) -> HeadObjects:
    """The head that `hand_over` has told of, in this Blender, which forgets what it had open. The file is removed."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    path, scene = Path(told["file"]), bpy.context.scene
    try:
        with bpy.data.libraries.load(str(path)) as (_, wanted):
            wanted.objects = list(told["objects"])
    except OSError as error:
        raise SparkError(f"{path}: Blender cannot read the head that it has written; export again") from error
    path.unlink(missing_ok=True)
    for item in wanted.objects:
        scene.collection.objects.link(item)
    for owner, part in ((scene, "scene"), (scene.render, "render"), (scene.unit_settings, "units")):
        for name, value in told[part].items():
            setattr(owner, name, value)
    scene.frame_set(scene.frame_current)
    head = HeadObjects(*wanted.objects[:2])
    for item in (head.armature, head.mesh):
        item.hide_viewport = item.hide_select = False  # what cannot be selected is not written
    return head


def ancestors(item: bpy.types.Object) -> list[bpy.types.Object]:
    """The object's parent, its parent, and so on."""
    return [] if item.parent is None else [item.parent, *ancestors(item.parent)]


def refuse_painted(head: HeadObjects) -> None:
    """The other Blender sees maps as they are on disk."""
    materials = [slot.material for slot in head.mesh.material_slots if slot.material and slot.material.node_tree]
    for node in (node for material in materials for node in material.node_tree.nodes if node.type == "TEX_IMAGE"):
        if node.image and node.image.is_dirty:
            raise SparkError(f"{node.image.name}: was painted on and not saved; save the image and try again")


@contextlib.contextmanager
def captured_left_out() -> Iterator[None]:
    """Nothing depends on captured curves for a while: they are as large as those that play."""
    kept = [(action, action.pop(CAPTURED)) for action in bpy.data.actions if action.get(CAPTURED) is not None]
    try:
        yield
    finally:
        for action, captured in kept:
            action[CAPTURED] = captured
