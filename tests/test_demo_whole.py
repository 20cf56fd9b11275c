"""The whole way, from a rendered film to files and a page, and back against the truth."""

import json
from pathlib import Path

import numpy as np
import pytest

from spark_backend import __main__ as program
from spark_backend.pipeline.blender_env import find_blender
from spark_backend.pipeline.demo import PURPOSES, demo, make_room
from spark_backend.pipeline.export import BLENDER_FORMATS
from spark_backend.pipeline.options import DemoOptions
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import create_project, open_project
from spark_backend.protocol.storage import read_json
from spark_backend.protocol.take import load_take


def has_blender() -> bool:
    """Whether the files that Blender writes can be expected."""
    try:
        find_blender()
    except SparkError:
        return False
    return True


@pytest.mark.slow
def test_a_film_of_a_made_up_person_is_captured(tmp_path: Path, capfd: pytest.CaptureFixture):
    assert program.main(["demo", "-o", str(tmp_path), "--seconds", "1.2", "--json"]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    fractions = [event["fraction"] for event in events if event["event"] == "Progress"]
    assert events[-1]["event"] == "Done"
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1, abs=0.02)

    figures = {event["name"]: event["value"] for event in events if event["event"] == "Metric"}
    assert figures["frames with the face"] == 36
    assert figures["landmark error, of the distance between the pupils"] < 2.5
    assert figures["head rotation error"] < 6
    assert figures["mean error of the weights"] < 0.15

    endings = [e for e in PURPOSES if has_blender() or e not in BLENDER_FORMATS]
    expected = [f"performance{ending}" for ending in (*endings, ".mp4", "_overlay.mp4", "_sheet.jpg")]
    assert {name for name in expected if (tmp_path / name).stat().st_size > 1000} == set(expected)
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "a rendered performance" in page
    assert 'class="truth"' in page

    made = open_project(tmp_path / "person.spark").avatar_folder
    assert (made / "preview.png").stat().st_size > 10_000
    assert read_json(made / "report.json")["clips"]["performance"]["found"] == 36

    truth = load_take(tmp_path / "truth" / "take.npz")
    take = load_take(open_project(tmp_path / "person.spark").take_path("performance"))
    np.testing.assert_allclose(take.pts, truth.pts, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.0, 0.4, float("nan"), 1e6])
def test_a_length_that_makes_no_clip_is_refused(seconds: float, tmp_path: Path):
    with pytest.raises(SparkError, match="choose a length"):
        demo(DemoOptions(output=tmp_path / "out", seconds=seconds), lambda event: None)
    assert not (tmp_path / "out").exists()


def test_a_wrong_blender_is_told_before_any_work(tmp_path: Path):
    options = DemoOptions(output=tmp_path / "out", blender=tmp_path / "nowhere")
    with pytest.raises(SparkError, match="no Blender"):
        demo(options, lambda event: None)
    assert not (tmp_path / "out").exists()


def test_an_earlier_demos_person_makes_room_but_nothing_else_is_touched(tmp_path: Path):
    create_project(tmp_path / "person.spark")
    (tmp_path / "notes.txt").write_text("mine")
    make_room(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    (tmp_path / "person.spark").mkdir()
    (tmp_path / "person.spark" / "letter.txt").write_text("not a project")
    make_room(tmp_path)
    assert (tmp_path / "person.spark" / "letter.txt").exists()
