"""Files for other programs have the unit and the axes that those take for granted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import blender_parameters, run_toy_probe
from pxr import Usd, UsdGeom

pytestmark = pytest.mark.blender
CENTIMETRES = ("UNREAL", "MAYA")
Y_UP = ("UNITY", "MAYA")


@pytest.fixture(scope="module", params=blender_parameters())
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The files of one Blender."""
    folder = tmp_path_factory.mktemp("programs")
    return {"folder": folder, **run_toy_probe(request.param, "probe_programs.py", folder)}


@pytest.mark.parametrize("ending", ["abc", "obj"])
def test_bare_numbers_are_centimetres_for_who_reads_them_so(written, ending: str) -> None:
    metres = np.array(written["sizes"][f"ANY.{ending}"])
    assert 0.05 < metres.max() < 1
    for name in ("UNREAL", "UNITY", "MAYA"):
        factor = 100 if name in CENTIMETRES else 1
        np.testing.assert_allclose(written["sizes"][f"{name}.{ending}"], metres * factor, rtol=1e-4)


@pytest.mark.parametrize("name", ["ANY", "UNREAL", "UNITY", "MAYA"])
def test_usd_says_its_unit_and_axis_and_keeps_the_size(written, name: str) -> None:
    if f"{name}.usdc" in written["refused"]:
        assert written["version"] < [4, 3]
        assert "writes USD in metres only; use 4.5 or later" in written["refused"][f"{name}.usdc"]
        return
    stage = Usd.Stage.Open(str(written["folder"] / f"{name}.usdc"))
    unit = UsdGeom.GetStageMetersPerUnit(stage)
    assert unit == pytest.approx(0.01 if name in CENTIMETRES else 1.0)
    assert UsdGeom.GetStageUpAxis(stage) == ("Y" if name in Y_UP else "Z")
    size = np.sort(world_size(stage) * unit)
    reference = np.sort(world_size(Usd.Stage.Open(str(written["folder"] / "ANY.usdc"))))
    np.testing.assert_allclose(size, reference, rtol=1e-3)


def world_size(stage: Usd.Stage) -> np.ndarray:
    """Extent of the head's rest mesh in the stage's unit."""
    mesh = next(UsdGeom.Mesh(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh))
    matrix = np.array(UsdGeom.Xformable(mesh).ComputeLocalToWorldTransform(Usd.TimeCode.Default()))
    points = np.array(mesh.GetPointsAttr().Get(Usd.TimeCode.EarliestTime()), float)
    return np.ptp(points @ matrix[:3, :3] + matrix[3, :3], axis=0)


def test_only_what_a_blender_cannot_write_is_refused(written) -> None:
    expected = {f"{name}.usdc" for name in CENTIMETRES} if written["version"] < [4, 3] else set()
    assert set(written["refused"]) == expected
    assert all((Path(written["folder"]) / f"{name}.fbx").stat().st_size > 1000 for name in ("ANY", *CENTIMETRES))
