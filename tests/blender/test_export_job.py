"""Exports from the scene: another Blender writes, this one goes on; whole files or none, whatever happens."""

import time
from pathlib import Path
from typing import Any

import pytest
from processes import is_running
from stand_in import build_zip, make_environments, run_scenario, step
from test_addon import PYTHONS

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    folder = tmp_path_factory.mktemp("export job")
    common = (request.param, build_zip(folder / "dist"), make_environments(folder / "environments"), folder)
    return run_scenario("export_scenario.py", *common)


def test_the_other_blender_writes_what_this_one_would(seen):
    found = step(seen, "as_in_place")
    assert found["state"] == ["done", ""]
    assert found["same"] == {".obj": True, ".glb": True}


def test_the_scene_may_change_and_work_go_on_meanwhile(seen):
    found = step(seen, "meanwhile")
    lines, second = found["running"]
    assert lines[0] == "(running)"
    assert any(line.startswith("bar 0.0") for line in lines)
    assert "An export is running; wait for its end or cancel it" in second
    assert found["status"] == "done"
    assert found["work"] == "running"
    assert found["size"] > 100_000
    assert found["exported"]
    assert any(line.startswith("Export done after") for line in found["lines"])
    assert not any(line.startswith("Export done after") for line in found["dismissed"])
    assert found["left"] == []


def test_half_written_curves_are_finished_first(seen):
    half, still, captured = step(seen, "settled")
    assert half
    assert not still
    assert captured, "what was captured is left out of the other Blender's file, not of this one's"


def test_a_cancelled_export_leaves_the_folder_as_it_was(seen):
    found = step(seen, "cancel")
    assert any(line.startswith("Going through 20000 frames") for line in found["lines"])
    assert "Cancelling" in found["cancelling"]
    assert (found["status"], found["ended"]) == ("cancelled", True)
    assert found["same"]
    assert found["old"] == "an older file"
    assert found["left"] == []
    assert any(line.startswith("Export cancelled after") for line in found["after"])


def test_so_does_one_that_is_killed(seen):
    found = step(seen, "killed")
    assert any("ended unexpectedly" in line for line in found["lines"])
    assert found["same"]
    assert found["left"] == []


def test_what_cannot_be_written_is_said(seen):
    painted, in_a_file, busy = step(seen, "refused")
    assert "painted on and not saved; save the image" in painted
    assert "choose a folder you have write permission for" in in_a_file
    assert not busy
    status, message, left = step(seen, "unwritable")
    assert status == "failed"
    assert "export again" in message
    assert left == []


def test_the_button_waits_where_there_is_no_window(seen):
    result, size = step(seen, "operator")
    assert "FINISHED" in result
    assert size > 1000


def test_an_export_ends_with_its_blender(seen):
    process, *leftovers = step(seen, "leave")
    deadline = time.monotonic() + 30
    while is_running(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not is_running(process)
    assert not [path for path in leftovers if Path(path).exists()]
