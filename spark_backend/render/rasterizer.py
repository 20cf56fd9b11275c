"""The Rasterizer seam: what every rasteriser returns, and the differentiable steps that they share.

Visibility carries no gradient. Barycentrics are recomputed from the clip positions here, once, and are differentiable;
silhouettes get their gradients in `antialias.py`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .attributes import Samples, sample_attributes, sample_barycentrics


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
    def mask(self) -> Bool[Tensor, "B H W"]:
        """Whether anything is seen."""
        return self.face >= 0

    @cached_property
    def samples(self) -> tuple[Int[Tensor, "N"], Samples]:
        """Flat indices of the pixels in which something is seen, and what."""
        face = self.face.reshape(-1)
        pixel = (face >= 0).nonzero()[:, 0]
        image = torch.div(pixel, self.face[0].numel(), rounding_mode="floor").int()
        return pixel, Samples(face[pixel], image)


@runtime_checkable
class Rasterizer(Protocol):
    """Finds the nearest triangle at the centre of every pixel.

    Both sides of a triangle are drawn. A pixel centre on an edge shared by two triangles belongs to exactly one of
    them. Triangles that cross the near plane (z = -w) are cut there; nothing is drawn beyond the far plane (z = w).
    Where two surfaces are equally near, the triangle that comes first is seen.
    """

    def rasterize(self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]) -> Fragments:
        """`size` is (width, height). The result carries no gradient."""
        ...


def pixel_centres(index: Int[Tensor, "N"], size: tuple[int, int], like: Tensor) -> Float[Tensor, "N 2"]:
    """x / w and y / w at the centres of pixels given by row * width + column, in type and device of `like`."""
    width, height = size
    row = torch.div(index, width, rounding_mode="floor")
    column = index - row * width
    return torch.stack([(column.to(like) + 0.5) * (2 / width) - 1, (row.to(like) + 0.5) * (2 / height) - 1], -1)


def differentiable_barycentrics(
    clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "B H W 3"]:
    """The fragments' barycentrics as a differentiable function of the clip positions.

    Values are clamped to the triangle and normalised like `Fragments.bary`; gradients pass the clamp unchanged, because
    a pixel is only ever outside its triangle by rounding.
    """
    return scatter(covered_barycentrics(clip, faces, fragments), fragments.samples[0], fragments)


def covered_barycentrics(
    clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], fragments: Fragments
) -> Float[Tensor, "N 3"]:
    """`differentiable_barycentrics` of the pixels in which something is seen."""
    _, height, width = fragments.face.shape
    pixel, samples = fragments.samples
    centres = pixel_centres(pixel - samples.image.long() * (height * width), (width, height), clip)
    free = sample_barycentrics(clip, faces, samples, centres)
    inside = free.detach().clamp(0, 1)
    return free + (inside / inside.sum(-1, keepdim=True) - free.detach())


def resolve(clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], face: Int[Tensor, "B H W"]) -> Fragments:
    """Fragments from the faces (int32) seen alone, for rasterisers whose own weights are of no use. No gradient."""
    clip = clip.detach()
    fragments = Fragments(face, clip.new_zeros(*face.shape, 3), clip.new_ones(face.shape))
    bary = differentiable_barycentrics(clip, faces, fragments)
    z, w = interpolate(clip[..., 2:], faces, fragments, bary).unbind(-1)
    return Fragments(face, bary, torch.where(fragments.mask, z / torch.where(fragments.mask, w, 1), 1))


def interpolate(
    attributes: Float[Tensor, "_ V C"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    bary: Float[Tensor, "B H W 3"] | None = None,
) -> Float[Tensor, "B H W C"]:
    """Attributes of the corners at every pixel; zero in the background. One table for all images, or one for each.

    `faces` may index other points than positions (UVs, say), row for row with the rasterised faces. `bary` defaults to
    the fragments' own, which carry no gradient.
    """
    bary = fragments.bary if bary is None else bary
    pixel, samples = fragments.samples
    weight = bary.reshape(-1, 3).index_select(0, pixel).to(attributes.dtype)
    return scatter(sample_attributes(attributes, faces, samples, weight), pixel, fragments)


def scatter(values: Float[Tensor, "N C"], pixel: Int[Tensor, "N"], fragments: Fragments) -> Float[Tensor, "B H W C"]:
    """Values of some pixels as pictures that are zero elsewhere."""
    empty = values.new_zeros(fragments.face.numel(), values.shape[-1])
    return empty.index_copy(0, pixel, values).reshape(*fragments.face.shape, -1)
