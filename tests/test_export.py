"""Exports without Blender, the choice of Blender, and what happens when an export goes wrong."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.pipeline import blender_env
from spark_backend.pipeline.blender_env import BlenderProgram, describe, find_blender
from spark_backend.pipeline.export import avatar_name, export_many, export_take
from spark_backend.protocol.avatar import load_avatar, save_avatar
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.job import Event
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.storage import read_npz, write_json
from spark_backend.protocol.take import load_take, save_take


def ignore(event: Event) -> None:
    pass


@pytest.fixture
def project(tmp_path: Path) -> Path:
    save_avatar(tmp_path / "toy.spark" / "avatar", toy_avatar(6, 8))
    save_take(tmp_path / "take.npz", toy_take(70))
    return tmp_path


def fake_blender(folder: Path, body: str) -> Path:
    """A Python that runs `body` in place of the request's script; `request` is the request."""
    script = folder / "fake.py"
    script.write_text(
        f"import json, sys, pathlib\nrequest = json.loads(pathlib.Path(sys.argv[-1]).read_text())\n{body}"
    )
    launcher = folder / ("python-fake.cmd" if sys.platform == "win32" else "python-fake")
    if sys.platform == "win32":
        launcher.write_text(f'@"{sys.executable}" "{script}" %*\n')
    else:
        launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        launcher.chmod(0o755)
    return launcher


def test_geometry_holds_every_frame(project: Path):
    output = export_take(project / "toy.spark/avatar", project / "take.npz", project / "x.npz", report=ignore)
    content, avatar, take = read_npz(output), load_avatar(project / "toy.spark/avatar"), load_take(project / "take.npz")
    np.testing.assert_allclose(content["vertices"], np.concatenate(list(pose_vertices(avatar, take))), atol=1e-7)
    np.testing.assert_array_equal(content["faces"], avatar.faces)
    assert content["names"].tolist() == list(take.names)
    wanted = {"vertices", "faces", "K", "size", "pts", "valid", "weights", "names", "landmark_face", "landmark_bary"}
    assert set(content) == wanted


def test_csv_needs_no_blender(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SPARK_BLENDER", str(project / "nowhere"))
    output = export_take(project / "toy.spark/avatar", project / "take.npz", project / "deep" / "x.csv", report=ignore)
    assert len(output.read_text().splitlines()) == 71


@pytest.mark.parametrize(
    ("name", "take", "words"),
    [
        ("x.mov", "take.npz", "unknown kind of file"),
        ("x.abc", None, "name the take"),
        ("x.csv", None, "name the take"),
        ("folder.fbx", "take.npz", "is a folder"),
        ("x.fbx", "missing.npz", "no such file"),
    ],
)
def test_what_cannot_be_written_is_refused_first(project: Path, name: str, take: str | None, words: str):
    (project / "folder.fbx").mkdir()
    before = sorted(project.rglob("*"))
    with pytest.raises(SparkError, match=words):
        export_many(
            project / "toy.spark/avatar",
            project / take if take else None,
            [project / "good.npz", project / name],
            blender=Path(sys.executable),
            report=ignore,
        )
    assert sorted(project.rglob("*")) == before


def test_a_missing_blender_is_told_before_anything_is_written(project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(blender_env, "habitual_places", lambda: iter(()))
    monkeypatch.delenv("SPARK_BLENDER", raising=False)
    monkeypatch.setenv("SPARK_HOME", str(project))
    outputs = [project / "x.csv", project / "x.fbx"]
    with pytest.raises(SparkError, match=r"no Blender found; make one with .*bpy==.*--blender"):
        export_many(project / "toy.spark/avatar", project / "take.npz", outputs, report=ignore)
    assert not (project / "x.csv").exists()


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ("sys.exit(3)", SparkError, "did not finish"),
        ("print('no module named bpy'); sys.exit(1)", SparkError, "no module named bpy"),
        (
            "pathlib.Path(request['result']).write_text(json.dumps({'error': 'too bad', 'kind': 'user'}))",
            SparkError,
            "too bad",
        ),
        (
            "pathlib.Path(request['result']).write_text(json.dumps({'error': 'oops', 'kind': 'internal'}))",
            RuntimeError,
            "oops",
        ),
    ],
)
def test_a_failing_child_leaves_nothing_behind(project: Path, body: str, error: type[Exception], words: str):
    half = "pathlib.Path(request['outputs'][0]).write_text('half')\n"
    program = fake_blender(project, half + body)
    before = sorted(project.rglob("*"))
    with pytest.raises(error, match=words):
        export_take(
            project / "toy.spark/avatar", project / "take.npz", project / "x.fbx", blender=program, report=ignore
        )
    assert sorted(project.rglob("*")) == before


