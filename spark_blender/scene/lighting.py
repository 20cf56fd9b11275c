"""A neutral portrait light: key, fill and rim around the head, and a dim grey world."""

import bpy
import numpy as np
from mathutils import Vector

# name, direction from the eyes (+X subject's left, -Y before the face, +Z up), watts at one metre, edge in metres
# the key stands low enough to glint in the eyes, under the upper lids
LIGHTS = (
    ("Key", (0.45, -1.0, 0.25), 11.0, 0.35),
    ("Fill", (-1.0, -0.6, 0.2), 5.0, 1.0),
    ("Rim", (-0.6, 1.0, 0.5), 3.5, 0.6),
)


def add_lights(collection: bpy.types.Collection, target: np.ndarray) -> None:
    """Three area lights a metre from `target` (3,), turned to it."""
    for name, direction, power, size in LIGHTS:
        light = bpy.data.lights.new(name, "AREA")
        light.energy, light.size = power, size
        lamp = bpy.data.objects.new(name, light)
        collection.objects.link(lamp)
        away = Vector(direction).normalized()
        lamp.location = Vector(target) + away
        lamp.rotation_euler = away.to_track_quat("Z", "Y").to_euler()


def add_world(scene: bpy.types.Scene) -> None:
    """A dim grey surrounding."""
    world = bpy.data.worlds.new("Studio")
    scene.world = world
    if not world.use_nodes:  # always on, and the switch deprecated, from Blender 5.0
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.5, 0.5, 0.5, 1.0)
    background.inputs["Strength"].default_value = 0.5
