"""Antialiasing of silhouettes, through which coverage has gradients with respect to the vertices.

After Laine et al., "Modular Primitives for High-Performance Differentiable Rendering" (2020), section 3.5: where a
silhouette edge of the nearer of two neighbouring pixels passes between their centres, the pixel that the edge cuts is
blended with the other by how far the edge reaches. The paper looks at the edges of the nearer pixel's own triangle
only; on a head most triangles along the outline are thinner than a pixel, so here the search walks on across the
triangles between the two centres.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..geometry.mesh import adjacent_faces
from .rasterizer import Fragments

STEPS = 8
"""Triangles that the search for an edge may cross."""
ROUNDING = 1 / 64
"""Coverage is decided in rounded positions: by so many pixels an edge may lie beyond a centre."""


@dataclass(frozen=True)
class Pairs:
    """Neighbouring pixels that see different triangles, as flat indices."""

    near: Int[Tensor, "N"]
    far: Int[Tensor, "N"]
    """Sees something behind what the near pixel sees."""
    vertical: Bool[Tensor, "N"]
    sign: Int[Tensor, "N"]
    """+1 where the far pixel comes later in the picture, else -1."""

    def select(self, chosen: Tensor) -> "Pairs":
        """Some of the pairs, by mask or index."""
        return Pairs(self.near[chosen], self.far[chosen], self.vertical[chosen], self.sign[chosen])


def antialias(
    colour: Float[Tensor, "B H W C"],
    clip: Float[Tensor, "B V 4"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    adjacent: Int[Tensor, "F 3"] | None = None,
) -> Float[Tensor, "B H W C"]:
    """`colour` (any channels, coverage among them) with soft silhouettes; differentiable in `colour` and `clip`.

    `adjacent` is `adjacent_faces(faces)`, to be computed once for a mesh.
    """
    faces = faces.long()
    adjacent = adjacent_faces(faces) if adjacent is None else adjacent
    size = (fragments.face.shape[2], fragments.face.shape[1])
    with torch.no_grad():
        pixels, in_front = viewport(clip, size)
        outline = silhouette_edges(pixels, in_front, faces, adjacent)
        pairs = neighbour_pairs(fragments, outline, adjacent)
        pairs, edges = cut_edges(pixels, faces, adjacent, outline, fragments, pairs)
    image = pairs.near // (size[0] * size[1])
    ends = viewport(clip[image[:, None], edges], size)[0]
    reach = crossings(ends - pixel_position(pairs.near, size)[:, None], pairs)
    flat = colour.reshape(-1, colour.shape[-1])
    # Past the middle the nearer surface enters the far pixel; before it, the far one shows in the near pixel.
    changed = torch.where(reach > 0.5, pairs.far, pairs.near)
    return Exchange.apply(flat, (reach - 0.5).to(flat.dtype), changed, pairs.near, pairs.far).reshape(colour.shape)


class Exchange(torch.autograd.Function):
    """`colour` (N, C) plus, in the rows `changed`, `share` (M,) of the difference between the rows `near` and `far`.

    Torch's own backward passes of lookups and sums go over the whole picture four times; this one copies it once.
    """

    @staticmethod
    def forward(ctx: Any, colour: Tensor, share: Tensor, changed: Tensor, near: Tensor, far: Tensor) -> Tensor:
        difference = colour[near] - colour[far]
        ctx.save_for_backward(share, difference, changed, near, far)
        return colour.index_add(0, changed, share[:, None] * difference)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        share, difference, changed, near, far = ctx.saved_tensors
        arriving = gradient[changed]
        part = share[:, None] * arriving
        by_colour = gradient.index_add(0, near, part).index_add_(0, far, part, alpha=-1)
        return by_colour, (arriving * difference).sum(-1), None, None, None


def viewport(clip: Float[Tensor, "*batch 4"], size: tuple[int, int]) -> tuple[Float[Tensor, "*batch 2"], Tensor]:
    """Pixels of clip positions, and which of them lie in front of the camera; those behind come out meaningless."""
    in_front = clip[..., 3] > 0
    w = torch.where(in_front, clip[..., 3], 1)[..., None]
    return (clip[..., :2] / w + 1) * clip.new_tensor([size[0] / 2, size[1] / 2]), in_front


def pixel_position(index: Int[Tensor, "N"], size: tuple[int, int]) -> Float[Tensor, "N 2"]:
    """Centres of pixels given by flat index, in pixels."""
    pixel = index % (size[0] * size[1])
    return torch.stack([pixel % size[0], pixel // size[0]], -1) + 0.5


def silhouette_edges(
    pixels: Float[Tensor, "B V 2"], in_front: Bool[Tensor, "B V"], faces: Int[Tensor, "F 3"], adjacent: Tensor
) -> Bool[Tensor, "B F 3"]:
    """Edges (each named by the corner opposite to it) without a neighbour on their other side in the picture."""
    ends = faces[:, [[1, 2], [2, 0], [0, 1]]]
    opposite = faces[adjacent.clamp(min=0)].sum(-1) - ends.sum(-1)
    start, end, inner = pixels[:, ends[..., 0]], pixels[:, ends[..., 1]], pixels[:, faces]
    outer = pixels[:, torch.where(adjacent >= 0, opposite, faces)]
    edge = end - start

    def side(point: Tensor) -> Tensor:
        offset = point - start
        return edge[..., 0] * offset[..., 1] - edge[..., 1] * offset[..., 0] > 0

    whole = in_front[:, faces].all(-1, keepdim=True)
    return whole & ((adjacent < 0) | (side(inner) == side(outer)))


def near_outline(outline: Bool[Tensor, "B F 3"], adjacent: Int[Tensor, "F 3"]) -> Bool[Tensor, "B F"]:
    """Faces from which a silhouette edge may be reached within a pixel: those up to three triangles away."""
    reached = outline.any(-1)
    for _ in range(3):
        reached = reached | (reached[:, adjacent.clamp(min=0)] & (adjacent >= 0)).any(-1)
    return reached


def neighbour_pairs(fragments: Fragments, outline: Bool[Tensor, "B F 3"], adjacent: Int[Tensor, "F 3"]) -> Pairs:
    """Neighbours in rows and columns with different faces, without those that cannot have a silhouette in between."""
    _, height, width = fragments.face.shape
    face, depth = fragments.face.reshape(-1), fragments.depth.reshape(-1)
    found = []
    for vertical, dimension, step in ((False, 2, 1), (True, 1, width)):
        length = fragments.face.shape[dimension] - 1
        first, second = (fragments.face.narrow(dimension, k, length) for k in (0, 1))
        index = torch.arange(face.numel(), device=face.device).view(fragments.face.shape).narrow(dimension, 0, length)
        index = index[first != second]
        # The background is at depth 1, as a surface on the far plane is: what is a surface is nearer.
        ahead = (depth[index] <= depth[index + step]) & (face[index] >= 0) | (face[index + step] < 0)
        near = torch.where(ahead, index, index + step)
        sign = torch.where(ahead, 1, -1)
        found.append(Pairs(near, near + sign * step, torch.full_like(ahead, vertical), sign))
    pairs = join(found)
    image, front = pairs.near // (height * width), face[pairs.near].long()
    pairs = pairs.select(near_outline(outline, adjacent)[image, front])
    # Across an edge that is no silhouette the surface simply goes on: true of most pairs.
    image, front, back = pairs.near // (height * width), face[pairs.near].long(), face[pairs.far]
    return pairs.select(~((adjacent[front] == back[:, None]) & (back[:, None] >= 0) & ~outline[image, front]).any(-1))


def crossings(ends: Float[Tensor, "N *E 2"], pairs: Pairs) -> Float[Tensor, "N *"]:
    """Where edges given by their two ends (last but one dimension), relative to the near pixel's centre, cross the line
    to the far pixel's, in pixels; minus infinity where they do not."""
    vertical = pairs.vertical.view(-1, *[1] * (ends.ndim - 2))
    along = torch.where(vertical, ends[..., 1], ends[..., 0]) * pairs.sign.view(vertical.shape)
    across = torch.where(vertical, ends[..., 0], ends[..., 1])
    crosses = (across[..., 0] < 0) != (across[..., 1] < 0)
    rise = torch.where(crosses, across[..., 1] - across[..., 0], 1)
    where = along[..., 0] - across[..., 0] * (along[..., 1] - along[..., 0]) / rise
    return torch.where(crosses, where, -torch.inf)


