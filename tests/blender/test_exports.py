"""Every exported file is opened again: geometry agrees with the take within 0.1 mm, weights within 0.001."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import blender_parameters, run_probe
from scipy.spatial import cKDTree
from test_scene import write_video
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.pipeline.export import export_many
from spark_backend.protocol.avatar import Avatar, load_avatar, save_avatar
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.take import Take, load_take, save_take

pytestmark = pytest.mark.blender
FRAMES = (1, 2, 7, 13, 24)
ENDINGS = ("fbx", "abc", "usdc", "glb", "obj", "blend")
TOLERANCE = 1e-4  # 0.1 mm


@dataclass(frozen=True)
class Exported:
    """One set of files and what Blender found in them."""

    folder: Path
    avatar: Avatar
    take: Take
    world: np.ndarray
    """(T, V, 3) expected vertices in Blender's world."""
    answer: dict[str, Any]
    arrays: dict[str, np.ndarray]

    @property
    def chosen(self) -> np.ndarray:
        """(5, V, 3) the expected vertices at `FRAMES`."""
        return self.world[np.array(FRAMES) - 1]


@pytest.fixture(scope="module", params=blender_parameters())
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("exports")
    save_avatar(folder / "toy.spark" / "avatar", with_maps(toy_avatar(), folder / "toy.spark" / "avatar"))
    save_take(folder / "one.npz", toy_take())
    write_video(folder / "clip.mp4", 24, 30, (640, 480), sound=True)
    outputs = [folder / "out" / f"one.{ending}" for ending in ENDINGS]
    export_many(
        folder / "toy.spark" / "avatar",
        folder / "one.npz",
        outputs,
        video=folder / "clip.mp4",
        blender=request.param.path,
        report=lambda event: None,
    )
    question = {output.suffix[1:]: output for output in outputs}
    question |= {"frames": FRAMES, "rate": 30, "arrays": folder / "read.npz"}
    answer = run_probe(request.param, "probe_files.py", question, folder)
    assert "error" not in answer, answer["error"]
    with np.load(folder / "read.npz") as file:
        arrays = dict(file)
    avatar, take = load_avatar(folder / "toy.spark" / "avatar"), load_take(folder / "one.npz")
    world = world_from_camera(avatar, take)
    posed = np.concatenate(list(pose_vertices(avatar, take))).astype(float)
    return Exported(folder / "out", avatar, take, posed @ world[:3, :3].T + world[:3, 3], answer, arrays)


