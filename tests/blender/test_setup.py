"""The set-up of the backend from the preferences of Blender, without a window, from a folder of made-up wheels."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from made_up_wheels import write_backend_wheel, write_packages
from stand_in import HERE, build_zip
from test_addon import PYTHONS

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the scenario saw in one Blender."""
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    folder = tmp_path_factory.mktemp("setup")
    wish = {
        "zip": str(build_zip(folder / "dist")),
        "user": str(folder / "user"),
        "wheel": str(write_backend_wheel(folder)),
        "wheels": str(write_packages(folder / "wheels")),
        "result": str(folder / "result.json"),
    }
    (folder / "request.json").write_text(json.dumps(wish), encoding="utf-8")
    words = (request.param, "-I", "-u", HERE / "setup_scenario.py", folder / "request.json")
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_", "PIP_"))}
    hidden |= dict.fromkeys(("HOME", "XDG_DATA_HOME", "LOCALAPPDATA"), str(folder)) | {"PIP_CONFIG_FILE": os.devnull}
    hidden["PATH"] = os.pathsep.join(path for path in hidden["PATH"].split(os.pathsep) if ".venv" not in path)
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, timeout=400, check=False)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return {**json.loads((folder / "result.json").read_text(encoding="utf-8")), "home": str(folder)}


def step(seen: dict[str, Any], name: str) -> Any:
    """What one step gave; its traceback fails the test."""
    result = seen[name]
    assert not (isinstance(result, str) and result.startswith("Traceback")), result
    return result


def test_the_zip_carries_what_the_set_up_installs(seen) -> None:
    install = step(seen, "install")
    assert len(install["carried"]) == 1
    for line in ("[Set Up Backend]", "[Repair]", "[Remove]", "<python>", "<device>", "<wheels>"):
        assert line in install["lines"]
    assert "No backend found; set it up or choose its environment" in install["lines"]
    assert seen["violations"] == {}


def test_nothing_is_fetched_without_permission(seen) -> None:
    offline = step(seen, "offline")
    assert "Blender may not go online; allow it in Preferences > System > Network" in offline["sentence"]
    assert offline["state"]


def test_cancelled_and_gone_on_with(seen) -> None:
    cancel = step(seen, "cancel")
    lines, may_start_again, may_check = cancel["running"]
    bar = next(index for index, line in enumerate(lines) if line.startswith("bar 0."))
    assert lines[bar + 1 : bar + 3] == ["[]", "[]"]
    assert not may_start_again
    assert not may_check
    assert "Cancelling" in cancel["cancelling"]
    assert cancel["status"] == "cancelled"
    assert "The backend is set up in part; press Set Up Backend to go on" in cancel["lines"]
    assert "Cancelled; press Set Up Backend to go on from there" in cancel["lines"]
    resume = step(seen, "resume")
    assert resume["status"] == "done"
    assert "== Making the environment" not in resume["log"]
    assert "Ready: SPARK 0.1.0, CPU, made up" in resume["lines"]
    assert not resume["torch"]
    assert resume["longest"] < 0.05


def test_the_environment_outlives_the_addon(seen) -> None:
    python = Path(step(seen, "resume")["python"])
    assert python.is_relative_to(seen["home"])
    assert "extensions" not in python.parts
    again = step(seen, "after_a_restart")
    assert Path(again["python"]) == python
    assert again["message"].startswith("Found in ")


def test_a_damaged_wheel_is_told_and_a_retry_works(seen) -> None:
    fault = step(seen, "fault")
    assert fault["status"] == "failed"
    assert any("damaged; replace it" in line for line in fault["lines"])
    assert "[Open Log]" in fault["lines"]
    assert "set up in part" in fault["backend"]
    assert fault["again"] == "done"


def test_removed(seen) -> None:
    remove = step(seen, "remove")
    assert not remove["there"]
    assert remove["status"] == "missing"
    assert "The backend is removed" in remove["lines"]
