"""Sampling of maps by texture coordinates."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample


def sample_texture(texture: Float[Tensor, "#B h w C"], uv: Float[Tensor, "B H W 2"]) -> Float[Tensor, "B H W C"]:
    """Bilinear; (0, 0) is the lower left corner of the map, as in Blender; beyond the border its colour goes on."""
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], -1)
    texture = texture.permute(0, 3, 1, 2).expand(len(uv), -1, -1, -1)
    sampled = grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return sampled.permute(0, 2, 3, 1)
