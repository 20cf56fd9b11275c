"""One mesh to one picture: for overlays, contact sheets, previews and synthetic footage. No gradients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, normalize

from ..geometry.camera import clip_points
from ..geometry.mesh import face_normals, vertex_normals
from .colour import bytes_from_linear, linear_from_bytes
from .rasterizer import Fragments, Rasterizer, interpolate
from .shading import Light, distant_light, over, shade_clay, shade_textured
from .texture import sample_texture
from .warp import WarpRasterizer

PAPER = (0.82, 0.82, 0.82)


@dataclass(frozen=True)
class Material:
    """How a part of the surface looks."""

    albedo: Tensor
    """Linear colour (3,), or a map (h, w, 3 or 4) whose fourth channel is opacity."""
    specular: float = 0.0
    """Strength of the highlight; 1 is physical."""
    roughness: float = 0.5
    opacity: float = 1.0


@dataclass(frozen=True)
class Surface:
    """What is needed for more than clay."""

    uv: Float[Tensor, "U 2"]
    """(0, 0) is the lower left corner of the map."""
    uv_faces: Int[Tensor, "F 3"]
    face_material: Int[Tensor, "F"]
    materials: Sequence[Material]


def textured(uv: np.ndarray, uv_faces: np.ndarray, albedo: np.ndarray, specular: float = 0.0) -> Surface:
    """A surface with one map: `albedo` (h, w, 3) 8-bit sRGB, or linear float."""
    albedo = torch.as_tensor(albedo)
    linear = linear_from_bytes(albedo) if albedo.dtype == torch.uint8 else albedo.float()
    uv_faces = torch.as_tensor(uv_faces).long()
    material = Material(linear, specular=specular)
    return Surface(torch.as_tensor(uv).float(), uv_faces, torch.zeros(len(uv_faces), dtype=torch.long), (material,))


def render_frame(
    vertices: np.ndarray | Tensor,
    faces: np.ndarray | Tensor,
    K: np.ndarray | Tensor,
    size: tuple[int, int],
    *,
    surface: Surface | None = None,
    light: Light | None = None,
    background: np.ndarray | Sequence[float] | None = None,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> np.ndarray:
    """A picture (H, W, 3) 8-bit sRGB of `vertices` (V, 3), metres in camera axes; grey clay without a `surface`.

    `size` is (width, height). `background` is a picture (H, W, 3) 8-bit sRGB or a linear colour. `supersample` squared
    samples make a pixel.
    """
    colour, alpha = render_linear(
        vertices, faces, K, size, surface=surface, light=light, supersample=supersample, rasterizer=rasterizer
    )
    back = torch.as_tensor(np.asarray(PAPER if background is None else background))
    back = linear_from_bytes(back) if back.dtype == torch.uint8 else back.to(colour)
    return bytes_from_linear(over(colour, alpha, back)).numpy()


@torch.no_grad()
def render_linear(
    vertices: np.ndarray | Tensor,
    faces: np.ndarray | Tensor,
    K: np.ndarray | Tensor,
    size: tuple[int, int],
    *,
    surface: Surface | None = None,
    light: Light | None = None,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W 1"]]:
    """Linear colour multiplied by coverage, and the coverage in [0, 1]. Arguments as for `render_frame`."""
    points = torch.as_tensor(vertices).float()[None]
    faces = torch.as_tensor(faces).long()
    fine = (size[0] * supersample, size[1] * supersample)
    clip = clip_points(points, torch.as_tensor(K).float(), size)
    rasterizer = rasterizer or WarpRasterizer()
    solid, glass = split_faces(surface, len(faces))
    layers = [solid] if glass is None else [glass, solid]
    colour, alpha = torch.zeros(1), torch.zeros(1)
    for chosen in reversed(layers):
        part = faces if chosen is None else faces[chosen]
        fragments = rasterizer.rasterize(clip, part, fine)
        if chosen is not None:
            fragments = Fragments(restore_faces(fragments.face, chosen), fragments.bary, fragments.depth)
        front, coverage = shade(points, faces, fragments, surface, light)
        colour, alpha = over(front, coverage, colour), coverage + (1 - coverage) * alpha
    stacked = torch.cat([colour, alpha], -1).permute(0, 3, 1, 2)
    small = avg_pool2d(stacked, supersample)[0].permute(1, 2, 0)
    return small[..., :3], small[..., 3:]


def split_faces(surface: Surface | None, count: int) -> tuple[Tensor | None, Tensor | None]:
    """Rows of the opaque faces, and of all faces if some are transparent; None stands for all and for none."""
    if surface is None:
        return None, None
    clear = torch.tensor([m.opacity < 1 or (m.albedo.ndim == 3 and m.albedo.shape[-1] == 4) for m in surface.materials])
    clear_faces = clear[surface.face_material]
    if not clear_faces.any():
        return None, None
    return (~clear_faces).nonzero()[:, 0], torch.arange(count)


def restore_faces(face: Int[Tensor, "B H W"], chosen: Int[Tensor, "N"]) -> Int[Tensor, "B H W"]:
    """Rows of a selection of faces back to rows of all."""
    return torch.where(face >= 0, chosen[face.clamp(min=0).long()].int(), face)


def shade(
    points: Float[Tensor, "1 V 3"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    surface: Surface | None,
    light: Light | None,
) -> tuple[Float[Tensor, "1 H W 3"], Float[Tensor, "1 H W 1"]]:
    """Linear colour multiplied by coverage, and coverage, of the nearest surface."""
    normals = normalize(interpolate(vertex_normals(points, faces), faces, fragments), dim=-1)
    # A surface seen from behind (the inside of an open neck) is lit as seen.
    centre = points[0, faces].mean(1)
    away = ((face_normals(points, faces)[0] * centre).sum(-1) > 0)[fragments.face.clamp(min=0).long()]
    normals = torch.where(away[..., None], -normals, normals)
    mask = fragments.mask[..., None].float()
    if surface is None:
        return shade_clay(normals) * mask, mask
    position = interpolate(points, faces, fragments)
    uv = interpolate(surface.uv[None], surface.uv_faces, fragments)
    material = surface.face_material[fragments.face.clamp(min=0).long()]
    light = light or distant_light((-0.4, -0.6, -0.8), (0.75, 0.72, 0.68), (0.32, 0.33, 0.36))
    colour, alpha = torch.zeros_like(normals), torch.zeros_like(mask)
    for index, look in enumerate(surface.materials):
        here = (material == index)[..., None] & (mask > 0)
        albedo, opacity = sample_albedo(look, uv)
        view = normalize(-position, dim=-1)
        shaded = shade_textured(albedo, normals, view, light, look.specular, look.roughness)
        colour = torch.where(here, shaded * opacity, colour)
        alpha = torch.where(here, opacity, alpha)
    return colour, alpha


def sample_albedo(
    material: Material, uv: Float[Tensor, "1 H W 2"]
) -> tuple[Float[Tensor, "1 H W 3"], Float[Tensor, "1 H W 1"]]:
    """Colour and opacity of a material at texture coordinates."""
    if material.albedo.ndim == 1:
        colour = material.albedo.to(uv).expand(*uv.shape[:-1], 3)
        return colour, torch.full_like(uv[..., :1], material.opacity)
    sampled = sample_texture(material.albedo.to(uv)[None], uv)
    opacity = sampled[..., 3:] if sampled.shape[-1] == 4 else torch.ones_like(sampled[..., :1])
    return sampled[..., :3], opacity * material.opacity