def cut_edges(
    pixels: Float[Tensor, "B V 2"],
    faces: Int[Tensor, "F 3"],
    adjacent: Int[Tensor, "F 3"],
    outline: Bool[Tensor, "B F 3"],
    fragments: Fragments,
    pairs: Pairs,
) -> tuple[Pairs, Int[Tensor, "M 2"]]:
    """The pairs between which a silhouette edge of the nearer surface passes, and the two vertices of that edge.

    Walks from the near centre across triangle after triangle until one ends in a silhouette. Only edges steeper than 45
    degrees to the pair count: the others cut pairs of the other direction.
    """
    _, height, width = fragments.face.shape
    face = fragments.face.reshape(-1)[pairs.near].long()
    kept, edges = [], []
    for _ in range(STEPS):
        image, centre = pairs.near // (height * width), pixel_position(pairs.near, (width, height))
        corners = faces[face][:, [[1, 2], [2, 0], [0, 1]]]
        ends = pixels[image[:, None, None], corners] - centre[:, None, None]
        where, leaving = crossings(ends, pairs).max(-1)
        each = torch.arange(len(face), device=face.device)
        end, following = ends[each, leaving], adjacent[face, leaving]
        reached = (where > -ROUNDING) & (where < 1 + ROUNDING)
        hit = reached & outline[image, face, leaving]
        slope = (end[:, 1] - end[:, 0]).abs()
        steep = torch.where(pairs.vertical, slope[:, 0] >= slope[:, 1], slope[:, 1] >= slope[:, 0])
        kept.append(pairs.select(hit & steep))
        edges.append(corners[each, leaving][hit & steep])
        onward = (reached & ~hit & (following >= 0)).nonzero()[:, 0]
        pairs, face = pairs.select(onward), following[onward]
        if not len(face):
            break
    return join(kept), torch.cat(edges)


def join(parts: Sequence[Pairs]) -> Pairs:
    """All pairs of several groups."""
    return Pairs(*(torch.cat([getattr(part, name) for part in parts]) for name in Pairs.__dataclass_fields__))
