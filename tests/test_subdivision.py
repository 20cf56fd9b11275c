"""A head whose polygons are cut into quads: the same head, smoother."""

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from spark_backend.heads.anny import load_anny
from spark_backend.heads.subdivision import divided_polygons, linear_rule, smooth_rule, subdivided, topology_of
from spark_backend.protocol.avatar import Avatar, triangulate

CUBE = np.array([[0, 3, 2, 1], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])
CORNERS = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float)


@pytest.fixture(scope="module")
def pair() -> tuple[Avatar, Avatar]:
    """The average head before and after."""
    head = load_anny().avatar()
    return head, subdivided(head)


def test_a_cube_becomes_rounder_as_catmull_and_clark_have_it():
    """Corners of a cube go to 5/9 of their place, middles of edges to 3/4, those of faces stay."""
    points = smooth_rule(topology_of(CUBE, 8)) @ CORNERS
    np.testing.assert_allclose(points[:8], CORNERS * 5 / 9)
    np.testing.assert_allclose(np.sort(np.abs(points[8:20]), 1), np.tile([0, 0.75, 0.75], (12, 1)))
    np.testing.assert_allclose(np.sort(np.abs(points[20:]), 1), np.tile([0, 0, 1], (6, 1)), atol=1e-12)


def test_triangles_and_open_rims():
    """A sheet of a quad and a triangle stays flat; the rim's vertices go by their neighbours on the rim only."""
    polygons, corners = np.array([[0, 1, 2, 3], [1, 4, 2, -1]]), np.array([[0, 0], [1, 0], [1, 1], [0, 1], [2, 0.5]])
    topology = topology_of(polygons, 5)
    assert len(divided_polygons(topology)) == 7
    points = smooth_rule(topology) @ corners
    np.testing.assert_allclose(points[0], 0.75 * corners[0] + 0.125 * (corners[1] + corners[3]))
    np.testing.assert_allclose(points[1], 0.75 * corners[1] + 0.125 * (corners[0] + corners[4]))
    for rule in (smooth_rule, linear_rule):
        np.testing.assert_allclose(rule(topology).sum(1), 1)


def test_the_surface_stays_whole(pair: tuple[Avatar, Avatar]):
    before, after = (trimesh.Trimesh(head.neutral, head.faces, process=False) for head in pair)
    assert len(after.faces) == 2 * pair[0].polygons[pair[0].polygons >= 0].size
    assert after.euler_number == before.euler_number
    assert after.body_count == before.body_count
    assert after.is_winding_consistent == before.is_winding_consistent
    assert after.area == pytest.approx(before.area, rel=0.05)
    moved = np.linalg.norm(pair[1].neutral[: len(pair[0].neutral)] - pair[0].neutral, axis=1)
    assert np.median(moved) < 3e-4
    assert moved.max() < 6e-3


def test_it_is_smoother(pair: tuple[Avatar, Avatar]):
    """Neighbouring triangles of the scalp meet at half of the angle."""
    angles = []
    for head in pair:
        mesh = trimesh.Trimesh(head.neutral, head.faces, process=False)
        scalp = head.regions["scalp"][mesh.face_adjacency_edges].all(1)
        angles.append(np.percentile(mesh.face_adjacency_angles[scalp], 90))
    assert angles[1] < 0.65 * angles[0]


def test_everything_else_goes_with_it(pair: tuple[Avatar, Avatar]):
    before, after = pair
    count = len(before.neutral)
    np.testing.assert_allclose(after.skinning.sum(1), 1, atol=1e-6)
    np.testing.assert_array_equal(after.skinning[:count], before.skinning)
    np.testing.assert_array_equal(after.uv[: len(before.uv)], before.uv)
    assert np.bincount(after.polygon_material).tolist() == [
        (before.polygons[before.polygon_material == material] >= 0).sum()
        for material in range(len(before.material_names))
    ]
    for name, mask in before.regions.items():
        np.testing.assert_array_equal(after.regions[name][:count], mask)
    smile = before.expression_names.index("mouthSmileLeft")
    posed = subdivided(replace(before, neutral=before.neutral + before.expressions[smile]))
    np.testing.assert_allclose(after.neutral + after.expressions[smile], posed.neutral, atol=1e-6)


def test_landmarks_stay_at_their_place(pair: tuple[Avatar, Avatar]):
    """On the map exactly, in space as far as the surface moves."""
    flat, places = [], []
    for head in pair:
        corners, bary = head.faces[head.landmark_face], head.landmark_bary[..., None]
        flat.append((head.uv[head.uv_faces[head.landmark_face]] * bary).sum(1))
        places.append((head.neutral[corners] * bary).sum(1))
    np.testing.assert_allclose(flat[1], flat[0], atol=1e-4)
    distance = np.linalg.norm(places[1] - places[0], axis=1)
    assert np.median(distance) < 4e-4
    assert distance.max() < 3e-3


def test_triangulation_is_that_of_an_avatar():
    assert len(triangulate(divided_polygons(topology_of(CUBE, 8)))) == 48
