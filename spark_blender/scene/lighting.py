"""A neutral portrait light: key, fill and rim around the head, and a dim grey world."""

from collections.abc import Sequence
from dataclasses import dataclass

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


CLIP_EDGE = 0.5
"""Metres of a lamp's edge: the estimate tells directions, not how sharp shadows are."""
FAINT = 1e-3


@dataclass(frozen=True)
class Lamp:
    """One lamp as the backend has found it."""

    name: str
    towards: np.ndarray
    """(3,) unit vector from the head to it, in the world's axes."""
    colour: np.ndarray
    """(3,) what a white matt surface that faces it reflects, linear."""


def add_clip_lights(
    scene: bpy.types.Scene, name: str, target: np.ndarray, lamps: Sequence[Lamp], ambient: np.ndarray
) -> bpy.types.Collection:
    """Area lights a metre from `target` (3,) in a collection `name`, in the place of those of an earlier call, and a
    world of the even light `ambient` (3,)."""
    old = bpy.data.collections.get(name)
    for lamp in list(old.objects) if old else ():
        bpy.data.lights.remove(lamp.data)  # and with it the object
    collection = old or bpy.data.collections.new(name)
    if collection.name not in scene.collection.children:
        scene.collection.children.link(collection)
    for lamp in lamps:
        if lamp.colour.max() > FAINT:
            # A Lambertian square of power P gives P / (pi d^2) at a distance d; a white surface reflects that over pi.
            power = np.pi**2 * float(lamp.colour.max())
            light = add_area(collection, f"{name} {lamp.name}", Vector(lamp.towards), power, CLIP_EDGE, target)
            light.color = lamp.colour / lamp.colour.max()
    background = add_world(scene, name)
    strength = max(float(np.max(ambient)), FAINT)
    background.inputs["Color"].default_value = (*(np.asarray(ambient) / strength), 1.0)
    background.inputs["Strength"].default_value = strength
    return collection


def add_lights(collection: bpy.types.Collection, target: np.ndarray) -> None:
    """Three area lights a metre from `target` (3,), turned to it."""
    for name, direction, power, size in LIGHTS:
        add_area(collection, name, Vector(direction).normalized(), power, size, target)


def add_area(
    collection: bpy.types.Collection, name: str, away: Vector, power: float, size: float, target: np.ndarray
) -> bpy.types.AreaLight:
    """A square lamp a metre from `target` (3,) in the direction `away`, turned to it."""
    light = bpy.data.lights.new(name, "AREA")
    light.energy, light.size = power, size
    lamp = bpy.data.objects.new(name, light)
    collection.objects.link(lamp)
    lamp.location = Vector(target) + away
    lamp.rotation_euler = away.to_track_quat("Z", "Y").to_euler()
    return light


def add_world(scene: bpy.types.Scene, name: str = "Studio") -> bpy.types.Node:
    """A dim grey surrounding; gives the node of its colour and strength."""
    world = bpy.data.worlds.get(name) or bpy.data.worlds.new(name)
    scene.world = world
    if not world.use_nodes:  # always on, and the switch deprecated, from Blender 5.0
        world.use_nodes = True
    background = next(node for node in world.node_tree.nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.5, 0.5, 0.5, 1.0)
    background.inputs["Strength"].default_value = 0.5
    return background
