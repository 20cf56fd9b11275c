"""Triangle meshes: normals, edges, Laplacians."""

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
