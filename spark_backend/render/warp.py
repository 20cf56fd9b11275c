"""The default rasteriser: NVIDIA Warp kernels, one source for CPU and CUDA.

Each triangle writes its pixels as depth and index packed into 64 bits with an atomic minimum, so the result does not
depend on the order of threads. Coverage is decided in fixed point (1/256 pixel) with the top-left rule, so that
neighbours leave no gap and share no pixel.
"""

from dataclasses import dataclass

import torch
import warp as wp
from jaxtyping import Float, Int
from torch import Tensor

from .rasterizer import Fragments
from .warp_kernels import resolve_pixels, splat_triangles
from .warp_runtime import array, launch

EMPTY = torch.iinfo(torch.int64).max


@dataclass(frozen=True)
class WarpRasterizer:
    """Rasterises on the device where the clip positions are. Kernels compile on first use, into Warp's cache folder."""

    def rasterize(self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]) -> Fragments:
        """See `Rasterizer`. `size` is (width, height); positions are taken as float32 and carry no gradient."""
        width, height = size
        batch, vertices, _ = clip.shape
        device = clip.device
        positions = array(clip.detach().float().contiguous().view(-1, 4), wp.vec4)
        triangles = array(faces.to(device=device, dtype=torch.int32).contiguous(), wp.vec3i)
        nearest = torch.full((batch, height, width), EMPTY, device=device)
        face = torch.empty(batch, height, width, dtype=torch.int32, device=device)
        bary = torch.empty(batch, height, width, 3, device=device)
        depth = torch.empty(batch, height, width, device=device)
        common = [positions, triangles, vertices, width, height, array(nearest.view(-1))]
        launch(splat_triangles, (batch, len(faces)), common, device)
        outputs = [array(face.view(-1)), array(bary.view(-1, 3), wp.vec3), array(depth.view(-1))]
        launch(resolve_pixels, batch * height * width, [*common, *outputs], device)
        return Fragments(face, bary, depth)
