"""The head as a mesh object: polygons, UVs, materials and one shape key per expression."""

from collections.abc import Sequence

import bpy
import numpy as np

from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError

UV_NAME = "UVMap"


def build_mesh(avatar: Avatar, name: str, materials: Sequence[bpy.types.Material]) -> bpy.types.Object:
    """A mesh object of the rest pose, not linked to any collection. `materials` follow `avatar.material_names`."""
    mesh = bpy.data.meshes.new(name)
    used = avatar.polygons >= 0
    fill_polygons(mesh, avatar.neutral, avatar.polygons[used], used.sum(1))
    layer = mesh.uv_layers.new(name=UV_NAME)
    layer.uv.foreach_set("vector", avatar.uv[avatar.uv_polygons[used]].astype(np.float32).ravel())
    for material in materials:
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", avatar.polygon_material.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(avatar.polygons), bool))
    mesh.update()
    if mesh.validate():
        bpy.data.meshes.remove(mesh)
        raise SparkError(f"{name}: the avatar's mesh has broken polygons; fit the avatar again")
    return bpy.data.objects.new(name, mesh)


def fill_polygons(mesh: bpy.types.Mesh, vertices: np.ndarray, corners: np.ndarray, sizes: np.ndarray) -> None:
    """Vertices (V, 3) and polygons, given as the vertex of each corner (C,) and the corners of each polygon (P,)."""
    mesh.vertices.add(len(vertices))
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", (np.cumsum(sizes) - sizes).astype(np.int32))
    mesh.update(calc_edges=True)


def add_shape_keys(mesh_object: bpy.types.Object, avatar: Avatar) -> None:
    """`Basis` and one key per expression, all at 0."""
    mesh_object.shape_key_add(name="Basis", from_mix=False)
    for name, offset in zip(avatar.expression_names, avatar.expressions, strict=True):
        key = mesh_object.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", (avatar.neutral + offset).astype(np.float32).ravel())
        key.value = 0.0


def widen_sliders(mesh_object: bpy.types.Object, names: Sequence[str], weights: np.ndarray) -> None:
    """Makes room for the weights (T, E): Blender clamps a curve to its key's slider, so a peak above 1 would be lost.

    A slider never shrinks; Blender's own limit is -10 to 10.
    """
    for name, values in zip(names, weights.T, strict=True):
        key = mesh_object.data.shape_keys.key_blocks.get(name)
        if key is None or not len(values):
            continue
        lowest, highest = max(float(values.min()), -10.0), min(float(values.max()), 10.0)
        if highest > key.slider_max:  # setting a property has Blender work the scene out anew
            key.slider_max = highest
        if lowest < key.slider_min:
            key.slider_min = lowest


def add_vertex_groups(mesh_object: bpy.types.Object, avatar: Avatar) -> None:
    """One vertex group per joint that has none yet, holding the skinning weights above zero."""
    for joint, weights in zip(avatar.joint_names, avatar.skinning.T, strict=True):
        if joint in mesh_object.vertex_groups:
            continue
        group = mesh_object.vertex_groups.new(name=joint)
        values, members = np.unique(weights.astype(np.float32), return_inverse=True)
        order = np.argsort(members, kind="stable")
        vertices = np.split(order, np.cumsum(np.bincount(members, minlength=len(values)))[:-1])
        for value, indices in zip(values, vertices, strict=True):
            if value > 0:
                group.add(indices.tolist(), float(value), "REPLACE")
