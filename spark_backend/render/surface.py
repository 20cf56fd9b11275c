"""How a mesh looks: its materials, their maps, and the light on them. Colours of the pixels that see the mesh."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int, Num
from torch import Tensor
from torch.nn.functional import normalize

from ..geometry.mesh import face_normals, hollowness, vertex_normals
from .attributes import Samples, sample_attributes
from .colour import linear_from_bytes
from .shading import Light, distant_light, shade_clay, shade_textured
from .texture import mip_pyramid, sample_pyramid


@dataclass(frozen=True)
class Material:
    """How a part of the surface looks."""

    albedo: Float[Tensor, "..."]
    """Linear colour (3,), or a map (h, w, 3 or 4) whose fourth channel is opacity."""
    specular: float = 0.0
    """Strength of the highlight; 1 is that of skin or glass."""
    roughness: float = 0.5
    opacity: float = 1.0

    @cached_property
    def pyramid(self) -> list[Float[Tensor, "_ _ C"]]:
        """The map and its smaller versions."""
        return mip_pyramid(self.albedo.float())

    @property
    def transparent(self) -> bool:
        """Whether something behind may show."""
        return self.opacity < 1 or (self.albedo.ndim == 3 and self.albedo.shape[-1] == 4)


@dataclass(frozen=True)
class Surface:
    """What is needed to draw more than clay."""

    uv: Float[Tensor, "U 2"]
    """(0, 0) is the lower left corner of the map, as in Blender."""
    uv_faces: Int[Tensor, "F 3"]
    face_material: Int[Tensor, "F"]
    """Indices into `materials`."""
    materials: Sequence[Material]


@dataclass(frozen=True)
class Hits:
    """The `N` pixels of one picture in which something is seen."""

    face: Int[Tensor, "N"]
    bary: Float[Tensor, "N 3"]

    def at(self, attributes: Float[Tensor, "V C"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
        """Attributes of the corners, interpolated."""
        return sample_attributes(attributes[None], faces, Samples(self.face, torch.zeros_like(self.face)), self.bary)


def linear_map(picture: np.ndarray | Tensor) -> Float[Tensor, "..."]:
    """A map as linear float32: 8-bit pictures are sRGB (a fourth channel is not), floats are linear already."""
    picture = torch.as_tensor(picture)
    if picture.dtype != torch.uint8:
        return picture.float()
    colour = linear_from_bytes(picture[..., :3])
    return torch.cat([colour, picture[..., 3:].float() / 255], -1)


def one_material(
    uv: Num[np.ndarray, "U 2"],
    uv_faces: Num[np.ndarray, "F 3"],
    albedo: np.ndarray | Tensor,
    specular: float = 0.0,
    roughness: float = 0.5,
) -> Surface:
    """A surface with one map for everything: `albedo` (h, w, 3 or 4), 8-bit sRGB or linear float."""
    faces = torch.as_tensor(uv_faces).long()
    material = Material(linear_map(albedo), specular, roughness)
    return Surface(torch.as_tensor(uv).float(), faces, torch.zeros(len(faces), dtype=torch.long), (material,))


def studio_light() -> Light:
    """Soft daylight from the upper left of the picture, with a cool sky all around."""
    return distant_light((-0.4, -0.6, -0.8), (0.75, 0.72, 0.68), (0.32, 0.33, 0.36))


def shade_hits(
    points: Float[Tensor, "V 3"],
    faces: Int[Tensor, "F 3"],
    hits: Hits,
    surface: Surface | None,
    light: Light | None,
    texel_scale: Float[Tensor, "F"] | None = None,
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 1"]]:
    """Linear colour and opacity; clay without a `surface`. `points` in camera axes, metres.

    `texel_scale` is how wide a pixel is in texture coordinates on each face; None samples the finest maps.
    """
    normals = normalize(hits.at(vertex_normals(points, faces), faces), dim=-1)
    # A surface seen from behind (the inside of an open neck) is lit as it is seen.
    away = (face_normals(points, faces) * points[faces[:, 0]]).sum(-1) > 0
    normals = torch.where(away[hits.face, None], -normals, normals)
    view = -normalize(hits.at(points, faces), dim=-1)
    if surface is None:
        hollow = hits.at(hollowness(points, faces)[:, None], faces)
        return shade_clay(normals, view, hollow), torch.ones_like(hollow)
    uv = hits.at(surface.uv, surface.uv_faces)
    kind = surface.face_material[hits.face]
    colour, opacity = torch.zeros_like(normals), torch.zeros_like(normals[:, :1])
    for index, material in enumerate(surface.materials):
        here = (kind == index).nonzero()[:, 0]
        scale = None if texel_scale is None else texel_scale[hits.face[here]]
        albedo, opacity[here] = sample_material(material, uv[here], scale)
        colour[here] = shade_textured(
            albedo, normals[here], view[here], light or studio_light(), material.specular, material.roughness
        )
    return colour, opacity


def sample_material(
    material: Material, uv: Float[Tensor, "N 2"], texel_scale: Float[Tensor, "N"] | None
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 1"]]:
    """Colour and opacity of a material at texture coordinates."""
    if material.albedo.ndim == 1:
        return material.albedo.to(uv).expand(len(uv), 3), torch.full_like(uv[:, :1], material.opacity)
    sampled = sample_pyramid(material.pyramid, uv, texel_scale)
    opacity = sampled[:, 3:] if sampled.shape[-1] == 4 else torch.ones_like(sampled[:, :1])
    return sampled[:, :3], opacity * material.opacity
