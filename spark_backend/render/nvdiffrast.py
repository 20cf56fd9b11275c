"""The rasteriser of nvdiffrast, for those who have it: CUDA only, and not for commercial use by its licence."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..protocol.errors import SparkError
from .rasterizer import Fragments


@dataclass(frozen=True)
class NvdiffrastRasterizer:
    """Its clip space has row 0 at y = -w, as ours has. Which of two equally near triangles is seen, it leaves open."""

    def rasterize(self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]) -> Fragments:
        """See `Rasterizer`. Raises SparkError for tensors that are not on an NVIDIA GPU."""
        import nvdiffrast.torch as dr

        if clip.device.type != "cuda":
            raise SparkError("nvdiffrast draws on NVIDIA GPUs only; choose the rasteriser warp or a CUDA device")
        positions = clip.detach().float().contiguous()
        triangles = faces.to(device=clip.device, dtype=torch.int32).contiguous()
        packed, _ = dr.rasterize(context(clip.device), positions, triangles, size[::-1], grad_db=False)
        return unpack(packed)


@cache
def context(device: torch.device) -> Any:
    """nvdiffrast's buffers on a GPU, which are slow to make and grow with the pictures."""
    import nvdiffrast.torch as dr

    return dr.RasterizeCudaContext(device)


def unpack(packed: Float[Tensor, "B H W 4"]) -> Fragments:
    """From the weights of the first two corners, z / w and the triangle plus 1; all zero in the background."""
    face = packed[..., 3].int() - 1
    mask = face >= 0
    first_two = packed[..., :2]
    bary = torch.cat([first_two, 1 - first_two.sum(-1, keepdim=True)], -1).clamp(min=0)
    return Fragments(face, bary * mask[..., None], torch.where(mask, packed[..., 2], 1.0))
