"""One mesh to one picture: for overlays, contact sheets, previews and synthetic footage. No gradients."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..geometry.camera import clip_points, project
from .colour import bytes_from_linear, linear_from_bytes
from .rasterizer import Fragments, Rasterizer
from .shading import Light, over
from .surface import Hits, Material, Surface, linear_map, one_material, shade_hits
from .texture import pixel_footprint
from .warp import WarpRasterizer

PAPER = (0.80, 0.80, 0.80)
"""Linear colour behind a head without a background."""

__all__ = ["Light", "Material", "Surface", "linear_map", "one_material", "render_frame", "render_linear"]

Array = np.ndarray | Tensor


def render_frame(
    vertices: Num[Array, "V 3"],
    faces: Num[Array, "F 3"],
    K: Num[Array, "3 3"],
    size: tuple[int, int],
    *,
    surface: Surface | None = None,
    light: Light | None = None,
    background: UInt8[np.ndarray, "H W 3"] | Sequence[float] = PAPER,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """A picture in 8-bit sRGB of a mesh in camera axes, metres; grey clay without a `surface`.

    `size` is (width, height). `background` is a picture in 8-bit sRGB, kept byte for byte where nothing is drawn, or a
    linear colour. `supersample` squared samples make a pixel.
    """
    picture = background_picture(background, size)
    points, K = torch.as_tensor(vertices).float(), torch.as_tensor(K).float()
    left, top, right, bottom = visible_window(points, K, size)
    if right <= left or bottom <= top:
        return picture
    shift = K.new_tensor([[0, 0, left], [0, 0, top], [0, 0, 0]])
    options = {"surface": surface, "light": light, "supersample": supersample, "rasterizer": rasterizer}
    colour, coverage = render_linear(points, faces, K - shift, (right - left, bottom - top), **options)
    back = linear_from_bytes(torch.from_numpy(picture[top:bottom, left:right]))
    mixed = bytes_from_linear(over(colour, coverage, back)).numpy()
    picture[top:bottom, left:right] = np.where(coverage.numpy() > 0, mixed, picture[top:bottom, left:right])
    return picture


def background_picture(
    background: UInt8[np.ndarray, "H W 3"] | Sequence[float], size: tuple[int, int]
) -> UInt8[np.ndarray, "H W 3"]:
    """A copy of the background picture, or a picture of one linear colour."""
    if isinstance(background, np.ndarray) and background.ndim == 3:
        if background.shape[:2] != size[::-1]:
            raise ValueError(f"a background of {background.shape[1::-1]} for a picture of {size}")
        return background.copy()
    colour = bytes_from_linear(torch.tensor(list(background), dtype=torch.float32)).numpy()
    return np.broadcast_to(colour, (size[1], size[0], 3)).copy()


def visible_window(
    points: Float[Tensor, "V 3"], K: Float[Tensor, "3 3"], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels that the points' mesh can reach; all of them if a point is behind."""
    pixels = project(points, K)
    if not torch.isfinite(pixels).all():
        return 0, 0, *size
    low = pixels.amin(0).floor().long().clamp(min=0).tolist()
    high = torch.minimum(pixels.amax(0).ceil().long(), torch.tensor(size)).tolist()
    return low[0], low[1], high[0], high[1]


@torch.no_grad()
def render_linear(
    vertices: Num[Array, "V 3"],
    faces: Num[Array, "F 3"],
    K: Num[Array, "3 3"],
    size: tuple[int, int],
    *,
    surface: Surface | None = None,
    light: Light | None = None,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W 1"]]:
    """Linear colour multiplied by coverage, and the coverage in [0, 1]. Arguments as for `render_frame`."""
    points, K = torch.as_tensor(vertices).float(), torch.as_tensor(K).float()
    faces = torch.as_tensor(faces).long()
    fine = (size[0] * supersample, size[1] * supersample)
    clip = clip_points(points, K, size)[None]
    footprint = None
    if surface is not None:
        footprint = pixel_footprint(project(points, K) * supersample, faces, surface.uv, surface.uv_faces)
    layer = torch.zeros(1, 1)
    for chosen in layers(surface, len(faces)):
        fragments = (rasterizer or WarpRasterizer()).rasterize(clip, faces[chosen], fine)
        pixel, hits = seen(fragments, chosen)
        colour, opacity = shade_hits(points, faces, hits, surface, light, footprint)
        front = torch.zeros(fine[0] * fine[1], 4).index_copy(0, pixel, torch.cat([colour * opacity, opacity], -1))
        layer = over(front, front[:, 3:], layer)
    small = avg_pool2d(layer.T.reshape(1, 4, fine[1], fine[0]), supersample)[0].permute(1, 2, 0)
    return small[..., :3], small[..., 3:]


def layers(surface: Surface | None, count: int) -> list[Int[Tensor, "_"]]:
    """Rows of the faces to draw one over the other: with transparent materials the opaque ones, then all."""
    every = torch.arange(count)
    transparent = [] if surface is None else [m.transparent for m in surface.materials]
    if not any(transparent):
        return [every]
    return [(~torch.tensor(transparent)[surface.face_material]).nonzero()[:, 0], every]


def seen(fragments: Fragments, chosen: Int[Tensor, "_"]) -> tuple[Int[Tensor, "N"], Hits]:
    """Flat indices of the pixels in which one of the chosen faces is seen, and what is seen there."""
    pixel, samples = fragments.samples
    face = chosen.int()[samples.face.long()]
    return pixel, Hits(face, fragments.bary.reshape(-1, 3).index_select(0, pixel))
