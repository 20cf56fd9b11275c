"""Barycentrics and attributes at samples, differentiable: Warp kernels for float32, torch for other types.

The two are the same functions; the kernels take a fifth of the time of torch's gathers and scatters on a CPU, and
torch in float64 is what the gradients are checked against.
"""

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from .attribute_kernels import barycentrics, barycentrics_backward, blend_corners, blend_corners_backward
from .warp_runtime import array, launch


@dataclass(frozen=True)
class Samples:
    """The `N` pixels of a batch of pictures in which a face is seen."""

    face: Int[Tensor, "N"]
    """int32 row of the faces."""
    image: Int[Tensor, "N"]
    """int32 index into the batch."""


def sample_attributes(
    attributes: Float[Tensor, "_ V C"], faces: Int[Tensor, "F 3"], samples: Samples, bary: Float[Tensor, "N 3"]
) -> Float[Tensor, "N C"]:
    """Attributes of the corners weighted by `bary`; differentiable in both. One table for all images or one each."""
    if attributes.dtype == torch.float32:
        return BlendCorners.apply(attributes, faces, samples, bary)
    table, corner = flat_corners(attributes, faces, samples)
    return (table[corner] * bary[..., None]).sum(1)


def sample_barycentrics(
    clip: Float[Tensor, "_ V 4"], faces: Int[Tensor, "F 3"], samples: Samples, centres: Float[Tensor, "N 2"]
) -> Float[Tensor, "N 3"]:
    """Perspective-correct barycentrics of the samples' faces at points (x / w, y / w); differentiable in `clip`.

    Edge functions in homogeneous coordinates (Olano and Greer 1997), taken about the point itself, so that small
    triangles far from the centre of the picture lose no digits. Corners may lie behind the camera.
    """
    if clip.dtype == torch.float32:
        return Barycentrics.apply(clip, faces, samples, centres)
    table, corner = flat_corners(clip, faces, samples)
    x, y, w = table[corner][..., [0, 1, 3]].unbind(-1)
    dx, dy = x - centres[:, :1] * w, y - centres[:, 1:] * w
    following, last = [1, 2, 0], [2, 0, 1]
    area = dx[:, following] * dy[:, last] - dx[:, last] * dy[:, following]
    total = area.sum(-1, keepdim=True)
    # A triangle seen exactly edge-on has no area; its pixels, if any, take the mean of the corners.
    flat = total.abs() < 1e-30
    return torch.where(flat, torch.full_like(area, 1 / 3), area / torch.where(flat, torch.ones_like(total), total))


def flat_corners(
    attributes: Float[Tensor, "_ V C"], faces: Int[Tensor, "F 3"], samples: Samples
) -> tuple[Float[Tensor, "_ C"], Int[Tensor, "N 3"]]:
    """The attributes of all images in one table, and the samples' rows in it."""
    corner = faces.long()[samples.face.long()]
    if len(attributes) > 1:
        corner = corner + (samples.image.long() * attributes.shape[1])[:, None]
    return attributes.reshape(-1, attributes.shape[-1]), corner


def indices(faces: Tensor, samples: Samples, attributes: Tensor) -> list[Any]:
    """What all kernels take: faces, face and image of each sample, and how far apart the images' tables are."""
    stride = attributes.shape[1] if len(attributes) > 1 else 0
    triangles = array(faces.int().contiguous(), wp.vec3i)
    return [triangles, array(samples.face.int().contiguous()), array(samples.image.int().contiguous()), stride]


class BlendCorners(torch.autograd.Function):
    """`sample_attributes` in Warp."""

    @staticmethod
    def forward(ctx: Any, attributes: Tensor, faces: Tensor, samples: Samples, bary: Tensor) -> Tensor:
        attributes, bary = attributes.contiguous(), bary.contiguous()
        table = attributes.view(-1, attributes.shape[-1])
        result = table.new_empty(len(bary), table.shape[-1])
        common = [array(table.detach()), *indices(faces, samples, attributes), array(bary.detach(), wp.vec3)]
        launch(blend_corners, len(bary), [*common, array(result)], table.device)
        ctx.save_for_backward(attributes, faces, samples.face, samples.image, bary)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        attributes, faces, face, image, bary = ctx.saved_tensors
        table = attributes.view(-1, attributes.shape[-1])
        wanted = ctx.needs_input_grad[0]
        table_gradient = torch.zeros_like(table) if wanted else table.new_zeros(0, table.shape[-1])
        bary_gradient = torch.empty_like(bary)
        common = [array(table), *indices(faces, Samples(face, image), attributes), array(bary, wp.vec3)]
        outputs = [array(table_gradient), array(bary_gradient, wp.vec3)]
        launch(blend_corners_backward, len(bary), [*common, array(gradient.contiguous()), *outputs], table.device)
        return table_gradient.view(attributes.shape) if wanted else None, None, None, bary_gradient


class Barycentrics(torch.autograd.Function):
    """`sample_barycentrics` in Warp."""

    @staticmethod
    def forward(ctx: Any, clip: Tensor, faces: Tensor, samples: Samples, centres: Tensor) -> Tensor:
        clip, centres = clip.contiguous(), centres.contiguous()
        result = clip.new_empty(len(centres), 3)
        table = array(clip.detach().view(-1, 4), wp.vec4)
        common = [table, *indices(faces, samples, clip), array(centres, wp.vec2)]
        launch(barycentrics, len(centres), [*common, array(result, wp.vec3)], clip.device)
        ctx.save_for_backward(clip, faces, samples.face, samples.image, centres, result)
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        clip, faces, face, image, centres, bary = ctx.saved_tensors
        clip_gradient = torch.zeros_like(clip).view(-1, 4)
        common = [
            array(clip.view(-1, 4), wp.vec4),
            *indices(faces, Samples(face, image), clip),
            array(centres, wp.vec2),
        ]
        arrays = [array(bary, wp.vec3), array(gradient.contiguous(), wp.vec3), array(clip_gradient)]
        launch(barycentrics_backward, len(centres), [*common, *arrays], clip.device)
        return clip_gradient.view(clip.shape), None, None, None
