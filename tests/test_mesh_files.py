"""The head at rest as .obj and .ply, read back by a reader of its own and by trimesh."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from toy_avatar import toy_avatar, with_maps

from spark_backend.pipeline.export import export_many
from spark_backend.pipeline.mesh_files import write_obj, write_ply
from spark_backend.protocol.avatar import Avatar, save_avatar

TOLERANCE = 1e-4  # 0.1 mm
UPRIGHT = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""Rows of +Y up to rows of +Z up."""


@pytest.fixture
def avatar(tmp_path: Path) -> Avatar:
    """With a seam: the texture coordinates of the first quads are not shared with their neighbours."""
    plain = with_maps(toy_avatar(), tmp_path)
    rows = np.arange(8)
    uv = np.concatenate([plain.uv, plain.uv[plain.uv_polygons[rows]].reshape(-1, 2) * 0.5])
    uv_polygons = plain.uv_polygons.copy()
    uv_polygons[rows] = len(plain.uv) + np.arange(32).reshape(8, 4)
    return replace(plain, uv=uv, uv_polygons=uv_polygons)


def read_obj(path: Path) -> tuple[np.ndarray, np.ndarray, list[np.ndarray], list[str]]:
    """Vertices, texture coordinates, (vertex, texture, normal) of the corners of each polygon, its material."""
    vertices, uv, faces, materials, material = [], [], [], [], ""
    for line in path.read_text("utf-8").splitlines():
        word, _, rest = line.partition(" ")
        if word == "v":
            vertices.append(rest.split())
        elif word == "vt":
            uv.append(rest.split())
        elif word == "usemtl":
            material = rest
        elif word == "f":
            faces.append(np.array([corner.split("/") for corner in rest.split()], int) - 1)
            materials.append(material)
    return np.array(vertices, float), np.array(uv, float), faces, materials


def read_ply(path: Path) -> tuple[list[str], np.ndarray, list[np.ndarray]]:
    """Header, table of the vertices, corners of each polygon."""
    lines = path.read_text("utf-8").splitlines()
    end = lines.index("end_header") + 1
    vertices, faces = (int(line.split()[2]) for line in lines[:end] if line.startswith("element"))
    table = np.array([line.split() for line in lines[end : end + vertices]], float)
    rows = [np.array(line.split(), int) for line in lines[end + vertices :]]
    assert len(rows) == faces
    assert all(len(row) == row[0] + 1 for row in rows)
    return lines[:end], table, [row[1:] for row in rows]


def corners(avatar: Avatar) -> list[tuple[np.ndarray, np.ndarray]]:
    """Position and texture coordinate of the corners of each polygon."""
    pairs = zip(avatar.polygons, avatar.uv_polygons, strict=True)
    return [(avatar.neutral[p[p >= 0]], avatar.uv[uv[p >= 0]]) for p, uv in pairs]


def test_obj_holds_quads_texture_coordinates_and_materials(avatar: Avatar, tmp_path: Path):
    write_obj(tmp_path / "x.obj", avatar, "Anna K")
    vertices, uv, faces, materials = read_obj(tmp_path / "x.obj")
    assert np.abs(vertices @ UPRIGHT - avatar.neutral).max() < TOLERANCE
    assert sorted({len(face) for face in faces}) == [3, 4]
    rows = [tuple(polygon[polygon >= 0]) for polygon in avatar.polygons]
    names = [avatar.material_names[number] for number in avatar.polygon_material]
    assert {(tuple(face[:, 0]), name) for face, name in zip(faces, materials, strict=True)} == set(
        zip(rows, names, strict=True)
    )
    assert all((face[:, 0] == face[:, 2]).all() for face in faces)
    by_vertices = {row: place for row, (_, place) in zip(rows, corners(avatar), strict=True)}
    assert all(np.abs(uv[face[:, 1]] - by_vertices[tuple(face[:, 0])]).max() < 1e-5 for face in faces)
    groups = [line[2:] for line in (tmp_path / "x.obj").read_text().splitlines() if line.startswith("g ")]
    assert groups == list(avatar.material_names)


