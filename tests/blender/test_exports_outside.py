"""Exported files as other programs see them: names, rates, ranges, positions, scale and axes, read without Blender.

FBX by the reader beside this file, glTF by pygltflib, USD by usd-core, meshes at rest by trimesh. Nothing on PyPI reads
Alembic: that one is opened in Blender only, in test_exports.py. The rate is 23.976, which no whole number stands for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from blenders import blender_parameters, run_toy_probe
from fbx_reader import TICKS, FbxFile, read_fbx
from gltf_reader import elements, read_glb
from scipy.spatial import cKDTree
from test_exports import farthest
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.pipeline.export import export_many
from spark_backend.protocol.avatar import Avatar, load_avatar, save_avatar
from spark_backend.protocol.placement import world_from_camera
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.take import Take, load_take, save_take

pytestmark = pytest.mark.blender
RATE = 24000 / 1001
FRAMES = 24
CHOSEN = (0, 1, 6, 12, 23)
TOLERANCE = 1e-4  # 0.1 mm
Z_UP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""From +Y up to +Z up."""


@dataclass(frozen=True)
class Written:
    """Files of one take."""

    folder: Path
    avatar: Avatar
    take: Take
    world: np.ndarray
    """(T, V, 3) expected vertices, +Z up, metres."""

    @property
    def fbx(self) -> FbxFile:
        return read_fbx(self.folder / "one.fbx")


@pytest.fixture(scope="module", params=blender_parameters())
def program(request: pytest.FixtureRequest):
    return request.param


@pytest.fixture(scope="module")
def written(program, tmp_path_factory: pytest.TempPathFactory) -> Written:
    folder = tmp_path_factory.mktemp("outside")
    place = folder / "toy.spark" / "avatar"
    save_avatar(place, with_maps(toy_avatar(), place))
    save_take(folder / "one.npz", toy_take(FRAMES, RATE))
    outputs = [folder / "out" / f"one.{ending}" for ending in ("fbx", "glb", "usdc", "obj")]
    export_many(place, folder / "one.npz", outputs, blender=program.path, report=lambda event: None)
    avatar, take = load_avatar(place), load_take(folder / "one.npz")
    world = world_from_camera(avatar, take)
    posed = np.concatenate(list(pose_vertices(avatar, take))).astype(float)
    return Written(folder / "out", avatar, take, posed @ world[:3, :3].T + world[:3, 3])


def test_fbx_is_in_centimetres_and_y_up(written: Written):
    fbx = written.fbx
    assert fbx.settings["UnitScaleFactor"] == 1.0, "centimetres of a unit"
    axes = ("UpAxis", "UpAxisSign", "FrontAxis", "FrontAxisSign", "CoordAxis", "CoordAxisSign")
    assert [fbx.settings[name] for name in axes] == [1, 1, 2, 1, 0, 1]
    assert farthest(fbx.rest, written.avatar.neutral * 100) < TOLERANCE * 100, "the numbers themselves"
    for name, model in fbx.models.items():
        for second in (1 / RATE, FRAMES / RATE):
            scale = np.linalg.norm(fbx.local(model, second)[:3, :3], axis=0)
            np.testing.assert_allclose(scale, 1, atol=1e-5, err_msg=f"{name}: Unreal would inherit this")


def test_fbx_has_the_rate_the_range_and_a_key_for_every_frame(written: Written):
    fbx = written.fbx
    assert fbx.settings["CustomFrameRate"] == pytest.approx(RATE, abs=1e-3)
    expected = np.arange(1, FRAMES + 1) / RATE
    for axes in fbx.curves.values():
        for seconds, _ in axes.values():
            np.testing.assert_allclose(seconds, expected, atol=2 / TICKS * 1e3)
    start, end = fbx.root.first("Takes", "Take", "LocalTime").values
    assert (start / TICKS, end / TICKS) == pytest.approx((expected[0], expected[-1]), abs=1e-6)


def test_fbx_names_and_hierarchy(written: Written):
    fbx = written.fbx
    assert set(fbx.models) == {"Armature", "toy head", *written.avatar.joint_names}
    assert sorted(fbx.channels) == sorted(written.avatar.expression_names)
    names = {model: name for name, model in fbx.models.items()}
    parents = {names[c]: names[p] for c, p, _ in fbx.links if c in names and p in names}
    joints, above = written.avatar.joint_names, written.avatar.parents
    wanted = {name: joints[p] if p >= 0 else "Armature" for name, p in zip(joints, above, strict=True)}
    assert {name: parent for name, parent in parents.items() if name in joints} == wanted


