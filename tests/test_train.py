"""`spark train`: what is read, and that nothing is read twice."""

from pathlib import Path

import numpy as np
import pytest

from spark_backend.pipeline import train as module
from spark_backend.pipeline.options import TrainOptions
from spark_backend.pipeline.train import train
from spark_backend.protocol.project import ClipInfo, Frames, create_project, save_clip, save_project, with_clip


def read_clip(project, name: str, video: Path):
    """A clip that was read from that video, as the project knows it then."""
    none = {name: np.zeros((0, *shape)) for name, shape in (("box", (4,)), ("landmarks", (478, 3)), ("scores", (52,)))}
    frames = Frames(pts=np.zeros(0), valid=np.zeros(0, bool), confidence=np.zeros(0), **none)
    save_clip(project.clip_folder(name), ClipInfo(str(video), "0", "h264", (64, 48), 0, 0, 30.0), frames)
    save_project(with_clip(project, name))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The steps that ran, with what they were asked for."""
    ran: list[tuple] = []
    monkeypatch.setattr(module, "ingest", lambda options, report: ran.append(("ingest", options.clips)))
    monkeypatch.setattr(module, "fit", lambda options, report: ran.append(("fit", options.preset)) or {"x": 1})
    return ran


def test_only_what_is_new_is_read(tmp_path: Path, steps: list[tuple]) -> None:
    project = create_project(tmp_path / "p")
    read_clip(project, "a", tmp_path / "a.mp4")
    result = train(TrainOptions(tmp_path / "p", (tmp_path / "a.mp4", tmp_path / "b.mp4"), "high"), lambda event: None)
    assert steps == [("ingest", (tmp_path / "b.mp4",)), ("fit", "high")]
    assert result == {"x": 1, "project": str(tmp_path / "p"), "avatar": str(tmp_path / "p" / "avatar")}


def test_a_job_that_is_run_again_reads_nothing_twice(tmp_path: Path, steps: list[tuple]) -> None:
    read_clip(create_project(tmp_path / "p"), "a", tmp_path / "a.mp4")
    train(TrainOptions(tmp_path / "p", (tmp_path / "a.mp4",), "draft"), lambda event: None)
    assert steps == [("fit", "draft")]
