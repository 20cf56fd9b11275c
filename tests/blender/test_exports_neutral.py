"""The head at rest in every format that holds a mesh, read back in Blender, with all maps or the lit one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import blender_parameters, run_probe
from scipy.spatial import cKDTree
from toy_avatar import toy_avatar, with_maps

from spark_backend.pipeline.export import export_many
from spark_backend.protocol.avatar import Avatar, load_avatar, save_avatar

pytestmark = pytest.mark.blender
ENDINGS = ("blend", "fbx", "glb", "usdc", "obj", "ply")
WITH_KEYS = ("blend", "fbx", "glb", "usdc")
TOLERANCE = 1e-4  # 0.1 mm


@dataclass(frozen=True)
class Neutral:
    """What Blender found in the files of one head."""

    avatar: Avatar
    answer: dict[str, dict[str, Any]]
    """By ending."""
    arrays: dict[str, np.ndarray]

    def of(self, ending: str) -> dict[str, Any]:
        """What was found in one file."""
        if not self.answer[ending]:
            pytest.skip("Blender before 4.5 has no importer of FBX that is built in")
        return self.answer[ending]


@pytest.fixture(scope="module", params=blender_parameters())
def program(request: pytest.FixtureRequest):
    return request.param


def exported(program, folder: Path, lit: bool) -> Neutral:
    """Writes all files and reads them back."""
    place = folder / "toy.spark" / "avatar"
    save_avatar(place, with_maps(toy_avatar(), place))
    avatar = load_avatar(place)
    outputs = [folder / ending / f"head.{ending}" for ending in ENDINGS]
    maps = {"lit": avatar.maps["albedo"]} if lit else None
    export_many(place, None, outputs, maps=maps, blender=program.path, report=lambda event: None)
    question = {"files": {output.suffix[1:]: output for output in outputs}, "arrays": folder / "read.npz"}
    question["files"] = {ending: str(path) for ending, path in question["files"].items()}
    answer = run_probe(program, "probe_neutral.py", question, folder)
    assert "error" not in answer, answer["error"]
    with np.load(folder / "read.npz") as file:
        return Neutral(avatar, answer, dict(file))


@pytest.fixture(scope="module")
def plain(program, tmp_path_factory: pytest.TempPathFactory) -> Neutral:
    return exported(program, tmp_path_factory.mktemp("plain"), lit=False)


@pytest.fixture(scope="module")
def lit(program, tmp_path_factory: pytest.TempPathFactory) -> Neutral:
    return exported(program, tmp_path_factory.mktemp("lit"), lit=True)


@pytest.mark.parametrize("ending", ENDINGS)
def test_corners_lie_where_they_should_with_their_texture_coordinates(plain: Neutral, ending: str):
    plain.of(ending)
    used = plain.avatar.polygons >= 0
    points, uv = plain.avatar.neutral[plain.avatar.polygons[used]], plain.avatar.uv[plain.avatar.uv_polygons[used]]
    found, found_uv = plain.arrays[f"{ending}_corners"], plain.arrays[f"{ending}_uv"]
    # One unit of the map counts as a metre, so that corners are told apart on both sides of a seam.
    distance, _ = cKDTree(np.hstack([points, uv])).query(np.hstack([found, found_uv]))
    assert distance.max() < TOLERANCE
    distance, _ = cKDTree(np.hstack([found, found_uv])).query(np.hstack([points, uv]))
    assert distance.max() < TOLERANCE


@pytest.mark.parametrize("ending", ENDINGS)
def test_quads_stay_quads_but_in_gltf(plain: Neutral, ending: str):
    found = plain.of(ending)
    if ending == "glb":
        assert found["sizes"] == [3]
        assert found["polygons"] == len(plain.avatar.faces)
        return
    assert found["sizes"] == [3, 4]
    assert found["polygons"] == len(plain.avatar.polygons)


@pytest.mark.parametrize("ending", ENDINGS)
def test_shape_keys_have_their_names(plain: Neutral, ending: str):
    keys = plain.of(ending)["keys"]
    assert sorted(keys[1:]) == (sorted(plain.avatar.expression_names) if ending in WITH_KEYS else [])


@pytest.mark.parametrize("ending", [ending for ending in ENDINGS if ending != "ply"])  # which has no materials
def test_maps_are_in_their_places(plain: Neutral, ending: str):
    links = plain.of(ending)["links"]
    assert "toy_albedo > Base Color" in links
    assert any(link.startswith("toy_normal > ") for link in links)


@pytest.mark.parametrize("ending", ["blend", "fbx", "glb", "usdc", "obj"])
def test_a_lit_map_shows_as_it_is(lit: Neutral, ending: str):
    wanted = "Base Color" if ending == "obj" else "Emission Color"
    assert lit.of(ending)["links"] == [f"toy_lit > {wanted}"]