def test_fbx_weights_and_positions(written: Written):
    fbx = written.fbx
    for frame in CHOSEN:
        second = (frame + 1) / RATE
        weights = fbx.weights(list(written.take.names), second)
        assert np.abs(weights - written.take.weights[frame]).max() < 1e-3
        assert farthest(fbx.positions(second) / 100 @ Z_UP.T, written.world[frame]) < TOLERANCE


@pytest.fixture(scope="module")
def moved(program, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Files of a head that its object, its parent and an NLA strip move, and what Blender shows of it."""
    folder = tmp_path_factory.mktemp("moved")
    return folder, run_toy_probe(program, "probe_centimetres.py", folder)


def test_the_scene_is_as_it_was_after_an_export(moved: tuple[Path, dict[str, Any]]):
    _, answer = moved
    assert answer["changed during"], "else this test sees nothing"
    assert answer["changed after"] == []


def test_everything_that_moves_the_head_is_in_the_files(moved: tuple[Path, dict[str, Any]]):
    folder, answer = moved
    fbx, glb = read_fbx(folder / "moved.fbx"), read_glb(folder / "moved.glb")
    # The importer's vertex of each of the file's, from a file of the head as it stands.
    _, vertex = cKDTree(toy_avatar().neutral).query(read_glb(folder / "still.glb").rest_positions @ Z_UP.T)
    for frame, shown in answer["shown"].items():
        expected = np.array(shown)
        assert farthest(fbx.positions(int(frame) / 30) / 100 @ Z_UP.T, expected) < TOLERANCE
        assert farthest(glb.positions((int(frame) - 1) / 30) @ Z_UP.T, expected[vertex]) < TOLERANCE


def test_glb_has_names_the_range_and_a_key_for_every_frame(written: Written):
    file = read_glb(written.folder / "one.glb").file
    skin = file.skins[0]
    assert {file.nodes[joint].name for joint in skin.joints} == set(written.avatar.joint_names)
    assert [animation.name for animation in file.animations] == ["one"]
    for animation in file.animations:
        for sampler in animation.samplers:
            seconds = elements(file, sampler.input)[:, 0]
            assert seconds[0] == 0
            assert seconds[-1] == pytest.approx((FRAMES - 1) / RATE, abs=1e-4)
            if len(seconds) > 2:  # what does not move keeps two keys
                np.testing.assert_allclose(seconds, np.arange(FRAMES) / RATE, atol=1e-4)


def test_glb_positions(written: Written):
    glb = read_glb(written.folder / "one.glb")
    distance, vertex = cKDTree(written.avatar.neutral).query(glb.rest_positions @ Z_UP.T)
    assert distance.max() < TOLERANCE
    for frame in CHOSEN:
        assert farthest(glb.positions(frame / RATE) @ Z_UP.T, written.world[frame][vertex]) < TOLERANCE


def test_usd_has_names_the_rate_and_the_range(written: Written):
    from pxr import Usd, UsdShade, UsdSkel

    stage = Usd.Stage.Open(str(written.folder / "one.usdc"))
    assert stage.GetTimeCodesPerSecond() == pytest.approx(RATE, abs=1e-3)
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (1, FRAMES)
    assert stage.GetDefaultPrim()
    skeleton = UsdSkel.Skeleton(next(prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Skeleton)))
    joints = [path.split("/")[-1] for path in skeleton.GetJointsAttr().Get()]
    assert joints == list(written.avatar.joint_names)
    animation = UsdSkel.Animation(next(prim for prim in stage.Traverse() if prim.IsA(UsdSkel.Animation)))
    for attribute in (animation.GetBlendShapeWeightsAttr(), animation.GetRotationsAttr()):
        assert attribute.GetTimeSamples() == list(range(1, FRAMES + 1))
    textures = [UsdShade.Shader(prim).GetInput("file") for prim in stage.Traverse() if prim.IsA(UsdShade.Shader)]
    named = {Path(texture.Get().path).name for texture in textures if texture}
    assert "toy_albedo.png" in named


@pytest.mark.parametrize("ending", ["obj", "glb"])
def test_trimesh_sees_the_head_in_metres_and_y_up(written: Written, ending: str):
    scene = trimesh.load_scene(written.folder / f"one.{ending}")
    vertices = np.concatenate([mesh.vertices for mesh in scene.geometry.values()])
    faces = sum(len(mesh.faces) for mesh in scene.geometry.values())
    assert faces == len(written.avatar.faces)
    distance, vertex = cKDTree(written.avatar.neutral).query(vertices @ Z_UP.T)
    assert distance.max() < TOLERANCE
    assert set(vertex) == set(range(len(written.avatar.neutral)))
