"""Principled materials of skin, eyes, teeth, tongue and lashes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import bpy

from spark_backend.protocol.avatar import Avatar

SOCKETS = {
    "albedo": "Base Color",
    "lit": "Emission Color",
    "roughness": "Roughness",
    "specular": "Specular IOR Level",
}


@dataclass(frozen=True)
class Look:
    """Values of the Principled shader; inputs by Blender's names."""

    colour: tuple[float, float, float]
    """Linear base colour where the avatar has no albedo map."""
    inputs: Mapping[str, float | tuple[float, ...]]
    maps: tuple[str, ...] = ("albedo",)
    """The avatar's maps that this material reads."""
    see_through: bool = False
    """Whether the albedo map's alpha is opacity."""


# Light travels about 4 mm in skin, red furthest (Jensen et al. 2001, table 1); the albedo is measured from pictures,
# which hold the scattering already, so that only a part of it is added.
SKIN_SCATTERING = {
    "Subsurface Weight": 0.25,
    "Subsurface Radius": (1.0, 0.36, 0.17),
    "Subsurface Scale": 0.004,
}
WET = {"Coat Weight": 1.0, "Coat Roughness": 0.03, "Coat IOR": 1.376}  # the cornea's tear film

LOOKS = {
    "skin": Look(
        (0.45, 0.24, 0.17),
        {**SKIN_SCATTERING, "Roughness": 0.45, "Specular IOR Level": 0.4},
        ("albedo", "roughness", "specular", "normal"),
    ),
    "eye": Look((0.62, 0.58, 0.55), {"Roughness": 0.35, "Specular IOR Level": 0.3, **WET}),
    "teeth": Look((0.62, 0.55, 0.44), {"Roughness": 0.2, "Coat Weight": 0.5, "Coat Roughness": 0.1}),
    "tongue": Look((0.40, 0.12, 0.11), {**SKIN_SCATTERING, "Roughness": 0.35, "Coat Weight": 0.4}),
    # without a map that draws single hairs the cards are a faint shade at the lid
    "lashes": Look((0.012, 0.008, 0.006), {"Roughness": 0.6, "Alpha": 0.3}, see_through=True),
}


# shows its map as it is: the light is in it
LIT = Look((0.0, 0.0, 0.0), {"Roughness": 1.0, "Specular IOR Level": 0.0, "Emission Strength": 1.0}, ("lit",))


def build_materials(avatar: Avatar, name: str) -> list[bpy.types.Material]:
    """One material per `avatar.material_names`; an unknown one looks like skin."""
    images = {kind: load_map(name, kind, path) for kind, path in avatar.maps.items()}
    looks = {kind: LOOKS.get(kind, LOOKS["skin"]) for kind in avatar.material_names}
    if "lit" in images:
        looks = {kind: replace(LIT, see_through=look.see_through) for kind, look in looks.items()}
    return [build_material(f"{name} {kind}", look, images) for kind, look in looks.items()]


def load_map(name: str, kind: str, path: Path) -> bpy.types.Image:
    """A map as an image, as it is on disk now; all but albedo and lit hold numbers, not colours."""
    count = len(bpy.data.images)
    image = bpy.data.images.load(str(path), check_existing=True)
    if len(bpy.data.images) == count:  # another head shows it, perhaps as an earlier fit has left it
        read_again(image)
        return image
    image.name = f"{name}_{kind}{path.suffix}"
    if kind not in ("albedo", "lit"):
        image.colorspace_settings.name = "Non-Color"
    return image


def reload_map(kind: str, path: Path) -> str:
    """Shows a map as it is on disk now wherever it is used. Says so in a sentence where that cannot be."""
    image = bpy.data.images.load(str(path), check_existing=True)
    if read_again(image):
        return ""
    return f"{image.name}: kept, because it holds paint that is not saved; reload it to see the new {kind} map"


def read_again(image: bpy.types.Image) -> bool:
    """Reads an image from its file, one that is packed too. Not one that is painted on and not saved: the strokes would
    be lost.
    """
    if not image.is_dirty:
        image.reload()
    return not image.is_dirty


def build_material(name: str, look: Look, images: Mapping[str, bpy.types.Image]) -> bpy.types.Material:
    """A Principled material with the maps that exist."""
    material = bpy.data.materials.new(name)
    if not material.use_nodes:  # always on, and the switch deprecated, from Blender 5.0
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*look.colour, 1.0)
    material.diffuse_color = (*look.colour, look.inputs.get("Alpha", 1.0))  # of solid shading
    for socket, value in look.inputs.items():
        shader.inputs[socket].default_value = value
    for row, kind in enumerate(kind for kind in look.maps if kind in images):
        texture = connect_map(material.node_tree, shader, kind, images[kind], row)
        if look.see_through and kind in ("albedo", "lit") and images[kind].depth == 32:
            material.node_tree.links.new(texture.outputs["Alpha"], shader.inputs["Alpha"])
    return material


def connect_map(tree: bpy.types.NodeTree, shader: bpy.types.Node, kind: str, image: bpy.types.Image, row: int) -> None:
    """Feeds one map into the shader, the normal map through its own node."""
    texture = tree.nodes.new("ShaderNodeTexImage")
    texture.image, texture.label = image, kind.capitalize()
    texture.location = (-560, 300 - 290 * row)
    socket = SOCKETS.get(kind)
    if socket is not None:
        tree.links.new(texture.outputs["Color"], shader.inputs[socket])
        return texture
    normal = tree.nodes.new("ShaderNodeNormalMap")
    normal.location = (-240, 300 - 290 * row)
    tree.links.new(texture.outputs["Color"], normal.inputs["Color"])
    tree.links.new(normal.outputs["Normal"], shader.inputs["Normal"])
    return texture
