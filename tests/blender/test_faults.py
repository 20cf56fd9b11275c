"""Everything that goes wrong for an artist ends in a sentence, and Blender goes on: one table of faults."""

import json
import os
import re
import subprocess
from typing import Any

import pytest
from made_up_wheels import write_backend_wheel, write_packages
from stand_in import HERE, build_zip, make_environments
from test_addon import PYTHONS

pytestmark = [pytest.mark.blender, pytest.mark.slow]

FAULTS = {
    "it_crashes": r"The backend ended unexpectedly \(exit code 3\); its last words: CUDA error",
    "it_is_killed": r"ended unexpectedly \(killed; .* when memory runs out, so close other programs and try again\)",
    "it_hangs_and_is_cancelled": r"Training cancelled after",
    "it_has_a_bug": r"Something went wrong inside SPARK \(ZeroDivisionError.*please report it",
    "it_finds_no_face": r"no face in any of 95 frames; choose another clip",
    "it_tells_garbage": r"An unreadable line of the backend was skipped",
    "it_prints_garbage": r"Training done after",
    "its_disk_is_full": r"the disk is full; free some space",
    "its_picture_is_damaged": r"Training done after",
    "it_is_deleted": r"cannot be started \(No such file.*choose another backend environment",
    "it_is_not_there": r"no Python there; choose the folder or the Python of a backend environment",
    "a_second_job_is_started": r"poll\(\) A job is running; wait for its end or cancel it",
    "the_head_is_damaged": r"avatar\.npz: .*; ",
    "the_take_is_damaged": r"good\.npz: .*; ",
    "the_take_is_gone": r"good\.npz: no such file or folder; check the path",
    "the_project_is_newer": r"project\.json: .*newer.*; ",
    "the_head_is_newer": r"avatar\.json: .*newer.*; ",
    "the_project_file_is_damaged": r"project\.json: not a readable JSON file; restore it",
    "no_permission_for_the_project": r"cannot be written or read; choose a folder you have write permission for",
    "no_permission_for_the_export": r"anna\.fbx: .*; ",
    "the_clip_is_moved_away": r"moved\.mp4: no such video any more; put it back",
    "the_job_folder_is_deleted": r"The backend ended unexpectedly",
    "the_project_is_moved_away": r"\.spark: not found; open it where it is now",
    "the_file_was_never_saved": r"Anna\.spark: not found; open it where it is now",
    "the_head_is_deleted_meanwhile": r"heads: 1",
    "a_bone_is_deleted": r"has no bone jaw any more; import the avatar again",
    "undo_during_a_job": r"Training done after",
    "another_scene_is_active": r"another_scene_is_active: done; open the project in a scene to use it",
    "another_file_is_opened": r"another_file_is_opened: done; open the project in a scene to use it",
    "another_mode_is_on": r"Blender is in another mode; go to Object Mode and try again",
    "there_is_no_head_to_export": r"not in this scene; import the avatar first",
    "the_set_up_may_not_go_online": r"Blender may not go online; allow it in Preferences",
    "the_set_up_is_cancelled": r"Cancelled; press Set Up Backend to go on from there",
    "a_wheel_is_damaged": r"damaged; replace it",
    "the_folder_of_wheels_is_empty": r"no wheels",
}
"""What is shown, by fault: a regular expression over the panel's lines or what the operator says."""


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was shown in one Blender."""
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    folder = tmp_path_factory.mktemp("faults")
    (folder / "work").mkdir()
    wish = {
        "zip": str(build_zip(folder / "dist")),
        "user": str(folder / "user"),
        "work": str(folder / "work"),
        "wheel": str(write_backend_wheel(folder)),
        "wheels": str(write_packages(folder / "wheels")),
        "environments": make_environments(folder / "environments"),
        "result": str(folder / "result.json"),
    }
    (folder / "request.json").write_text(json.dumps(wish), encoding="utf-8")
    words = (request.param, "-I", "-u", HERE / "fault_scenario.py", folder / "request.json")
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_", "PIP_"))}
    hidden |= dict.fromkeys(("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"), str(folder)) | {"PIP_CONFIG_FILE": os.devnull}
    hidden["PATH"] = os.pathsep.join(path for path in hidden["PATH"].split(os.pathsep) if ".venv" not in path)
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, timeout=600, check=False)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return json.loads((folder / "result.json").read_text(encoding="utf-8"))


def test_the_table_and_the_scenario_agree(seen: dict[str, Any]) -> None:
    assert set(seen) - {"version"} == set(FAULTS)
    assert len(FAULTS) >= 24


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_ends_in_a_sentence(seen: dict[str, Any], name: str) -> None:
    fault = seen[name]
    assert "traceback" not in fault, fault["traceback"]
    shown = "\n".join(fault["shown"])
    assert re.search(FAULTS[name], shown), shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("name", FAULTS)
def test_the_next_training_goes_well(seen: dict[str, Any], name: str) -> None:
    assert seen[name]["after"][-1] == "done", seen[name]["after"]
