"""The rasteriser of PyTorch3D, for those who have it: an independent reference, slow on a CPU.

PyTorch3D looks from the other side (x to the left, y up), gives the picture's shorter side the range [-1, 1], draws
nothing of a triangle that reaches behind the camera, and leaves pixels empty whose centre lies on the edge between two
triangles. It adds 1e-8 to a triangle's area, which a pixel's size is not much above. So it gets triangles cut at the
near plane and projected, and is asked for visibility only; barycentrics and depth come from our own functions.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .rasterizer import Fragments, resolve

NUDGE = (1 / 512, 1 / 8192)
"""How far in pixels the mesh moves to the left and up: a centre on an edge then lies right of it, or below."""
BEFORE = 1e-6
"""z / w + 1 at the near plane; PyTorch3D draws nothing at 0."""


@dataclass(frozen=True)
class Pytorch3dRasterizer:
    """Triangles of less than 1e-8 of the picture are not drawn."""

    def rasterize(self, clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], size: tuple[int, int]) -> Fragments:
        """See `Rasterizer`. `size` is (width, height)."""
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes

        clip, faces = clip.detach().float(), faces.to(clip.device).long()
        pieces = [cut_at_near_plane(image, faces) for image in clip]
        points = [projected(corners, size).reshape(-1, 3) for corners, _ in pieces]
        triangles = [torch.arange(len(p), device=clip.device).reshape(-1, 3) for p in points]
        seen, *_ = rasterize_meshes(Meshes(points, triangles), size[::-1], faces_per_pixel=1)
        # The pieces of all pictures are counted through.
        face = torch.cat([owner for _, owner in pieces] + [faces.new_full((1,), -1)])[seen[..., 0]]
        fragments = resolve(clip, faces, face.int())
        drawn = fragments.depth <= 1
        bary, depth = fragments.bary * drawn[..., None], fragments.depth.clamp(max=1)
        return Fragments(torch.where(drawn, fragments.face, -1), bary, depth)


def projected(corners: Float[Tensor, "N 3 4"], size: tuple[int, int]) -> Float[Tensor, "N 3 3"]:
    """Clip space to PyTorch3D's, with z / w + 1 for its depth, which it then interpolates on the screen."""
    width, height = size
    nudge = corners.new_tensor([2 * NUDGE[0] / width, 2 * NUDGE[1] / height])
    longer = corners.new_tensor([width, height]) / min(size)
    flat = corners[..., :3] / corners[..., 3:]
    return torch.cat([-(flat[..., :2] - nudge) * longer, (flat[..., 2:] + 1).clamp(min=BEFORE)], -1)


def cut_at_near_plane(
    clip: Float[Tensor, "V 4"], faces: Int[Tensor, "F 3"]
) -> tuple[Float[Tensor, "N 3 4"], Int[Tensor, "N"]]:
    """Corners of what of each triangle is in front of z = -w, in one or two pieces, and the face each piece is of."""
    corners = clip[faces]
    height = corners[..., 2] + corners[..., 3]
    inside = (height >= 0) & (corners[..., 3] > 0)
    count, owner = inside.sum(-1), torch.arange(len(faces), device=clip.device)
    pieces, owners = [corners[count == 3]], [owner[count == 3]]
    for inner in (1, 2):
        mixed = (count == inner).nonzero()[:, 0]
        # Turned until the odd corner comes first: alone in front with one there, alone behind with two.
        odd = (inside[mixed] == (inner == 1)).int().argmax(-1)
        order = (odd[:, None] + torch.arange(3, device=clip.device)) % 3
        a, b, c = corners[mixed[:, None], order].unbind(1)
        on_ab, on_ac = crossing(a, b), crossing(a, c)
        parts = [(a, on_ab, on_ac)] if inner == 1 else [(on_ab, b, c), (on_ab, c, on_ac)]
        pieces += [torch.stack(part, 1) for part in parts]
        owners += [owner[mixed]] * len(parts)
    return torch.cat(pieces), torch.cat(owners)


def crossing(a: Float[Tensor, "N 4"], b: Float[Tensor, "N 4"]) -> Float[Tensor, "N 4"]:
    """The point of each segment on the near plane z = -w."""
    above, below = (point[:, 2:3] + point[:, 3:] for point in (a, b))
    return a + (b - a) * (above / (above - below))