def test_mtl_names_maps_that_exist(avatar: Avatar, tmp_path: Path):
    write_obj(tmp_path / "x.obj", avatar, "Anna K")
    blocks = dict(block.split("\n", 1) for block in (tmp_path / "x.mtl").read_text().split("\n\n"))
    assert list(blocks) == [f"newmtl {kind}" for kind in avatar.material_names]
    for key in ("map_Kd Anna K_albedo.png", "map_Pr Anna K_roughness.png", "map_Bump Anna K_normal.png"):
        assert key in blocks["newmtl skin"].splitlines()
        assert (tmp_path / key.split(" ", 1)[1]).exists()
    assert "map_Pr" not in blocks["newmtl eye"]
    assert "map_d Anna K_albedo.png" in blocks["newmtl lashes"]


def test_mtl_shows_a_lit_map_as_it_is(avatar: Avatar, tmp_path: Path):
    write_obj(tmp_path / "x.obj", replace(avatar, maps={"lit": avatar.maps["albedo"]}), "anna")
    text = (tmp_path / "x.mtl").read_text()
    assert text.count("illum 0") == text.count("map_Kd anna_lit.png") == len(avatar.material_names)
    assert "Ks" not in text


def test_trimesh_reads_the_obj(avatar: Avatar, tmp_path: Path):
    write_obj(tmp_path / "x.obj", avatar, "anna")
    loaded = trimesh.load(tmp_path / "x.obj", force="mesh")
    distance = np.linalg.norm(loaded.vertices[:, None] @ UPRIGHT - avatar.neutral, axis=2).min(1)
    assert distance.max() < TOLERANCE
    assert len(loaded.faces) == len(avatar.faces)
    outward = ((loaded.triangles_center - loaded.centroid) * loaded.face_normals).sum(1)
    assert (outward > 0).mean() == (triangle_sides(avatar) > 0).mean()


def triangle_sides(avatar: Avatar) -> np.ndarray:
    """Positive where a triangle of the avatar is seen from outside."""
    mesh = trimesh.Trimesh(avatar.neutral, avatar.faces, process=False)
    return ((mesh.triangles_center - mesh.centroid) * mesh.face_normals).sum(1)


def test_ply_holds_quads_and_texture_coordinates(avatar: Avatar, tmp_path: Path):
    write_ply(tmp_path / "x.ply", avatar, "anna")
    header, table, polygons = read_ply(tmp_path / "x.ply")
    assert "comment TextureFile anna_albedo.png" in header
    assert (tmp_path / "anna_albedo.png").read_bytes() == avatar.maps["albedo"].read_bytes()
    assert not (tmp_path / "anna_roughness.png").exists()
    for polygon, (points, uv) in zip(polygons, corners(avatar), strict=True):
        assert np.abs(table[polygon, :3] - points).max() < TOLERANCE
        assert np.abs(table[polygon, 6:] - uv).max() < 1e-6
    np.testing.assert_allclose(np.linalg.norm(table[:, 3:6], axis=1), 1, atol=1e-5)
    assert len(avatar.neutral) < len(table) <= len(avatar.neutral) + 32, "only vertices on the seam are there twice"


def test_trimesh_reads_the_ply(avatar: Avatar, tmp_path: Path):
    write_ply(tmp_path / "x.ply", avatar, "anna")
    loaded = trimesh.load(tmp_path / "x.ply", process=False)
    assert len(loaded.faces) == len(avatar.faces)
    distance = np.linalg.norm(loaded.vertices[:, None] - avatar.neutral, axis=2).min(1)
    assert distance.max() < TOLERANCE


def test_both_are_exported_without_blender_and_leave_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "anna.spark" / "avatar"
    save_avatar(folder, with_maps(toy_avatar(), folder))
    monkeypatch.setenv("SPARK_BLENDER", str(tmp_path / "nowhere"))
    outputs = [tmp_path / "out" / "head.obj", tmp_path / "out" / "head.ply"]
    export_many(folder, None, outputs, report=lambda event: None)
    maps = {"anna_albedo.png", "anna_roughness.png", "anna_normal.png"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"head.obj", "head.mtl", "head.ply"} | maps
