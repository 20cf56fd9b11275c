"""The default rasteriser: NVIDIA Warp kernels, one source for CPU and CUDA.

Each triangle writes its pixels as depth and index packed into 64 bits with an atomic minimum, so the result does not
depend on the order of threads: the nearest wins, of equals the one with the lower index. Coverage is decided in fixed
point (1/256 pixel) with the top-left rule, so that neighbours leave no gap and share no pixel.
"""

from dataclasses import dataclass
from functools import cache

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from .rasterizer import Fragments
from .warp_kernels import resolve_pixels, splat_triangles

EMPTY = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class WarpRasterizer:
    """Rasterises on the device where the clip positions are. Kernels compile on first use, into Warp's cache folder."""

    def rasterize(self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]) -> Fragments:
        """See `Rasterizer`. `size` is (width, height); positions are taken as float32 and carry no gradient."""
        width, height = size
        batch, vertices, _ = clip.shape
        clip = clip.detach().float().contiguous()
        faces = faces.to(device=clip.device, dtype=torch.int32).contiguous()
        nearest = torch.full((batch * height * width,), EMPTY, dtype=torch.int64, device=clip.device)
        face = torch.empty(batch * height * width, dtype=torch.int32, device=clip.device)
        bary = torch.empty(batch * height * width, 3, dtype=torch.float32, device=clip.device)
        depth = torch.empty(batch * height * width, dtype=torch.float32, device=clip.device)
        start_quietly()
        positions = wp.from_torch(clip.view(-1, 4), dtype=wp.vec4)
        triangles = wp.from_torch(faces, dtype=wp.vec3i)
        packed = wp.from_torch(nearest, dtype=wp.int64)
        device = wp.device_from_torch(clip.device)
        outputs = [wp.from_torch(face), wp.from_torch(bary, dtype=wp.vec3), wp.from_torch(depth)]
        sizes = [vertices, width, height]
        wp.launch(splat_triangles, (batch, len(faces)), [positions, triangles, *sizes, packed], device=device)
        wp.launch(resolve_pixels, len(nearest), [positions, triangles, *sizes, packed, *outputs], device=device)
        shape = (batch, height, width)
        return Fragments(face.view(shape), bary.view(*shape, 3), depth.view(shape))


@cache
def start_quietly() -> None:
    """Starts Warp, once, without its banner and its remark that there is no GPU; later warnings stay."""
    wp.config.log_level = wp.LOG_ERROR
    wp.init()
    wp.config.log_level = wp.LOG_WARNING
