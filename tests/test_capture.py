"""`spark capture`: which steps run, on which head."""

from pathlib import Path

import pytest
from toy_avatar import toy_avatar

from spark_backend.pipeline import capture as module
from spark_backend.pipeline import fit as fit_module
from spark_backend.pipeline import track as track_module
from spark_backend.pipeline.capture import capture, durations
from spark_backend.pipeline.options import CaptureOptions
from spark_backend.protocol.avatar import save_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import create_project


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """The steps that ran, with what they were asked for."""
    ran: list[tuple] = []
    monkeypatch.setattr(module, "ingest_clips", lambda options, report: ran.append(("ingest",)) or ["a", "b"])
    monkeypatch.setattr(fit_module, "fit", lambda options, report: ran.append(("fit", options.preset)))
    monkeypatch.setattr(
        track_module, "track", lambda options, report: ran.append(("track", options.clip, options.tracker))
    )
    return ran


def run(project: Path, **options) -> dict:
    return dict(capture(CaptureOptions(project, (Path("a.mp4"), Path("b.mp4")), **options), lambda event: None))


def test_the_head_is_built_from_all_clips_then_each_is_tracked(tmp_path: Path, steps: list[tuple]) -> None:
    create_project(tmp_path / "p")
    result = run(tmp_path / "p", preset="high", tracker="landmarks")
    assert steps == [("ingest",), ("fit", "high"), ("track", "a", "landmarks"), ("track", "b", "landmarks")]
    assert list(result["takes"]) == ["a", "b"]


def test_a_head_that_is_kept_is_not_fitted(tmp_path: Path, steps: list[tuple]) -> None:
    project = create_project(tmp_path / "p")
    save_avatar(project.avatar_folder, toy_avatar())
    run(tmp_path / "p", keep_head=True)
    assert steps == [("ingest",), ("track", "a", "optimise"), ("track", "b", "optimise")]


def test_no_head_to_keep_is_told_before_anything_is_read(tmp_path: Path, steps: list[tuple]) -> None:
    create_project(tmp_path / "p")
    with pytest.raises(SparkError, match="no avatar here; run `spark fit`"):
        run(tmp_path / "p", keep_head=True)
    assert steps == []


def test_progress_knows_which_steps_there_are() -> None:
    whole = durations(CaptureOptions(Path("p"), (), tracker="landmarks"))
    kept = durations(CaptureOptions(Path("p"), (), tracker="optimise", keep_head=True))
    assert list(whole) == ["ingest", "fit", "track"]
    assert list(kept) == ["ingest", "track"]
    assert kept["track"] > whole["track"]
