"""The panel Live in real Blenders without a window, with a backend that plays a take."""

import json
import os
import subprocess
from typing import Any

import pytest
from stand_in import HERE, build_zip, make_environments
from test_addon import PYTHONS, step

from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.take import load_take

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The zip and the environment of the stand-in."""
    environments = make_environments(tmp_path_factory.mktemp("environments"))
    return {"zip": str(build_zip(tmp_path_factory.mktemp("dist"))), "environment": environments["full"]}


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request, addon: dict[str, str], tmp_path_factory) -> dict[str, Any]:
    """What the scenario saw in one Blender."""
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    folder = tmp_path_factory.mktemp("live")
    (folder / "work").mkdir()
    wish = {**addon, "user": str(folder / "user"), "work": str(folder / "work"), "result": str(folder / "result.json")}
    (folder / "request.json").write_text(json.dumps(wish), encoding="utf-8")
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_"))}
    hidden["HOME"] = hidden["XDG_DATA_HOME"] = str(folder)
    words = (request.param, "-I", "-u", HERE / "live_scenario.py", folder / "request.json")
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, timeout=300, check=False)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return {**json.loads((folder / "result.json").read_text()), "work": folder / "work", "log": done.stdout}


def test_nothing_runs_before_start(seen) -> None:
    install = step(seen, "install")
    assert install["polls"] == [False, False, False]
    assert "[Start]" in install["off"][""]
    assert install["images"] == []


def test_cameras_are_offered_by_name(seen) -> None:
    found = step(seen, "cameras_are_offered")
    assert found["before"] == []
    assert found["offered"] == ["Built-in", "Desk Camera"]
    assert found["chosen"] == ["0", "Desk Camera"]
    assert "<camera>" in found["panel"]
    assert "[]" in found["panel"]


def test_strengths_belong_to_the_project_and_come_back(seen) -> None:
    back = step(seen, "strengths_come_back")
    assert (back["listed"], back["untouched"]) == (52, False)
    assert back["file"]["keys"] == {"mouthSmileLeft": 0.5}
    assert (back["file"]["regions"]["jaw"], back["file"]["smoothing"]) == (1.5, 0.25)
    assert back["shown"] == [[0.5, 1.0, None], [0.25, 1.5, 0.5], [0.25, 1.5, 0.5]]


def test_start_moves_the_head_and_shows_the_camera(seen) -> None:
    start = step(seen, "start")
    assert start["moved"] > 0.002
    assert "Starting: the first time takes some seconds" in start["starting"][""]
    lines = start["tracking"][""]
    assert "Tracking" in lines
    assert any(line.startswith("60 fps   ") for line in lines)
    assert "2 malformed packets" in lines
    assert {"[Stop]", "[Calibrate]"} <= set(lines)
    assert start["images"] == ["SPARK Live Camera"]
    assert start["picture"] == [160, 90]
    assert "poll() failed" in start["second"]


def test_the_latency_is_told_part_by_part(seen) -> None:
    lines = step(seen, "start")["tracking"]["_latency"]
    parts = dict(zip(lines[::2], (float(value.removesuffix(" ms")) for value in lines[1::2]), strict=True))
    assert list(parts) == ["Camera", "Tracker", "Transport", "Viewport", "Whole"]
    assert (parts["Camera"], parts["Tracker"]) == (4.0, 8.0)
    assert parts["Transport"] > 0
    assert parts["Whole"] == pytest.approx(sum(list(parts.values())[:4]), abs=0.3)


def test_sliders_act_while_it_runs(seen) -> None:
    sent = step(seen, "settings_are_sent")
    assert sent[0]["strength"] == 0.5
    assert sent[-1]["smoothing"] == 0.25
    assert set(sent[-1]["strengths"]) == set(ARKIT_52)
    assert sent[-1]["strengths"]["browInnerUp"] == 2.0
    assert sent[-1]["strengths"]["jawOpen"] == 1.0


def test_the_live_pose_is_the_baked_pose(seen) -> None:
    """The same row of a take through both ways: shape keys, bones, and the vertices of the evaluated mesh."""
    same = step(seen, "the_pose_is_the_baked_one")
    assert same["weights"] < 1e-5
    assert same["bones"] < 1e-4
    assert same["vertices"] < 1e-5


def test_pause_and_calibration_are_told(seen) -> None:
    told = step(seen, "pause")
    assert "Paused" in told["paused"]
    assert "Calibrated" in told["calibrated"]


def test_a_recording_is_listed_and_baked_at_true_times(seen) -> None:
    record = step(seen, "record")
    assert any(line.startswith("[Stop Recording") for line in record["during"])
    assert "rehearsal" in record["listed"]
    assert record["selected"] == "rehearsal"
    assert record["baked"]
    assert record["rate"][0] == record["rate"][1]  # the scene's own, whatever the camera's
    assert record["sounds"] in ([["tone.wav", 1, record["rate"][0]]], [])
    assert record["sounds"] or any("without sound" in line for line in record["after"])
    assert not record["playing"]  # the head goes on following the camera
    assert any(line.startswith("rehearsal, ") for line in record["after"])
    assert "Record a take with its video first" in record["retrack"] or "poll() failed" in record["retrack"]
    take = load_take(seen["work"] / "Anna.spark" / "takes" / "rehearsal.npz")
    assert len(take.pts) > 10


def test_stop_gives_the_head_its_action(seen) -> None:
    stop = step(seen, "stop")
    assert "Stopping" in stop["stopping"]
    assert "[Start]" in stop["panel"]
    assert stop["action"].startswith("rehearsal")
    assert stop["keys"].startswith("rehearsal")
    assert stop["images"] == []


def test_a_killed_backend_is_told(seen) -> None:
    killed = step(seen, "killed")
    assert any("ended unexpectedly" in line for line in killed["panel"])
    assert "[Start]" in killed["panel"]


def test_what_the_backend_refuses_is_told(seen) -> None:
    refusal = step(seen, "refused_by_the_backend")
    assert "Nothing is chosen" in refusal["nothing"]
    assert any("camera 99: not there" in line for line in refusal["panel"])


def test_a_head_that_goes_stops_live(seen) -> None:
    assert any("no longer in the scene" in line for line in step(seen, "the_head_goes"))


def test_disabling_the_addon_ends_the_backend(seen) -> None:
    ended = step(seen, "disabled_while_running")
    assert ended["ended"]
    assert not ended["left"]
