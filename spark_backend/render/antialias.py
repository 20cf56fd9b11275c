"""Antialiasing of silhouettes, through which coverage has gradients with respect to the vertices.

As in Laine et al., "Modular Primitives for High-Performance Differentiable Rendering" (2020), section 3.5: where two
neighbouring pixels see different triangles and a silhouette edge of the nearer one passes between their centres, the
pixel that the edge cuts is blended with the other by how far the edge reaches. Written from the paper, in torch.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..geometry.mesh import opposite_vertices
from .rasterizer import Fragments


def antialias(
    colour: Float[Tensor, "B H W C"],
    clip: Float[Tensor, "B V 4"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    opposite: Int[Tensor, "F 3"] | None = None,
) -> Float[Tensor, "B H W C"]:
    """`colour` (any channels, coverage among them) with soft silhouettes; differentiable in `colour` and `clip`.

    `opposite` is `opposite_vertices(faces)`, to be computed once for a mesh.
    """
    faces = faces.long()
    opposite = opposite_vertices(faces) if opposite is None else opposite
    outline = silhouette_edges(clip.detach(), faces, opposite)
    flat = colour.reshape(-1, colour.shape[-1])
    result = flat
    for axis in (0, 1):
        near, far, sign = silhouette_pairs(fragments, outline, axis)
        reach = edge_crossing(clip, faces, fragments, outline, near, axis, sign)
        hit = reach.detach() >= 0
        near, far, reach = near[hit], far[hit], reach[hit]
        difference = flat[near] - flat[far]
        # Past the middle the nearer surface enters the far pixel; before it, the far one shows in the near pixel.
        result = result.index_add(0, far, (reach - 0.5).clamp(min=0)[:, None] * difference)
        result = result.index_add(0, near, (reach - 0.5).clamp(max=0)[:, None] * difference)
    return result.reshape(colour.shape)


def silhouette_edges(
    clip: Float[Tensor, "B V 4"], faces: Int[Tensor, "F 3"], opposite: Int[Tensor, "F 3"]
) -> Bool[Tensor, "B F 3"]:
    """Edges (each named by the corner opposite to it) without a neighbour on their other side in the picture."""
    in_front = clip[..., 3] > 0
    point = clip[..., :2] / torch.where(in_front, clip[..., 3], 1)[..., None]
    start, end = point[:, faces[:, [1, 2, 0]]], point[:, faces[:, [2, 0, 1]]]
    inner, outer = point[:, faces], point[:, opposite.clamp(min=0)]
    edge = end - start

    def side(p: Tensor) -> Tensor:
        offset = p - start
        return edge[..., 0] * offset[..., 1] - edge[..., 1] * offset[..., 0] > 0

    visible = in_front[:, faces[:, [1, 2, 0]]] & in_front[:, faces[:, [2, 0, 1]]]
    return visible & ((opposite < 0) | (side(inner) == side(outer)))


def silhouette_pairs(
    fragments: Fragments, outline: Bool[Tensor, "B F 3"], axis: int
) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"], Int[Tensor, "N"]]:
    """Neighbours along columns (axis 0) or rows (1) with different faces, the nearer with a silhouette edge.

    Flat indices of the nearer and the farther pixel, and +1 where the farther one comes later in the picture, else -1.
    """
    _, height, width = fragments.face.shape
    face, depth = fragments.face, fragments.depth
    size = (width, height)[axis]
    dimension, step = 2 - axis, (1, width)[axis]
    first, second = (face.narrow(dimension, k, size - 1) for k in (0, 1))
    index = torch.arange(face.numel(), device=face.device).view(face.shape).narrow(dimension, 0, size - 1)
    index = index[first != second]
    flat_face, flat_depth = face.reshape(-1), depth.reshape(-1)
    # The background is at depth 1, a surface on the far plane too: what is a surface is nearer.
    ahead = (flat_depth[index] <= flat_depth[index + step]) & (flat_face[index] >= 0) | (flat_face[index + step] < 0)
    near = torch.where(ahead, index, index + step)
    outlined = outline.any(-1)[near // (height * width), flat_face[near].long()]
    near, ahead = near[outlined], ahead[outlined]
    sign = torch.where(ahead, 1, -1)
    return near, near + sign * step, sign


def edge_crossing(
    clip: Float[Tensor, "B V 4"],
    faces: Int[Tensor, "F 3"],
    fragments: Fragments,
    outline: Bool[Tensor, "B F 3"],
    near: Int[Tensor, "N"],
    axis: int,
    sign: Int[Tensor, "N"],
) -> Float[Tensor, "N"]:
    """How far from the near pixel's centre, in [0, 1] towards the other, its triangle's silhouette edge is; -1 if none.

    Only edges steeper than 45 degrees to the pair count: the others cut pairs of the other axis.
    """
    _, height, width = fragments.face.shape
    image, pixel = near // (height * width), near % (height * width)
    face = fragments.face.reshape(-1)[near].long()
    corner = clip[image[:, None], faces[face]]
    usable = outline[image, face]
    w = torch.where(corner[..., 3:] > 0, corner[..., 3:], torch.ones_like(corner[..., 3:]))
    scale = clip.new_tensor([width / 2, height / 2])
    centre = torch.stack([pixel % width, pixel // width], -1).to(clip) + 0.5
    point = (corner[..., :2] / w + 1) * scale - centre[:, None]
    along, across = point[..., axis] * sign[:, None], point[..., 1 - axis]
    a0, a1 = along[:, [1, 2, 0]], along[:, [2, 0, 1]]
    c0, c1 = across[:, [1, 2, 0]], across[:, [2, 0, 1]]
    usable = usable & ((c0 < 0) != (c1 < 0)) & ((c1 - c0).abs() >= (a1 - a0).abs())
    slope = torch.where(usable, c1 - c0, torch.ones_like(c0))
    crossing = a0 - c0 * (a1 - a0) / slope
    # Coverage is decided in rounded positions; the tolerance is what rounding can move the edge.
    usable = usable & (crossing.detach() > -1 / 64) & (crossing.detach() < 1 + 1 / 64)
    crossing = torch.where(usable, crossing.clamp(0, 1), torch.full_like(crossing, -1))
    return crossing.amax(-1)
