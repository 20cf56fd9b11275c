"""The Rasterizer seam: what every rasteriser returns, and the differentiable parts that they share.

Visibility carries no gradient. Barycentrics are recomputed from the clip positions here, once, and are differentiable;
silhouettes get their gradients in `antialias.py`.
"""

from dataclasses import dataclass
from typing import Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Fragments:
    """What is seen at the centre of each pixel. Row 0 is the top row."""

    face: Int[Tensor, "B H W"]
    """int32 row of `faces`; -1 where there is none."""
    bary: Float[Tensor, "B H W 3"]
    """Perspective-correct weights of the face's three corners, each in [0, 1], summing to 1; zero in the background."""
    depth: Float[Tensor, "B H W"]
    """z / w in [-1, 1]; 1 in the background."""

    @property
    def mask(self) -> Tensor:
        """(B, H, W) bool: whether anything is seen."""
        return self.face >= 0


class Rasterizer(Protocol):
    """Finds the nearest triangle at the centre of every pixel.

    Both sides of a triangle are drawn. A pixel centre on an edge shared by two triangles belongs to exactly one of them.
    Triangles that cross the near plane (z = -w) are cut there; nothing is drawn beyond the far plane (z = w).
    """

    def rasterize(
        self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]
    ) -> Fragments: ...


def homogeneous_barycentrics(corners: Float[Tensor, "N 3 4"], centres: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
    """Barycentrics of triangles in clip space at points (x / w, y / w); differentiable, also with corners behind.

    Edge functions in homogeneous coordinates (Olano and Greer 1997), taken about the point itself, so that small triangles
    far from the centre of the picture lose no digits.
    """
    x, y, w = corners[..., 0], corners[..., 1], corners[..., 3]
    dx = x - centres[:, :1] * w
    dy = y - centres[:, 1:] * w
    following, last = [1, 2, 0], [2, 0, 1]
    area = dx[:, following] * dy[:, last] - dx[:, last] * dy[:, following]
    total = area.sum(-1, keepdim=True)
    # A triangle seen exactly edge-on has no area; its pixels, if any, take the mean of the corners.
    flat = total.abs() < torch.finfo(total.dtype).tiny
    return torch.where(flat, torch.full_like(area, 1 / 3), area / torch.where(flat, torch.ones_like(total), total))


def pixel_centres(index: Int[Tensor, "N"], size: tuple[int, int], like: Tensor) -> Float[Tensor, "N 2"]:
    """Normalised device coordinates of pixels given by row * width + column."""
    width, height = size
    column, row = index % width, index // width
    return torch.stack([(column.to(like) + 0.5) * (2 / width) - 1, (row.to(like) + 0.5) * (2 / height) - 1], -1)


def differentiable_barycentrics(
    clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "B H W 3"]:
    """The fragments' barycentrics as a differentiable function of the clip positions.

    Values are clamped to the triangle and normalised like `Fragments.bary`; gradients pass the clamp unchanged, because a
    pixel is only ever outside its triangle by rounding.
    """
    batch, height, width = fragments.face.shape
    pixel = fragments.mask.reshape(-1).nonzero()[:, 0]
    image = pixel // (height * width)
    triangle = faces.long()[fragments.face.reshape(-1)[pixel].long()]
    corners = clip.reshape(-1, 4)[triangle + (image * clip.shape[1])[:, None]]
    centres = pixel_centres(pixel % (height * width), (width, height), clip)
    free = homogeneous_barycentrics(corners, centres)
    inside = free.detach().clamp(0, 1)
    inside = inside / inside.sum(-1, keepdim=True)
    bary = free + (inside - free.detach())
    return bary.new_zeros(batch * height * width, 3).index_copy(0, pixel, bary).reshape(batch, height, width, 3)


def interpolate(
    attributes: Float[Tensor, "#B V C"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    bary: Float[Tensor, "B H W 3"] | None = None,
) -> Float[Tensor, "B H W C"]:
    """Attributes of the corners at every pixel; zero in the background.

    `faces` may index other points than positions (UVs, say), row for row with the rasterised faces. `bary` defaults to
    the fragments' own, which carry no gradient.
    """
    batch, height, width = fragments.face.shape
    bary = fragments.bary if bary is None else bary
    pixel = fragments.mask.reshape(-1).nonzero()[:, 0]
    corner = faces.long()[fragments.face.reshape(-1)[pixel].long()]
    if attributes.shape[0] > 1:
        corner = corner + (pixel // (height * width) * attributes.shape[1])[:, None]
    weight = bary.reshape(-1, 3)[pixel].to(attributes.dtype)
    table = attributes.reshape(-1, attributes.shape[-1])
    value = sum(table[corner[:, k]] * weight[:, k, None] for k in range(3))
    empty = value.new_zeros(batch * height * width, attributes.shape[-1])
    return empty.index_copy(0, pixel, value).reshape(batch, height, width, -1)
