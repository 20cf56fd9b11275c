"""How a mesh looks: its materials, their maps, and the light on them. Colours of the pixels that see the mesh."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor

from ..geometry.mesh import creased_normals, hollowness
from .attributes import Samples, sample_attributes
from .colour import linear_from_bytes
from .deferred import Topology, vertex_tangents
from .occlusion import Sky
from .reflectance import bend
from .shading import Light, distant_light, highlight, irradiance, shade_clay, unit
from .texture import mip_pyramid, sample_pyramid

BOUNCED = (0.25, 0.09, 0.075)
"""Part of the light, by colour, that reaches the deepest hollow by way of its walls: an eighth as one sees it, and as
they are flesh, red. Teeth behind lips that are hardly open would be grey without."""

CREASE = np.radians(40.0)
"""Angle between two faces from which there is an edge between them, where a material is `coarse`."""


@dataclass(frozen=True)
class Material:
    """How a part of the surface looks."""

    albedo: Float[Tensor, "..."]
    """Linear colour (3,), or a map (h, w, 3 or 4) whose fourth channel is opacity."""
    specular: float = 0.0
    """Strength of the highlight; 1 is that of skin or glass."""
    roughness: float = 0.5
    opacity: float = 1.0
    coarse: bool = False
    """Whether its faces are so large that light and shade change within one, and have edges: teeth, which lips cover
    in part."""
    finish: Float[Tensor, "h w 5"] | None = None
    """In place of the two numbers: strength and roughness of the highlight, and the normal in the axes u, v, outwards,
    of any length."""

    @cached_property
    def pyramid(self) -> list[Float[Tensor, "_ _ C"]]:
        """The map and its smaller versions."""
        return mip_pyramid(self.albedo.float())

    @cached_property
    def finish_pyramid(self) -> list[Float[Tensor, "_ _ 5"]]:
        """The same of the finish."""
        return mip_pyramid(self.finish)

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
    mesh: Topology | None = None
    """Of all triangles, for the tangents; needed where a material has a finish."""


@dataclass(frozen=True)
class Hits:
    """The `N` pixels of one picture in which something is seen."""

    face: Int[Tensor, "N"]
    bary: Float[Tensor, "N 3"]

    def at(self, attributes: Float[Tensor, "V C"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "N C"]:
        """Attributes of the corners, interpolated."""
        return sample_attributes(attributes[None], faces, Samples(self.face, torch.zeros_like(self.face)), self.bary)


@dataclass(frozen=True)
class Mesh:
    """One frame's geometry, in camera axes, with what shading needs of it."""

    points: Float[Tensor, "V 3"]
    faces: Int[Tensor, "F 3"]
    normals: Float[Tensor, "V 3"]
    openness: Float[Tensor, "V"]
    """Part of the light from all around that arrives, see `occlusion.py`."""
    sky: Sky
    """What `openness` comes from, for places between the vertices."""
    away: Bool[Tensor, "F"]
    """Faces seen from behind."""
    texel_scale: Float[Tensor, "F"] | None = None
    """How wide a pixel is in texture coordinates on each face; None samples the finest maps."""


@dataclass(frozen=True)
class Shaded:
    """What is seen in each of the hits."""

    colour: Float[Tensor, "N 3"]
    """Linear, not multiplied by the opacity."""
    opacity: Float[Tensor, "N 1"]


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


