"""How an avatar looks in our own pictures, and words on pictures."""

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from jaxtyping import Float
from PIL import Image, ImageDraw, ImageFont

from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..render.decoder import avatar_topology
from ..render.draw import render_frame
from ..render.shading import Light
from ..render.surface import Material, Surface, linear_map
from .views import face_opacity

LASH_COLOUR = (0.045, 0.028, 0.022)  # of lashes and the skin between them
# Linear colours where there is no albedo map; the same as the Blender materials have.
PLAIN_COLOURS = {
    "skin": (0.45, 0.24, 0.17),
    "eye": (0.62, 0.58, 0.55),
    "teeth": (0.62, 0.55, 0.44),
    "tongue": (0.40, 0.12, 0.11),
}
COARSE = {"teeth", "tongue"}
"""See `render.surface.Material`."""
SHINE = {"skin": (0.35, 0.45), "lashes": (0.0, 0.5), "eye": (1.0, 0.15), "teeth": (0.6, 0.3), "tongue": (0.6, 0.35)}
"""Strength and roughness of the highlight."""


def avatar_surface(avatar: Avatar) -> Surface:
    """The avatar's materials for our renderer."""
    path = avatar.maps.get("albedo")
    albedo = None if path is None else linear_map(read_picture(path))
    materials = [material(name, albedo) for name in avatar.material_names]
    surface = Surface(
        torch.as_tensor(avatar.uv).float(),
        torch.as_tensor(avatar.uv_faces).long(),
        torch.as_tensor(avatar.face_material).long(),
        materials,
    )
    if not {"roughness", "specular", "normal"} <= set(avatar.maps) or "skin" not in avatar.material_names:
        return surface
    skin = avatar.material_names.index("skin")
    materials[skin] = replace(materials[skin], finish=skin_finish(avatar))
    return replace(surface, mesh=avatar_topology(avatar))


def skin_finish(avatar: Avatar) -> Float[torch.Tensor, "h w 5"]:
    """The maps of the skin but its colour, as `Material.finish` has them, in the size of the normal map."""
    normal = read_picture(avatar.maps["normal"])[..., :3] / np.float32(127.5) - 1
    size = normal.shape[1::-1]
    specular, roughness = (
        cv2.resize(read_picture(avatar.maps[name])[..., 0], size, interpolation=cv2.INTER_LINEAR) / np.float32(255)
        for name in ("specular", "roughness")
    )
    strength = 2 * specular  # a level of 0.5 is an index of refraction of 1.5, the highlight's strength 1
    return torch.as_tensor(np.concatenate([strength[..., None], roughness[..., None], normal], -1))


def paint_surface(avatar: Avatar, texture: np.ndarray) -> Surface:
    """A layer of paint, (h, w, 4) uint8 sRGB with opacity, on all of the avatar; it shines as what it is painted on."""
    albedo = linear_map(texture)
    shine = [SHINE.get(name, SHINE["skin"]) for name in avatar.material_names]
    return Surface(
        torch.as_tensor(avatar.uv).float(),
        torch.as_tensor(avatar.uv_faces).long(),
        torch.as_tensor(avatar.face_material).long(),
        [Material(albedo, specular=specular, roughness=roughness) for specular, roughness in shine],
    )


@dataclass(frozen=True)
class FaceLayer:
    """The face as it lies over a clip."""

    faces: np.ndarray
    """(F, 3)."""
    surface: Surface
    """Of these faces."""
    opacity: np.ndarray
    """(V,) of `face_opacity`."""

    def over(
        self, picture: np.ndarray, vertices: np.ndarray, K: np.ndarray, size: tuple[int, int], light: Light | None
    ) -> np.ndarray:
        """The picture (H, W, 3) uint8 with the face on it, whose vertices (V, 3) are in camera axes."""
        options = {"surface": self.surface, "light": light, "opacity": self.opacity, "background": picture}
        return render_frame(vertices, self.faces, K, size, **options)


def face_layer(avatar: Avatar) -> FaceLayer:
    """The avatar's face in its materials, fading towards what was fitted to nobody."""
    opacity = face_opacity(avatar)
    shown = opacity[avatar.faces].any(1)
    return FaceLayer(avatar.faces[shown], part_of_surface(avatar_surface(avatar), shown), opacity)


def part_of_surface(surface: Surface, chosen: np.ndarray) -> Surface:
    """The materials of some of the triangles, (F,) bool."""
    rows = torch.as_tensor(chosen)
    return replace(surface, uv_faces=surface.uv_faces[rows], face_material=surface.face_material[rows])


def material(name: str, albedo: torch.Tensor | None) -> Material:
    """One material of the avatar's vocabulary; an unknown one looks like skin.

    The map's opacity is for the lashes, cards on which hairs are drawn; without it they are thin dark cards.
    """
    if name == "lashes" and (albedo is None or albedo.shape[-1] == 3):
        return Material(torch.tensor(LASH_COLOUR), opacity=0.6)
    specular, roughness = SHINE.get(name, SHINE["skin"])
    if albedo is None:
        albedo = torch.tensor(PLAIN_COLOURS.get(name, PLAIN_COLOURS["skin"]))
    elif name != "lashes":
        albedo = albedo[..., :3].contiguous()
    return Material(albedo, specular=specular, roughness=roughness, coarse=name in COARSE)


def read_picture(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 sRGB of a picture file, (H, W, 4) when it has opacity."""
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGBA" if "A" in image.getbands() else "RGB")).copy()
    except OSError as error:
        raise SparkError(f"{path}: not a picture that can be read; use a PNG or JPEG") from error


def backdrop(size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 dark studio background of (width, height), brighter around the head."""
    width, height = size
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((x / width - 0.5) * 1.1, y / height - 0.42)
    grey = 74 - 46 * np.clip(radius / 0.75, 0, 1) ** 1.4
    # A trace of noise keeps the gradient from banding once it is encoded.
    grey = grey + np.random.default_rng(0).uniform(-0.7, 0.7, grey.shape)
    return np.clip(grey[..., None] * np.array([0.97, 1.0, 1.04]), 0, 255).astype(np.uint8)


def write_words(image: np.ndarray, words: str, size: int, x: int, y: int, anchor: str = "ls") -> np.ndarray:
    """The picture with white words that are legible on any ground; `anchor` as Pillow has it, "ls" is the baseline's
    left end.
    """
    font = ImageFont.load_default(size)
    stroke = max(1, size // 8)
    shadow = Image.new("L", (image.shape[1], image.shape[0]), 0)
    ImageDraw.Draw(shadow).text((x, y), words, fill=255, font=font, anchor=anchor, stroke_width=stroke)
    dark = cv2.GaussianBlur(np.asarray(shadow), (0, 0), stroke).astype(np.float32)[..., None] / 255
    result = Image.fromarray((image * (1 - 0.75 * dark)).astype(np.uint8))
    ImageDraw.Draw(result).text((x, y), words, fill=(255, 255, 255), font=font, anchor=anchor)
    return np.asarray(result)
