"""The add-on in real Blenders without a window: installed from its zip, used through its operators, made to fail."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import programs
from stand_in import HERE, build_zip, make_environments

from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.take import load_take

pytestmark = pytest.mark.blender


PYTHONS = [program.path for program in programs() if program.is_python]
CHOICES = ["<preset>", "<tracker>", "[Capture]", "[Track Selected Clip]"]
"""What the panel Capture shows before it tells of a job, once there is a head."""


@pytest.fixture(scope="module")
def addon_zip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The zip, freshly built."""
    return build_zip(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def environments(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Backend environments by name."""
    return make_environments(tmp_path_factory.mktemp("environments"))


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request, addon_zip: Path, environments: dict[str, str], tmp_path_factory) -> dict[str, Any]:
    """What the scenario saw in one Blender."""
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    folder = tmp_path_factory.mktemp("scenario")
    (folder / "work").mkdir()
    wish = {
        "zip": str(addon_zip),
        "user": str(folder / "user"),
        "work": str(folder / "work"),
        "environments": environments,
        "result": str(folder / "result.json"),
    }
    (folder / "request.json").write_text(json.dumps(wish), encoding="utf-8")
    words = (request.param, "-I", "-u", HERE / "scenario.py", folder / "request.json")
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_"))}
    hidden["HOME"] = hidden["XDG_DATA_HOME"] = str(folder)
    hidden["PATH"] = os.pathsep.join(path for path in hidden["PATH"].split(os.pathsep) if ".venv" not in path)
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, timeout=300, check=False)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return {**json.loads((folder / "result.json").read_text()), "environments": environments, "log": done.stdout}


def step(seen: dict[str, Any], name: str) -> Any:
    """What one step gave; its traceback fails the test."""
    result = seen[name]
    assert not (isinstance(result, str) and result.startswith("Traceback")), result
    return result


def test_installs_from_the_zip_within_the_rules(seen) -> None:
    install = step(seen, "install")
    assert install["enabled"]
    assert install["violations"] == {}
    assert str(Path("extensions", ".local")) in install["protocol"]
    assert not install["torch"]
    assert not install["own_copy"]
    assert ["No backend found; set it up or choose its environment" in line for line in install["panels"][0]][-1]


def test_leaves_nothing_behind_and_comes_back(seen) -> None:
    assert step(seen, "enable_and_disable") == [[[], False, []], [True, True]] * 2


def test_backend_row_tells_what_it_knows(seen) -> None:
    backend = step(seen, "backend")
    assert "No backend found" in backend["refused"]
    assert "no Python there" in backend["none checked"][-1]
    assert any("SPARK is not installed there" in line for line in backend["empty checked"])
    assert "[Open Log]" in backend["empty checked"]
    assert "Not ready: torch, install it with pip" in backend["half checked"]
    assert backend["full chosen"][-1] == "Not checked yet"
    assert backend["full checking"][-1] == "Checking"
    assert backend["full checked"][-1] == "Ready: SPARK 0.1.0, CPU"


def test_projects_are_made_and_opened(seen) -> None:
    project = step(seen, "project")
    assert project["can_capture"] == [False, False, False]
    assert "already a project" in project["again"]
    assert "not a project" in project["wrong"]
    assert "not a name for a folder" in project["slash"]
    assert project["panel"][0] == "Anna K"
    assert "no such video" in project["missing_clip"]


def test_capture_shows_progress_and_imports(seen) -> None:
    capture = step(seen, "capture")
    (bar, cancel, stage, times), can_capture = capture["running"]
    assert bar.startswith("bar 0.")
    assert cancel == "[]"
    assert stage in ("Finding the face", *(f"Step {index}" for index in range(6)))
    assert times.endswith(" s left")
    assert not can_capture
    assert capture["status"] == "done"
    assert capture["lines"][len(CHOICES)].startswith("Capture done after ")
    assert "good: the end is damaged" in capture["lines"]
    assert "98 %" in capture["clips"]
    assert "Face in 98 % of 24 frames" in capture["clips"]
    assert "good" in capture["takes"]
    assert capture["keys"] == 52
    assert capture["range"] == [1, 24, 30]
    assert "good" in capture["camera"]
    assert capture["plate"] == "plate.mp4"
    assert capture["view"] == ["CAMERA", True]
    assert "Capture a clip first" in capture["export_before"]


def test_another_clip_is_tracked_on_the_head_that_is_there(seen) -> None:
    track = step(seen, "track")
    assert track["choices"][: len(CHOICES)] == CHOICES
    wanted = {"preset": "high", "tracker": "optimise", "keep_head": True}
    assert {name: track["options"][name] for name in wanted} == wanted
    assert [Path(clip).name for clip in track["options"]["clips"]] == ["second.mp4"]
    assert track["take"] == "second"
    assert track["mine"] == 1


def test_baked_weights_are_the_takes(seen) -> None:
    take = load_take(Path(seen["environments"]["full"], *take_place(seen)))
    assert take.names == ARKIT_52
    for frame, weights in step(seen, "weights").items():
        np.testing.assert_allclose(weights, take.weights[int(frame) - 1], atol=1e-5)


def take_place(seen: dict[str, Any]) -> tuple[str, ...]:
    """The stand-in's take inside its environment."""
    root = Path(seen["environments"]["full"])
    return next(root.rglob("take.npz")).relative_to(root).parts


def test_importing_and_baking_again_leaves_no_doubles(seen) -> None:
    again = step(seen, "again")
    assert again["baked"] == again["before"]
    assert {**again["imported"], "actions": 0} == {**again["before"], "actions": 0}
    take = load_take(Path(seen["environments"]["full"], *take_place(seen)))
    np.testing.assert_allclose(again["1+"], take.weights[1], atol=1e-5)  # 30 Hz in a scene of 60: every second frame


def test_another_mode_is_told_not_broken(seen) -> None:
    edit = step(seen, "edit_mode")
    assert all("go to Object Mode" in sentence for sentence in edit["sentences"])
    assert edit["status"] == "done"
    assert any("go to Object Mode" in line for line in edit["lines"])


def test_undo_takes_an_import_back(seen) -> None:
    undo = step(seen, "undo")
    assert undo["name"] == "Anna K"
    assert undo["objects"][0] == undo["objects"][1]


def test_exports(seen) -> None:
    exports = step(seen, "exports")
    assert all(exports[suffix] > 1000 for suffix in (".fbx", ".abc", ".usdc", ".glb", ".obj"))
    assert exports[".csv"] == "written by the backend"
    assert any(line.startswith("Export done after") for line in exports["panel"])
    assert "anna.obj" in exports["refused"]


@pytest.mark.parametrize(
    ("play", "sentence"),
    [
        ("no_face", "no_face.mp4: no face in any of 95 frames; choose another clip"),
        ("bug", "Something went wrong inside SPARK (ZeroDivisionError: division by zero); please report it"),
        (
            "exit",
            "The backend ended unexpectedly (exit code 3); its last words: CUDA error: device-side assert triggered",
        ),
    ],
)
def test_a_failing_backend_ends_in_a_sentence(seen, play: str, sentence: str) -> None:
    fault = step(seen, "faults")[play]
    assert fault["status"] == "failed"
    assert fault["lines"] == [*CHOICES, sentence, "[Open Log]", "[Dismiss]"]


def test_garbage_is_skipped_and_a_lost_result_told(seen) -> None:
    faults = step(seen, "faults")
    assert faults["garbage"]["status"] == "done"
    assert "An unreadable line of the backend was skipped" in faults["garbage"]["lines"]
    assert faults["lost"]["status"] == "done"
    assert any("lost.npz" in line for line in faults["lost"]["lines"])


def test_killed_cancelled_and_deaf_backends(seen) -> None:
    killed = step(seen, "killed")
    assert killed["status"] == "failed"
    assert "The backend ended unexpectedly (killed" in killed["lines"][len(CHOICES)]
    cancelled = step(seen, "cancelled")
    assert cancelled["status"] == "cancelled"
    assert "Cancelling" in cancelled["cancelling"][0]
    assert cancelled["lines"][len(CHOICES)].startswith("Capture cancelled after ")
    assert step(seen, "deaf")["status"] == "cancelled"


def test_a_project_that_cannot_be_written_is_told(seen) -> None:
    assert "cannot be written or read" in step(seen, "unwritable")


def test_blender_stays_usable_and_old_jobs_go(seen) -> None:
    usable = step(seen, "still_usable")
    assert usable["status"] == "done"
    assert usable["dismissed"] == CHOICES
    assert usable["folders"] <= 10


def test_the_pump_never_holds_blender_up(seen) -> None:
    assert step(seen, "pump_is_quick") < 0.05


def test_a_job_is_found_again_after_a_restart(seen) -> None:
    again = step(seen, "found_again")
    assert again == {"before": True, "status": "cancelled", "takes": ["garbage", "good", "made meanwhile", "second"]}


def test_disabling_ends_the_running_job(seen) -> None:
    assert step(seen, "disabled_while_running") == {"runs": False}