def test_companions_move_along_and_old_files_are_replaced(project: Path):
    body = (
        "out = pathlib.Path(request['outputs'][0])\n"
        "out.write_text('new')\n"
        "(out.parent / 'textures').mkdir()\n"
        "(out.parent / 'textures' / 'a.png').write_text('map')\n"
        "pathlib.Path(request['result']).write_text('{\"warnings\": [\"mind the gap\"]}')"
    )
    (project / "x.usdc").write_text("old")
    events: list[Event] = []
    program = fake_blender(project, body)
    export_take(
        project / "toy.spark/avatar", project / "take.npz", project / "x.usdc", blender=program, report=events.append
    )
    assert (project / "x.usdc").read_text() == "new"
    assert (project / "textures" / "a.png").read_text() == "map"
    assert [event.message for event in events if hasattr(event, "message")] == ["mind the gap"]
    assert not list(project.glob(".spark*"))


def test_cancelling_ends_the_child(project: Path):
    survived = project / "survived"
    program = fake_blender(project, f"import time\ntime.sleep(1)\npathlib.Path({str(survived)!r}).touch()")
    calls = []

    def report(event: Event) -> None:
        calls.append(event)
        if len(calls) > 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        export_take(
            project / "toy.spark/avatar", project / "take.npz", project / "x.fbx", blender=program, report=report
        )
    assert not list(project.glob(".spark*"))
    time.sleep(1.3)
    assert not survived.exists()


def test_blender_is_looked_for_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    places = {}
    for name in ("explicit", "environment", "config", "beside"):
        python = tmp_path / name / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        python.parent.mkdir(parents=True)
        python.touch()
        places[name] = python
    write_json(tmp_path / "config.json", {"blender": str(tmp_path / "config")})
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    monkeypatch.setenv("SPARK_BLENDER", str(tmp_path / "environment"))
    monkeypatch.setattr(blender_env, "habitual_places", lambda: iter([(tmp_path / "beside", "beside")]))
    assert find_blender(tmp_path / "explicit").path == places["explicit"]
    assert find_blender().path == places["environment"]
    monkeypatch.delenv("SPARK_BLENDER")
    assert find_blender().path == places["config"]
    (tmp_path / "config.json").unlink()
    assert find_blender().path == places["beside"]
    with pytest.raises(SparkError, match="the option --blender"):
        find_blender(tmp_path / "nowhere")


def test_commands_of_python_and_application():
    python = BlenderProgram(Path("/venv/bin/python3.11"), "")
    application = BlenderProgram(Path("/opt/blender/blender"), "")
    assert python.command(Path("s.py"), "r.json") == [str(python.path), "-I", "-u", "s.py", "r.json"]
    assert application.command(Path("s.py"), "r.json")[-4:] == ["--python", "s.py", "--", "r.json"]


def test_the_childs_environment_hides_the_backends_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    environment = BlenderProgram(Path("python"), "").environment(tmp_path)
    assert "PYTHONPATH" not in environment
    assert environment["TMPDIR"] == str(tmp_path)


def test_describe_tells_of_a_python_without_bpy(tmp_path: Path):
    state = describe(fake_blender(tmp_path, "sys.exit(1)"))
    assert state.version == ""
    assert "no bpy that starts" in state.problem


def test_avatar_is_called_after_its_project():
    assert avatar_name(Path("/x/anna.spark/avatar")) == "anna"
    assert avatar_name(Path("/x/bert")) == "bert"