def farthest(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest distance in metres between vertices of the same number."""
    assert found.shape == expected.shape
    return float(np.linalg.norm(found - expected, axis=-1).max())


def test_nothing_but_the_files_is_left(exported: Exported):
    names = {path.name for path in exported.folder.iterdir()}
    maps = {f"toy_{kind}.png" for kind in exported.avatar.maps}
    assert names == {f"one.{ending}" for ending in ENDINGS} | {"one.mtl", "textures"} | maps


def test_blend_holds_scene_maps_and_relative_paths(exported: Exported):
    blend = exported.answer["read_blend"]
    assert farthest(exported.arrays["blend"], exported.chosen) < TOLERANCE
    assert blend["images"] == {f"toy_{kind}.png": [True, f"//toy_{kind}.png"] for kind in exported.avatar.maps}
    assert [clip[0].replace("\\", "/") for clip in blend["clips"]] == ["//../clip.mp4"]
    assert blend["clips"][0][1] == 24, "the relative path leads to the clip"
    assert all(path.replace("\\", "/") == "//../clip.mp4" for path in blend["sounds"])
    assert blend["camera"]
    assert blend["range"] == [1, 24]


def test_alembic_holds_the_geometry(exported: Exported):
    assert farthest(exported.arrays["abc"], exported.chosen) < TOLERANCE
    assert exported.answer["read_alembic"]["uv"] == 1
    assert exported.answer["read_alembic"]["timing"] == [1, 24, 30]
    assert exported.answer["read_alembic"]["sizes"] == [3, 4]


def test_fbx_holds_weights_bones_and_geometry(exported: Exported):
    fbx = exported.answer["read_fbx"]
    if not fbx:
        pytest.skip("Blender before 4.5 has no FBX importer that reads keys at their right times")
    order = [exported.take.names.index(name) for name in fbx["names"]]
    assert sorted(order) == list(range(52))
    expected = exported.take.weights[np.array(FRAMES) - 1][:, order]
    assert np.abs(exported.arrays["fbx_weights"] - expected).max() < 1e-3
    assert fbx["armature"] == "Armature"
    assert set(exported.avatar.joint_names) <= set(fbx["bones"])
    assert farthest(exported.arrays["fbx"], exported.chosen) < TOLERANCE


def test_obj_holds_the_rest_pose_with_its_maps(exported: Exported):
    assert farthest(exported.arrays["obj"][0], exported.avatar.neutral) < TOLERANCE
    assert "toy_albedo.png" in exported.answer["read_obj"]["images"]


def test_usd_holds_weights_and_geometry(exported: Exported):
    from pxr import Usd, UsdGeom, UsdSkel

    stage = Usd.Stage.Open(str(exported.folder / "one.usdc"))
    assert (UsdGeom.GetStageUpAxis(stage), UsdGeom.GetStageMetersPerUnit(stage)) == ("Z", 1.0)
    assert (stage.GetTimeCodesPerSecond(), stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (30, 1, 24)
    animation = UsdSkel.Animation(next(prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Animation)))
    names = list(animation.GetBlendShapesAttr().Get())
    order = [exported.take.names.index(name) for name in names]
    assert sorted(order) == list(range(52))
    for frame in FRAMES:
        weights = np.array(animation.GetBlendShapeWeightsAttr().Get(frame))
        assert np.abs(weights - exported.take.weights[frame - 1][order]).max() < 1e-3
    root = UsdSkel.Root(next(prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Root)))
    assert UsdSkel.BakeSkinning(root)
    mesh = UsdGeom.Mesh(next(prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)))
    for frame, expected in zip(FRAMES, exported.chosen, strict=True):
        world = np.array(UsdGeom.Xformable(mesh).ComputeLocalToWorldTransform(frame))  # row vectors
        points = np.array(mesh.GetPointsAttr().Get(frame), float) @ world[:3, :3] + world[3, :3]
        assert farthest(points, expected) < TOLERANCE
    assert farthest(exported.arrays["usd"], exported.chosen) < TOLERANCE
    assert exported.answer["read_usd"]["timing"] == [1, 24, 30]
    assert (exported.folder / "textures" / "toy_albedo.png").exists()


def test_glb_holds_weights_and_geometry(exported: Exported):
    from gltf_reader import read_glb

    glb = read_glb(exported.folder / "one.glb")
    times = (np.array(FRAMES) - 1) / 30
    order = [exported.take.names.index(name) for name in glb.target_names]
    assert sorted(order) == list(range(52))
    weights = glb.weights(times)
    assert np.abs(weights - exported.take.weights[np.array(FRAMES) - 1][:, order]).max() < 1e-3
    # glTF splits vertices at seams and is +Y up
    turn = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    distance, vertex = cKDTree(exported.avatar.neutral).query(glb.rest_positions @ turn.T)
    assert distance.max() < TOLERANCE
    assert set(vertex) == set(range(len(exported.avatar.neutral)))
    for time, expected in zip(times, exported.chosen, strict=True):
        assert farthest(glb.positions(time) @ turn.T, expected[vertex]) < TOLERANCE
    assert glb.images == ["toy_albedo", "toy_normal", "toy_roughness"]


def test_glb_comes_back_into_blender(exported: Exported):
    distance, vertex = cKDTree(exported.avatar.neutral).query(exported.arrays["glb_rest"])
    assert distance.max() < TOLERANCE
    assert set(exported.answer["read_gltf"]["bones"]) == set(exported.avatar.joint_names)
    assert farthest(exported.arrays["glb"], exported.chosen[:, vertex]) < TOLERANCE
