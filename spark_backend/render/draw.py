"""One mesh to one picture: for overlays, contact sheets, previews and synthetic footage. No gradients."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, Num, UInt8
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..geometry.camera import clip_points, project
from ..geometry.mesh import face_normals, vertex_normals
from .colour import bytes_from_linear, linear_from_bytes
from .occlusion import sky_of
from .rasterizer import Fragments, Rasterizer
from .shading import Light, over
from .surface import Hits, Material, Mesh, Shaded, Surface, linear_map, one_material, shade_mesh
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
    opacity: Float[Array, "V"] | None = None,
    background: UInt8[np.ndarray, "H W 3"] | Sequence[float] = PAPER,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> UInt8[np.ndarray, "H W 3"]:
    """A picture in 8-bit sRGB of a mesh in camera axes, metres; grey clay without a `surface`.

    `size` is (width, height). `opacity` of what is seen lets the background through. `background` is a picture in 8-bit
    sRGB, kept byte for byte where nothing is drawn, or a linear colour. `supersample` squared samples make a pixel.
    """
    picture = background_picture(background, size)
    points, K = torch.as_tensor(vertices).float(), torch.as_tensor(K).float()
    left, top, right, bottom = visible_window(points, K, size)
    if right <= left or bottom <= top:
        return picture
    shift = K.new_tensor([[0, 0, left], [0, 0, top], [0, 0, 0]])
    options = {"surface": surface, "light": light, "supersample": supersample, "rasterizer": rasterizer}
    colour, coverage = render_linear(points, faces, K - shift, (right - left, bottom - top), opacity=opacity, **options)
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
    opacity: Float[Array, "V"] | None = None,
    supersample: int = 2,
    rasterizer: Rasterizer | None = None,
) -> tuple[Float[Tensor, "H W 3"], Float[Tensor, "H W 1"]]:
    """Linear colour multiplied by coverage, and the coverage in [0, 1]. Arguments as for `render_frame`."""
    points, K = torch.as_tensor(vertices).float(), torch.as_tensor(K).float()
    faces = torch.as_tensor(faces).long()
    rasterizer = rasterizer or WarpRasterizer()
    fine = (size[0] * supersample, size[1] * supersample)
    opaque, transparent = layers(surface, len(faces))
    mesh = prepare_mesh(points, faces, opaque, rasterizer)
    if surface is not None:
        scale = pixel_footprint(project(points, K) * supersample, faces, surface.uv, surface.uv_faces)
        mesh = replace(mesh, texel_scale=scale)

    def colours(hits: Hits) -> Float[Tensor, "N 4"]:
        shaded = premultiplied(shade_mesh(mesh, hits, surface, light))
        return shaded if opacity is None else shaded * hits.at(torch.as_tensor(opacity).float()[:, None], faces)

    clip = clip_points(points, K, size)[None]
    picture = torch.zeros(fine[0] * fine[1], 4)
    if len(opaque):
        back = seen(rasterizer.rasterize(clip, faces[opaque], fine), opaque, supersample)
        picture[back.pixel] = colours(back.hits).index_select(0, back.hit)
    if len(transparent):
        front = seen(rasterizer.rasterize(clip, faces, fine), torch.arange(len(faces)), supersample, transparent)
        layer = colours(front.hits).index_select(0, front.hit)
        picture[front.pixel] = over(layer, layer[:, 3:], picture[front.pixel])
    small = avg_pool2d(picture.T.reshape(1, 4, fine[1], fine[0]), supersample)[0].permute(1, 2, 0)
    return small[..., :3], small[..., 3:]


def prepare_mesh(
    points: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], opaque: Int[Tensor, "_"], rasterizer: Rasterizer
) -> Mesh:
    """One frame's normals, hollows and sides. Only opaque faces keep light away; all do where there is none."""
    shading = faces[opaque] if len(opaque) else faces
    sky, normals = sky_of(points, shading, rasterizer), vertex_normals(points, faces)
    away = (face_normals(points, faces) * points[faces[:, 0]]).sum(-1) > 0
    return Mesh(points, faces, normals, sky.openness(points, vertex_normals(points, shading)), sky, away)


def layers(surface: Surface | None, count: int) -> tuple[Int[Tensor, "_"], Int[Tensor, "_"]]:
    """Rows of the opaque faces, and of those through which something may show."""
    if surface is None:
        return torch.arange(count), torch.arange(0)
    transparent = torch.tensor([m.transparent for m in surface.materials])[surface.face_material]
    return (~transparent).nonzero()[:, 0], transparent.nonzero()[:, 0]


@dataclass(frozen=True)
class Seen:
    """What is to be shaded, and the samples of the picture that show it."""

    hits: Hits
    pixel: Int[Tensor, "N"]
    """Flat index of each sample in which something is seen."""
    hit: Int[Tensor, "N"]
    """Row of `hits` that it shows."""


def seen(
    fragments: Fragments, chosen: Int[Tensor, "_"], supersample: int, wanted: Int[Tensor, "_"] | None = None
) -> Seen:
    """The samples that show one of the chosen faces (of all faces only the `wanted`), to be shaded once for each pixel
    that lies in a single face, at the mean of its samples, and sample by sample where edges run.
    """
    _, height, width = fragments.face.shape
    rows, columns = height // supersample, width // supersample
    order = torch.arange(height * width).view(rows, supersample, columns, supersample).transpose(1, 2)
    order = order.reshape(rows * columns, supersample**2)
    face = fragments.face.reshape(-1)
    if wanted is not None:
        known = torch.zeros(int(chosen.max()) + 1, dtype=torch.bool)
        known[wanted] = True
        face = torch.where((face >= 0) & known[face.clamp(min=0).long()], face, -1)
    block = face[order]
    single = (block == block[:, :1]).all(1)
    whole, mixed = order[single & (block[:, 0] >= 0)], order[~single].reshape(-1)
    mixed = mixed[face[mixed] >= 0]
    bary = fragments.bary.reshape(-1, 3)
    mean = sum(bary.index_select(0, whole[:, k]) for k in range(whole.shape[1])) / whole.shape[1]
    index = torch.cat([whole[:, 0], mixed])
    hits = Hits(chosen.int()[face[index].long()], torch.cat([mean, bary.index_select(0, mixed)]))
    row = torch.arange(len(whole) + len(mixed))
    hit = torch.cat([row[: len(whole)].repeat_interleave(whole.shape[1]), row[len(whole) :]])
    return Seen(hits, torch.cat([whole.reshape(-1), mixed]), hit)


def premultiplied(shaded: Shaded) -> Float[Tensor, "N 4"]:
    """Colour multiplied by opacity, and opacity."""
    return torch.cat([shaded.colour * shaded.opacity, shaded.opacity], -1)