def shade_mesh(mesh: Mesh, hits: Hits, surface: Surface | None, light: Light | None) -> Shaded:
    """What the hits look like: clay without a `surface`."""
    if surface is None:
        return shade_as_clay(mesh, hits)
    light = light or studio_light()
    # Light and shade vary slowly, so they are computed where there are few points, and interpolated.
    table = torch.cat([mesh.normals, -unit(mesh.points), irradiance(mesh.normals, light), mesh.openness[:, None]], -1)
    normals, view, even, openness = hits.at(table, mesh.faces).split([3, 3, 3, 1], -1)
    uv = hits.at(surface.uv, surface.uv_faces)
    kind, tangents = surface.face_material[hits.face], None
    coarse = torch.tensor([material.coarse for material in surface.materials])
    fine = coarse[kind].nonzero()[:, 0]
    if len(fine):
        chosen = Hits(hits.face[fine], hits.bary[fine])
        normals[fine] = creased(mesh, chosen, coarse[surface.face_material])
        even[fine] = irradiance(normals[fine], light)
        openness[fine, 0] = mesh.sky.openness(chosen.at(mesh.points, mesh.faces), normals[fine])
    arriving = through_hollows(openness[:, 0])
    if surface.mesh is not None:
        tangents = hits.at(vertex_tangents(mesh.points[None], mesh.normals[None], surface.mesh)[0], surface.uv_faces)
    colour, opacity = torch.zeros_like(even), torch.zeros_like(openness)
    for index, material in enumerate(surface.materials):
        here = (kind == index).nonzero()[:, 0]
        if not len(here):
            continue
        scale = None if mesh.texel_scale is None else mesh.texel_scale[hits.face[here]]
        albedo, opacity[here] = sample_material(material, uv[here], scale)
        seen = unit(normals[here])
        if material.finish is not None:
            specular, roughness, relief = sample_pyramid(material.finish_pyramid, uv[here], scale).split([1, 1, 3], -1)
            seen = bend(seen, tangents[here], relief)
            colour[here] = albedo * irradiance(seen, light) * arriving[here]
        else:
            specular, roughness = material.specular, material.roughness
            colour[here] = albedo * even[here] * arriving[here]
        if material.finish is not None or specular:
            colour[here] += specular * openness[here] * highlight(seen, view[here], light, roughness)
    return Shaded(colour, opacity)


def creased(mesh: Mesh, hits: Hits, coarse: Bool[Tensor, "F"]) -> Float[Tensor, "N 3"]:
    """Unit normals in hits on the faces `coarse`: those of a tooth's front do not bend towards its biting edge."""
    rows = coarse.nonzero()[:, 0]
    row_of = torch.zeros(len(mesh.faces), dtype=torch.long)
    row_of[rows] = torch.arange(len(rows))
    corners = creased_normals(mesh.points, mesh.faces[rows], CREASE)[row_of[hits.face]]
    return unit((corners * hits.bary[..., None]).sum(1))


def through_hollows(openness: Float[Tensor, "N"]) -> Float[Tensor, "N 3"]:
    """The part of the light, by colour, that arrives straight or by way of the walls around."""
    return openness[:, None] + (1 - openness[:, None]) * openness.new_tensor(BOUNCED)


def shade_as_clay(mesh: Mesh, hits: Hits) -> Shaded:
    """Grey, with creases and hollows; a surface seen from behind (the inside of an open neck) is lit as it is seen."""
    hollow = hollowness(mesh.points, mesh.faces)[:, None]
    table = torch.cat(
        [mesh.normals, -unit(mesh.points), hollow, through_hollows(mesh.openness).mean(1, keepdim=True)], -1
    )
    normals, view, hollow, openness = hits.at(table, mesh.faces).split([3, 3, 1, 1], -1)
    normals = unit(torch.where(mesh.away[hits.face, None], -normals, normals))
    return Shaded(shade_clay(normals, view, hollow) * openness, torch.ones_like(openness))


def sample_material(
    material: Material, uv: Float[Tensor, "N 2"], texel_scale: Float[Tensor, "N"] | None
) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 1"]]:
    """Colour and opacity of a material at texture coordinates."""
    if material.albedo.ndim == 1:
        return material.albedo.to(uv).expand(len(uv), 3), torch.full_like(uv[:, :1], material.opacity)
    sampled = sample_pyramid(material.pyramid, uv, texel_scale)
    opacity = sampled[:, 3:] if sampled.shape[-1] == 4 else torch.ones_like(sampled[:, :1])
    return sampled[:, :3], opacity * material.opacity
