"""Colours of the samples of pictures from maps and light: one Warp kernel for float32, torch for other types.

The two are the same function; the kernel brings a head's picture of 512 x 512, forward and backward, from 172 to 113 ms
of one core, and torch in float64 is what the gradients are checked against.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from .shading import Light, shade_textured, unit
from .shading_kernels import BASIS, shade_samples
from .texture import sample_texture
from .warp_runtime import array, launch, launch_backward


@dataclass(frozen=True)
class Maps:
    """What the surface sends back, over texture coordinates; maps may differ in size."""

    albedo: Float[Tensor, "_ _ 3"]
    """Linear."""
    specular: Float[Tensor, "_ _ 1"]
    """Strength of the highlight; 1 is that of skin."""
    roughness: Float[Tensor, "_ _ 1"]
    normal: Float[Tensor, "_ _ 3"]
    """In the axes u, v, outwards, as Blender reads it (not packed into [0, 1]), of any length; flat is (0, 0, 1)."""


@dataclass(frozen=True)
class Seen:
    """Geometry at the samples, interpolated, in camera axes."""

    smooth: Float[Tensor, "N 3"]
    """Normals."""
    position: Float[Tensor, "N 3"]
    uv: Float[Tensor, "N 2"]
    tangent: Float[Tensor, "N 4"]
    """Along u, and -1 where the map is mirrored."""


def shade_surface(image: Int[Tensor, "N"], seen: Seen, maps: Maps, lights: Sequence[Light]) -> Float[Tensor, "N 3"]:
    """Each sample under the light of its picture; `image` are rising indices into `lights`. Differentiable."""
    if seen.smooth.dtype != torch.float32:
        return shade_by_torch(image, seen, maps, lights)
    harmonics = torch.stack([pad(light.harmonics, (0, 0, 0, BASIS - len(light.harmonics))) for light in lights])
    direction, strength = (
        torch.stack([getattr(light, name) for light in lights]) for name in ("direction", "strength")
    )
    geometry = (seen.smooth, seen.position, seen.uv, seen.tangent)
    surface = (maps.albedo, maps.specular, maps.roughness, maps.normal)
    return ShadeSamples.apply(image, *geometry, *surface, harmonics, direction, strength)


def shade_by_torch(image: Int[Tensor, "N"], seen: Seen, maps: Maps, lights: Sequence[Light]) -> Float[Tensor, "N 3"]:
    """`shade_surface` in torch."""
    albedo, specular, roughness, relief = (
        sample_texture(map_[None], seen.uv[None, None])[0, 0]
        for map_ in (maps.albedo, maps.specular, maps.roughness, maps.normal)
    )
    surface = (albedo, bend(seen.smooth, seen.tangent, relief), -unit(seen.position), specular, roughness)
    counts = torch.bincount(image, minlength=len(lights)).tolist()
    parts = [values.split(counts) for values in surface]
    shaded = [
        shade_textured(albedo, normals, view, light, specular, roughness)
        for light, albedo, normals, view, specular, roughness in zip(lights, *parts, strict=True)
    ]
    return torch.cat(shaded)


def bend(
    smooth: Float[Tensor, "N 3"], tangent: Float[Tensor, "N 4"], relief: Float[Tensor, "N 3"]
) -> Float[Tensor, "N 3"]:
    """Unit normals of a normal map over interpolated normals and tangents."""
    across = tangent[:, 3:] * torch.linalg.cross(smooth, tangent[:, :3])
    u, v, outwards = relief.split(1, -1)
    return unit(u * tangent[:, :3] + v * across + outwards * smooth)


class ShadeSamples(torch.autograd.Function):
    """`shade_surface` in Warp."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, *tensors: Tensor) -> Tensor:
        tensors = [tensor.detach().contiguous() for tensor in tensors]
        colour = torch.empty_like(tensors[0])
        arguments = [array(image.int()), *as_arrays(tensors), array(colour, wp.vec3)]
        launch(shade_samples, len(image), arguments, colour.device)
        ctx.save_for_backward(image, *tensors)
        return colour

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        image, *tensors = ctx.saved_tensors
        sums = [torch.zeros_like(tensor) for tensor in tensors]
        # Warp's backward kernels may write to the gradient that they start from.
        outwards = gradient.clone(memory_format=torch.contiguous_format)
        arguments = [array(image.int()), *as_arrays(tensors), array(torch.empty_like(outwards), wp.vec3)]
        gradients = [None, *as_arrays(sums), array(outwards, wp.vec3)]
        launch_backward(shade_samples, len(image), arguments, gradients, gradient.device)
        return None, *sums


def as_arrays(tensors: Sequence[Tensor]) -> list[Any]:
    """What the kernel takes: the last dimension of each as one vector, or as one number where it is 1."""
    kinds = {2: wp.vec2, 3: wp.vec3, 4: wp.vec4}
    return [
        array(tensor[..., 0]) if tensor.shape[-1] == 1 else array(tensor, kinds[tensor.shape[-1]]) for tensor in tensors
    ]
