"""Triangle meshes: normals, edges, Laplacians."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize


def face_normals(vertices: Float[Tensor, "*batch V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "*batch F 3"]:
    """Normals of the triangles, as long as twice their area; counter-clockwise seen from outside."""
    a, b, c = (vertices[..., faces[:, k], :] for k in range(3))
    return torch.linalg.cross(b - a, c - a)


def vertex_normals(vertices: Float[Tensor, "*batch V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "*batch V 3"]:
    """Unit normals, the triangles weighted by their angle at the vertex (Thürmer and Wüthrich 1998).

    Independent of how a polygon is cut into triangles. A vertex without a triangle gets zero.
    """
    corners = [vertices[..., faces[:, k], :] for k in range(3)]
    unit = normalize(torch.linalg.cross(corners[1] - corners[0], corners[2] - corners[0]), dim=-1)
    sums = torch.zeros_like(vertices)
    for k in range(3):
        before, after = corners[k - 1] - corners[k], corners[(k + 1) % 3] - corners[k]
        sine = torch.linalg.cross(after, before).norm(dim=-1)
        angle = torch.atan2(sine, (before * after).sum(-1))
        sums = sums.index_add(-2, faces[:, k], unit * angle[..., None])
    return normalize(sums, dim=-1)


def creased_normals(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"], crease: float) -> Float[Tensor, "F 3 3"]:
    """Unit normals of each triangle's corners: means of the triangles there that are bent away by less than `crease`
    radians, weighted by area.

    For small parts of a mesh: takes 3 F^2 numbers.
    """
    normals = face_normals(vertices, faces)
    unit = normalize(normals, dim=-1)
    alike = unit @ unit.mT > math.cos(crease)
    alike.fill_diagonal_(True)
    meets = (faces[:, :, None, None] == faces).any(-1)  # F 3 F
    return normalize((meets & alike[:, None]).to(normals) @ normals, dim=-1)


def hollowness(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Float[Tensor, "V"]:
    """How far the neighbours of a vertex lie above it along its normal, over their mean distance, smoothed once.

    0 where it is flat, positive in creases, negative on ridges; a sphere of edges 0.1 radii has -0.05.
    """
    start, end = faces[:, [0, 1, 2, 1, 2, 0]].reshape(-1), faces[:, [1, 2, 0, 0, 1, 2]].reshape(-1)
    count = torch.bincount(start, minlength=len(vertices)).clamp(min=1).to(vertices)

    def around(values: Float[Tensor, "N *C"]) -> Float[Tensor, "V *C"]:
        sums = values.new_zeros(len(vertices), *values.shape[1:]).index_add(0, start, values)
        return sums / count.view(-1, *[1] * (values.ndim - 1))

    offset = vertices[end] - vertices[start]
    distance = around(offset.norm(dim=-1)).clamp(min=torch.finfo(vertices.dtype).tiny)
    height = (around(offset) * vertex_normals(vertices, faces)).sum(-1) / distance
    return (height + around(height[end])) / 2


def unique_edges(faces: Int[Tensor, "F 3"]) -> Int[Tensor, "E 2"]:
    """Every edge once, the lower vertex first, in rising order."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return edges.sort(-1).values.unique(dim=0)


def adjacent_faces(faces: Int[Tensor, "F 3"]) -> Int[Tensor, "F 3"]:
    """For the edge opposite to each corner: the triangle on its other side.

    -1 where the edge is a border, or shared by more than two triangles.
    """
    edges = torch.stack([faces[:, [1, 2]], faces[:, [2, 0]], faces[:, [0, 1]]], 1).sort(-1).values.reshape(-1, 2)
    _, edge, count = edges.unique(dim=0, return_inverse=True, return_counts=True)
    own = torch.arange(len(faces), device=faces.device).repeat_interleave(3)
    # Of an edge with two triangles, the other one is what is left of their sum.
    other = torch.zeros_like(count).index_add(0, edge, own)[edge] - own
    return torch.where(count[edge] == 2, other, -1).reshape(-1, 3)


def uniform_laplacian(faces: Int[Tensor, "F 3"], vertices: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Sparse (V, V): applied to positions it gives each vertex minus the mean of its neighbours; zero for loners."""
    edges = unique_edges(faces)
    both = torch.cat([edges, edges.flip(1)])
    degree = torch.bincount(both[:, 0], minlength=vertices).to(dtype)
    diagonal = torch.arange(vertices, device=faces.device)
    indices = torch.cat([both.T, torch.stack([diagonal, diagonal])], 1)
    values = torch.cat([-1 / degree[both[:, 0]], (degree > 0).to(dtype)])
    return torch.sparse_coo_tensor(indices, values, (vertices, vertices), check_invariants=True).coalesce()


def cotangent_laplacian(vertices: Float[Tensor, "V 3"], faces: Int[Tensor, "F 3"]) -> Tensor:
    """Sparse symmetric (V, V), positive semi-definite: half the sum of the cotangents opposite to each edge.

    Applied to positions it gives the gradient of the area, zero inside a plane (Pinkall and Polthier 1993).
    Cotangents are bounded by +-1e3, so that slivers do not blow it up.
    """
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, corner = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3], vertices[faces[:, k]]
        a, b = vertices[i] - corner, vertices[j] - corner
        doubled_area = torch.linalg.cross(a, b).norm(dim=-1).clamp(min=torch.finfo(a.dtype).tiny)
        weight = 0.5 * ((a * b).sum(-1) / doubled_area).clamp(-1e3, 1e3)
        rows += [i, j, i, j]
        columns += [j, i, i, j]
        values += [-weight, -weight, weight, weight]
    indices = torch.stack([torch.cat(rows), torch.cat(columns)])
    return torch.sparse_coo_tensor(indices, torch.cat(values), (len(vertices),) * 2, check_invariants=True).coalesce()
