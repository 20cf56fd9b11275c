"""Sampling of maps by texture coordinates: bilinear, and trilinear from a pyramid where a map is seen from afar.

Texture coordinates: (0, 0) is the lower left corner of the map, (1, 1) the upper right, as in Blender; row 0 of the
array is the top. Beyond the border its colour goes on.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d, grid_sample


def sample_texture(texture: Float[Tensor, "#B h w C"], uv: Float[Tensor, "B H W 2"]) -> Float[Tensor, "B H W C"]:
    """Bilinear, differentiable in both."""
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], -1)
    texture = texture.permute(0, 3, 1, 2).expand(len(uv), -1, -1, -1)
    sampled = grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)


def mip_pyramid(texture: Float[Tensor, "h w C"], levels: int = 6) -> list[Float[Tensor, "_ _ C"]]:
    """The map and its halves, each the mean of four texels, while both sides are even."""
    pyramid = [texture]
    while len(pyramid) < levels and all(side % 2 == 0 for side in pyramid[-1].shape[:2]):
        half = avg_pool2d(pyramid[-1].permute(2, 0, 1)[None], 2)
        pyramid.append(half[0].permute(1, 2, 0))
    return pyramid


def sample_pyramid(
    pyramid: Sequence[Float[Tensor, "_ _ C"]], uv: Float[Tensor, "N 2"], texel_scale: Float[Tensor, "N"] | None = None
) -> Float[Tensor, "N C"]:
    """Trilinear: `texel_scale` is the width of a pixel in texture coordinates; None samples the first level."""
    if texel_scale is None or len(pyramid) == 1:
        return sample_texture(pyramid[0][None], uv[None, None])[0, 0]
    finest = max(pyramid[0].shape[:2])
    level = (texel_scale * finest).clamp(min=1).log2().clamp(max=len(pyramid) - 1)
    result = uv.new_zeros(len(uv), pyramid[0].shape[-1])
    for index, texture in enumerate(pyramid):
        weight = (1 - (level - index).abs()).clamp(min=0)
        used = weight.nonzero()[:, 0]
        if not len(used):
            continue
        sampled = sample_texture(texture[None], uv[used][None, None])[0, 0]
        result = result.index_add(0, used, weight[used, None] * sampled)
    return result


def pixel_footprint(
    pixels: Float[Tensor, "V 2"],
    faces: Int[Tensor, "F 3"],
    uv: Float[Tensor, "U 2"],
    uv_faces: Int[Tensor, "F 3"],
) -> Float[Tensor, "F"]:
    """How wide a pixel is in texture coordinates on each face: the root of the ratio of the two areas."""

    def doubled_area(points: Tensor, triangles: Tensor) -> Tensor:
        a, b, c = (points[triangles[:, k]] for k in range(3))
        (x0, y0), (x1, y1) = (b - a).unbind(-1), (c - a).unbind(-1)
        return (x0 * y1 - y0 * x1).abs()

    return (doubled_area(uv, uv_faces) / doubled_area(pixels, faces).nan_to_num().clamp(min=1e-3)).sqrt()
