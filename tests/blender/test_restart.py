"""Blender ends, without a word, while a training runs; the next Blender finds it."""

from pathlib import Path

import pytest
from stand_in import build_zip, make_environments, run_scenario, step
from test_addon import PYTHONS

pytestmark = pytest.mark.blender


@pytest.mark.parametrize("python", PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def test_a_training_is_found_by_the_next_blender(python: Path | None, tmp_path: Path) -> None:
    if python is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    common = (python, build_zip(tmp_path / "dist"), make_environments(tmp_path / "environments"), tmp_path)
    for leave in (("Kept", True), ("Left", False)):
        step(run_scenario("restart_scenario.py", *common, leave=leave), "leave")
    found = step(run_scenario("restart_scenario.py", *common), "find")
    assert found["Kept"]["runs"]
    assert any(line.startswith("bar 0.4") for line in found["Kept"]["lines"])
    assert found["Kept"]["end"] == "cancelled"
    assert not found["Left"]["runs"], "it ends with its Blender"
    assert "[Resume]" in found["Left"]["lines"]
