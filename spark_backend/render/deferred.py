"""A batch of meshes to pictures, differentiable down to vertices, maps and light: what a fit renders in every step.

Visibility first, then attributes at the pixels that see something, then light, then soft silhouettes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.camera import clip_points
from ..geometry.mesh import adjacent_faces, vertex_normals
from .antialias import antialias
from .attributes import sample_attributes
from .rasterizer import Fragments, Rasterizer, covered_barycentrics, scatter
from .reflectance import Maps, Seen, shade_surface
from .shading import Light, unit


@dataclass(frozen=True)
class Topology:
    """What stays the same while a mesh moves; made by `topology`."""

    faces: Int[Tensor, "F 3"]
    uv: Float[Tensor, "U 2"]
    uv_faces: Int[Tensor, "F 3"]
    adjacent: Int[Tensor, "F 3"]
    """See `adjacent_faces`."""
    uv_vertex: Int[Tensor, "U"]
    """The vertex of each texture vertex."""
    tangent: Float[Tensor, "U V"]
    """Sparse: positions to the direction in which u grows at each texture vertex, of any length."""
    mirrored: Float[Tensor, "U 1"]
    """-1 where the map is seen in a mirror, else 1."""


def topology(
    faces: Int[Tensor, "F 3"], uv: Float[Tensor, "U 2"], uv_faces: Int[Tensor, "F 3"], vertices: int
) -> Topology:
    """Everything that follows from the triangles alone; `vertices` is how many positions the mesh has."""
    faces, uv_faces = faces.long(), uv_faces.long()
    a, b, c = uv[uv_faces].unbind(1)
    (u1, v1), (u2, v2) = (b - a).unbind(-1), (c - a).unbind(-1)
    area = u1 * v2 - v1 * u2
    # dP/du times the area in the map: the mean over the triangles around is weighted by that area.
    weight = torch.stack([v1 - v2, v2, -v1], -1) * area.sign()[:, None]
    rows = uv_faces[:, :, None].expand(-1, -1, 3).reshape(-1)
    columns = faces[:, None].expand(-1, 3, -1).reshape(-1)
    values = weight[:, None].expand(-1, 3, -1).reshape(-1)
    indices, size = torch.stack([rows, columns]), (len(uv), vertices)
    tangent = torch.sparse_coo_tensor(indices, values, size, check_invariants=True).coalesce()
    uv_vertex = torch.zeros(len(uv), dtype=torch.long, device=faces.device)
    uv_vertex[uv_faces.reshape(-1)] = faces.reshape(-1)
    turn = uv.new_zeros(len(uv)).index_add(0, uv_faces.reshape(-1), area[:, None].expand(-1, 3).reshape(-1))
    mirrored = torch.where(turn < 0, -1.0, 1.0).to(uv)[:, None]
    return Topology(faces, uv, uv_faces, adjacent_faces(faces), uv_vertex, tangent, mirrored)


def render_batch(
    points: Float[Tensor, "B V 3"],
    K: Float[Tensor, "*#B 3 3"],
    size: tuple[int, int],
    mesh: Topology,
    maps: Maps,
    lights: Sequence[Light],
    rasterizer: Rasterizer,
) -> tuple[Float[Tensor, "B H W 3"], Float[Tensor, "B H W 1"]]:
    """Linear colour multiplied by coverage, and the coverage, of meshes in camera axes (metres).

    `lights` has one for each picture: that of its clip. Differentiable in everything but `size`; put a background
    behind the result with `over`.
    """
    clip = clip_points(points, K, size)
    fragments = rasterizer.rasterize(clip, mesh.faces, size)
    return shade_fragments(points, clip, fragments, mesh, maps, lights)


def shade_fragments(
    points: Float[Tensor, "B V 3"],
    clip: Float[Tensor, "B V 4"],
    fragments: Fragments,
    mesh: Topology,
    maps: Maps,
    lights: Sequence[Light],
) -> tuple[Float[Tensor, "B H W 3"], Float[Tensor, "B H W 1"]]:
    """`render_batch` after the visibility: `clip` are the points in clip space."""
    pixel, samples = fragments.samples
    bary = covered_barycentrics(clip, mesh.faces, fragments)
    normals = vertex_normals(points, mesh.faces)
    table = torch.cat([normals, points], -1)
    smooth, position = sample_attributes(table, mesh.faces, samples, bary).split(3, -1)
    uv = sample_attributes(mesh.uv[None], mesh.uv_faces, samples, bary)
    tangent = sample_attributes(vertex_tangents(points, normals, mesh), mesh.uv_faces, samples, bary)
    colour = shade_surface(samples.image, Seen(smooth, position, uv, tangent), maps, lights)
    picture = scatter(torch.cat([colour, torch.ones_like(colour[:, :1])], -1), pixel, fragments)
    soft = antialias(picture, clip, mesh.faces, fragments, mesh.adjacent)
    return soft[..., :3], soft[..., 3:]


def vertex_tangents(
    points: Float[Tensor, "B V 3"], normals: Float[Tensor, "B V 3"], mesh: Topology
) -> Float[Tensor, "B U 4"]:
    """Unit tangents along u at the texture vertices, at right angles to the normals, and -1 where v is mirrored.

    Near those of MikkTSpace, which Blender uses; that weights the triangles around by angle, not by area in the map.
    """
    batch, vertices, _ = points.shape
    flat = torch.sparse.mm(mesh.tangent, points.transpose(0, 1).reshape(vertices, -1))
    along = flat.view(-1, batch, 3).transpose(0, 1)
    normal = normals[:, mesh.uv_vertex]
    along = unit(along - (along * normal).sum(-1, keepdim=True) * normal)
    return torch.cat([along, mesh.mirrored.expand(batch, -1, 1)], -1)
