"""A head of the scene takes the shape of another avatar of the same topology; what an artist has made of it stays."""

import bpy
import numpy as np

from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import SparkError

from .armature import editing, place_bone
from .materials import reload_map
from .mesh import UV_NAME, add_vertex_groups
from .scene import HeadObjects


def renew_head(head: HeadObjects, avatar: Avatar) -> tuple[str, ...]:
    """Gives a head the shape, the expressions, the joints and the maps of `avatar`. Returns what the user should know.

    Both objects, their materials, modifiers, constraints, animation, slider ranges and skinning stay as they are. Shape
    keys and bones of the artist's own move along with what they were made on. Nothing is changed where the polygons are
    not the avatar's, or the head is another file's: that is a `SparkError`.
    """
    require_editable(head)
    require_same_polygons(head.mesh, avatar)
    renew_shape_keys(head.mesh, avatar)
    renew_uv(head.mesh.data, avatar)
    add_vertex_groups(head.mesh, avatar)
    renew_bones(head.armature, avatar)
    head.mesh.data.update()
    return tuple(filter(None, (reload_map(kind, path) for kind, path in avatar.maps.items())))


def require_editable(head: HeadObjects) -> None:
    """A head that is linked can only be changed in its own file."""
    if head.mesh.data.library or head.armature.data.library:
        raise SparkError(f"{head.armature.name}: linked from another file; open that file and import the avatar there")


def require_same_polygons(mesh_object: bpy.types.Object, avatar: Avatar) -> None:
    """Vertices are told apart by their numbers alone, so every polygon must have those of the avatar."""
    mesh, used = mesh_object.data, avatar.polygons >= 0
    corners = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", corners)
    sizes = np.empty(len(mesh.polygons), np.int32)
    mesh.polygons.foreach_get("loop_total", sizes)
    same = len(mesh.vertices) == len(avatar.neutral)
    same = same and np.array_equal(sizes, used.sum(1)) and np.array_equal(corners, avatar.polygons[used])
    if not same:
        raise SparkError(
            f"{mesh_object.name}: its polygons are not those of the new head; press the plus to import that beside it"
        )


def renew_shape_keys(mesh_object: bpy.types.Object, avatar: Avatar) -> None:
    """Gives the keys of the avatar's names their new points, and adds those that are not there.

    A key of the artist's own keeps its difference to the key that it is relative to.
    """
    keys = mesh_object.data.shape_keys
    old = {key.name: points_of(key) for key in keys.key_blocks}
    basis = keys.reference_key.name
    new = {basis: avatar.neutral.astype(np.float32)}
    for name, offset in zip(avatar.expression_names, avatar.expressions, strict=True):
        new[name] = (avatar.neutral + offset).astype(np.float32)
        if name not in old:
            mesh_object.shape_key_add(name=name, from_mix=False).value = 0.0
    for key in keys.key_blocks:
        ground = key.relative_key.name if key.relative_key.name in new else basis
        points = new[key.name] if key.name in new else new[ground] + old[key.name] - old[ground]
        key.points.foreach_set("co", points.ravel())
    mesh_object.data.vertices.foreach_set("co", new[basis].ravel())


def points_of(key: bpy.types.ShapeKey) -> np.ndarray:
    """(V, 3) of a shape key."""
    points = np.empty(len(key.points) * 3, np.float32)
    key.points.foreach_get("co", points)
    return points.reshape(-1, 3)


def renew_uv(mesh: bpy.types.Mesh, avatar: Avatar) -> None:
    """The avatar's texture coordinates in the layer of their name; other layers stay."""
    layer = mesh.uv_layers.get(UV_NAME) or mesh.uv_layers.new(name=UV_NAME)
    layer.uv.foreach_set("vector", avatar.uv[avatar.uv_polygons[avatar.polygons >= 0]].astype(np.float32).ravel())


def renew_bones(armature: bpy.types.Object, avatar: Avatar) -> None:
    """Puts the joints' bones where the avatar has them; a bone of the artist's own moves with the joint it hangs on."""
    with editing(armature.data) as bones:
        before = {bone.name: (bone.head.copy(), bone.tail.copy()) for bone in bones}
        for index in range(len(avatar.joint_names)):
            place_bone(bones, avatar, index)
        for name in before.keys() - set(avatar.joint_names):
            bone = bones[name]
            joint = next((parent for parent in bone.parent_recursive if parent.name in avatar.joint_names), None)
            if joint is not None and joint.name in before:
                moved = joint.head - before[joint.name][0]
                bone.head, bone.tail = (point + moved for point in before[name])
