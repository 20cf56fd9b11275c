"""Colours of the samples of pictures from maps and light: one Warp kernel for float32, torch for other types.

The two are the same function; the kernel takes a fraction of torch's time, and torch in float64 is what the gradients
are checked against.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from .shading import Light, shade_textured, unit
from .shading_kernels import BASIS, TEXEL, shade_samples
from .texture import sample_texture
from .warp_runtime import array, launch, launch_backward


@dataclass(frozen=True)
class Maps:
    """What the surface sends back, over texture coordinates: all maps side by side, for they are read together."""

    texels: Float[Tensor, "H W 8"]
    """Albedo (3, linear), specular (strength of the highlight; 1 is that of skin), roughness, normal (3, in the axes u,
    v, outwards, as Blender reads it, not packed into [0, 1], of any length; flat is (0, 0, 1))."""


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
    return ShadeSamples.apply(image, *geometry, maps.texels, harmonics, direction, strength)


def shade_by_torch(image: Int[Tensor, "N"], seen: Seen, maps: Maps, lights: Sequence[Light]) -> Float[Tensor, "N 3"]:
    """`shade_surface` in torch."""
    texel = sample_texture(maps.texels[None], seen.uv[None, None])[0, 0]
    albedo, specular, roughness, relief = texel.split([3, 1, 1, 3], -1)
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
        sums = [zeros_like(tensor) for tensor in tensors]
        # Warp's backward kernels may write to the gradient that they start from.
        outwards = gradient.clone(memory_format=torch.contiguous_format)
        arguments = [array(image.int()), *as_arrays(tensors), array(torch.empty_like(outwards), wp.vec3)]
        gradients = [None, *as_arrays(sums), array(outwards, wp.vec3)]
        launch_backward(shade_samples, len(image), arguments, gradients, gradient.device)
        return None, *sums


def zeros_like(tensor: Tensor) -> Tensor:
    """Zeros; on a CPU fresh from the system, which hands out pages of large arrays only where they are written: a map
    of 1024 x 1024 is 32 MB, of which one picture sees a part."""
    if tensor.device.type != "cpu" or not tensor.numel():  # numpy's strides of nothing are not torch's
        return torch.zeros_like(tensor)
    return torch.from_numpy(np.zeros(tensor.shape, np.float32))


def as_arrays(tensors: Sequence[Tensor]) -> list[Any]:
    """What the kernel takes: the last dimension of each as one vector."""
    kinds = {2: wp.vec2, 3: wp.vec3, 4: wp.vec4, 8: TEXEL}
    return [array(tensor, kinds[tensor.shape[-1]]) for tensor in tensors]
