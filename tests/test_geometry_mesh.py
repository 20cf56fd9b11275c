"""Normals, edges and Laplacians on meshes whose answers are known."""

import math

import pytest
import torch
import trimesh

from spark_backend.geometry.mesh import (
    adjacent_faces,
    cotangent_laplacian,
    creased_normals,
    face_normals,
    uniform_laplacian,
    unique_edges,
    vertex_normals,
)

TETRAHEDRON = torch.tensor([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])


def grid(side: int = 5) -> tuple[torch.Tensor, torch.Tensor]:
    """A flat square of (side - 1)^2 cells, two triangles each."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    points = torch.stack([x, y, 0 * x], -1).reshape(-1, 3).double()
    a = (y * side + x)[:-1, :-1].reshape(-1)
    return points, torch.cat([torch.stack([a, a + 1, a + side + 1], 1), torch.stack([a, a + side + 1, a + side], 1)])


def interior(side: int = 5) -> torch.Tensor:
    inside = torch.zeros(side, side, dtype=torch.bool)
    inside[1:-1, 1:-1] = True
    return inside.reshape(-1)


def test_normals_of_a_sphere_point_outwards():
    mesh = trimesh.creation.icosphere(3)
    points, faces = torch.tensor(mesh.vertices), torch.tensor(mesh.faces)
    normals = vertex_normals(torch.stack([points, 2 * points]), faces)
    assert (normals * points).sum(-1).min() > 0.9995
    assert 0.5 * face_normals(points, faces).norm(dim=-1).sum().item() == pytest.approx(mesh.area)


def test_a_cubes_corner_normal_does_not_depend_on_its_diagonals():
    mesh = trimesh.creation.box()
    points = torch.tensor(mesh.vertices)
    expected = points / points.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(vertex_normals(points, torch.tensor(mesh.faces)), expected)


def test_a_loose_vertex_and_a_flat_triangle_have_finite_normals():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5], [2, 0, 0]], requires_grad=True)
    normals = vertex_normals(points, torch.tensor([[0, 1, 2], [0, 1, 4]]))
    assert normals[3].tolist() == [0, 0, 0]
    torch.testing.assert_close(normals[0].detach(), torch.tensor([0.0, 0, 1]))
    normals.sum().backward()
    assert torch.isfinite(points.grad).all()


def test_normals_gradient():
    points = torch.randn(1, 4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda p: vertex_normals(p, TETRAHEDRON), (points,))


def test_edges():
    assert unique_edges(TETRAHEDRON).tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    _, faces = grid()
    assert len(unique_edges(faces)) == 25 + len(faces) - 1  # Euler


def test_adjacent_faces():
    for row, neighbours in enumerate(adjacent_faces(TETRAHEDRON).tolist()):
        for corner, other in enumerate(neighbours):
            edge = set(TETRAHEDRON[row].tolist()) - {int(TETRAHEDRON[row, corner])}
            assert other != row
            assert edge < set(TETRAHEDRON[other].tolist())
    fin = torch.tensor([[0, 1, 2], [1, 0, 3], [0, 1, 4]])
    assert adjacent_faces(fin).tolist() == [[-1, -1, -1]] * 3
    assert adjacent_faces(fin[:2]).tolist() == [[-1, -1, 1], [-1, -1, 0]]


def test_uniform_laplacian():
    points, faces = grid()
    laplacian = uniform_laplacian(faces, 26, torch.float64)
    difference = laplacian @ torch.cat([points, torch.ones(1, 3, dtype=torch.float64)])
    assert difference[:25][interior()].abs().max() < 1e-12
    assert (difference[25] == 0).all()
    # The corner (0, 0) has neighbours (1, 0), (0, 1) and, over the diagonal, (1, 1).
    torch.testing.assert_close(difference[0], torch.tensor([-2 / 3, -2 / 3, 0], dtype=torch.float64))


def test_cotangent_laplacian_is_the_gradient_of_area():
    mesh = trimesh.creation.icosphere(1)
    points, faces = torch.tensor(mesh.vertices), torch.tensor(mesh.faces)
    points = (points + 0.1 * torch.randn_like(points)).requires_grad_()
    (0.5 * face_normals(points, faces).norm(dim=-1).sum()).backward()
    laplacian = cotangent_laplacian(points.detach(), faces)
    torch.testing.assert_close(laplacian @ points.detach(), points.grad)
    dense = laplacian.to_dense()
    torch.testing.assert_close(dense, dense.T)
    assert torch.linalg.eigvalsh(dense).min() > -1e-10
    flat, faces = grid()
    assert (cotangent_laplacian(flat, faces) @ flat)[interior()].abs().max() < 1e-12


def test_normals_keep_edges_and_round_the_rest():
    """Of a box whose top is bent by 30 degrees along its middle."""
    height = math.tan(math.radians(15.0))
    points = torch.tensor(
        [[-1.0, 0, 0], [0, 0, height], [1, 0, 0], [-1, 1, 0], [0, 1, height], [1, 1, 0], [-1, 0, -2], [-1, 1, -2]]
    )
    faces = torch.tensor([[0, 1, 4], [0, 4, 3], [1, 2, 5], [1, 5, 4], [6, 0, 3], [6, 3, 7]])
    normals = creased_normals(points, faces, math.radians(40.0))
    slope = torch.tensor([-math.sin(math.radians(15.0)), 0, math.cos(math.radians(15.0))])
    torch.testing.assert_close(normals[0, 0], slope)
    assert normals[0, 1, 2] > normals[0, 0, 2]  # at the bend towards the other half, at the side not towards its wall
    torch.testing.assert_close(normals[4:], torch.tensor([-1.0, 0, 0]).expand(2, 3, 3))
    sharp = creased_normals(points, faces, math.radians(20.0))
    torch.testing.assert_close(sharp[:2], slope.expand(2, 3, 3))
