"""What the add-on's panel shows of a job, without Blender."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from spark_backend.protocol.job import (
    Done,
    Failed,
    Job,
    Metric,
    Preview,
    Progress,
    Warning,
    encode_event,
    read_events,
    write_job,
)
from spark_backend.protocol.launch import hold
from spark_blender import session
from spark_blender.job_state import JobState, advance, seconds_left


def test_events_become_what_is_shown(tmp_path: Path) -> None:
    state = JobState("capture", tmp_path, started=time.time() - 10)
    for event in (
        Progress("Fitting", 1.7, 4.0),
        Warning("dark"),
        Warning("dark"),
        Metric("error", 1.0, "%"),
        Preview("a.png"),
    ):
        state = advance(state, event)
    assert (state.stage, state.fraction, state.eta, state.preview) == ("Fitting", 1.0, 4.0, "a.png")
    assert state.warnings == ("dark",)
    assert state.busy
    done = advance(state, Done({"avatar": "x"}))
    assert (done.status, done.result, done.eta, done.busy) == ("done", {"avatar": "x"}, None, False)
    assert 9 < done.seconds < 15
    assert advance(state, Failed("Cancelled", "cancelled")).status == "cancelled"
    failed = advance(state, Failed("the backend\nended", "internal"))
    assert (failed.status, failed.message) == ("failed", "The backend ended")
    assert advance(state, Failed("clip.mp4: broken")).message == "clip.mp4: broken"


def test_time_left_is_told_or_estimated(tmp_path: Path) -> None:
    state = JobState("capture", tmp_path, started=100.0)
    assert seconds_left(replace(state, eta=7.0), 101.0) == 7.0
    assert seconds_left(replace(state, fraction=0.01), 130.0) is None
    assert seconds_left(replace(state, fraction=0.25), 130.0) == pytest.approx(90.0)
    assert seconds_left(replace(state, fraction=0.25, status="cancelling"), 130.0) is None


def test_old_job_folders_go_but_never_a_running_one(tmp_path: Path) -> None:
    for index in range(session.KEPT_JOBS + 3):
        write_job(tmp_path / f"2000010{index:02d}-capture", Job("capture"))
    (tmp_path / "not a job").mkdir()
    with hold(tmp_path / "200001000-capture"):
        folder = session.new_job_folder(tmp_path, "capture")
    assert not folder.exists()
    assert folder.name.endswith("-capture")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == session.KEPT_JOBS - 1 + 2  # with the running one and what is no job
    assert left[0] == "200001000-capture"
    assert "not a job" in left


def test_the_pump_leaves_the_rest_of_a_flood_for_later(tmp_path: Path) -> None:
    write_job(tmp_path, Job("train"))
    with open(tmp_path / "events.jsonl", "w", encoding="utf-8") as file:
        file.writelines(encode_event(Progress("Fitting", index / 2000)) + "\n" for index in range(2000))
    told = session.Session()
    with hold(tmp_path):
        told.attach(session.WORK, tmp_path)
        told.pump(budget=0.0)
        first = told.state(session.WORK).fraction
        told.pump(budget=60.0)
        assert 0 < first < 0.5
        assert told.state(session.WORK).fraction == 1999 / 2000


def test_the_last_lines_of_a_log_are_shown(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert session.last_lines(log) == ()
    log.write_bytes(b"\xff" * 3000 + b"\n" + b"".join(b"Fetching %d\r\n\n" % number for number in range(9)))
    assert session.last_lines(log) == tuple(f"Fetching {number}" for number in range(4, 9))


def test_two_jobs_of_one_second_get_two_folders(tmp_path: Path) -> None:
    first = session.new_job_folder(tmp_path, "capture")
    write_job(first, Job("capture"))
    second = session.new_job_folder(tmp_path, "capture")
    assert second != first
    assert read_events(second) == ([], 0)
