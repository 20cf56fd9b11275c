"""The runner of jobs in this process: what it writes into the folder and how it answers."""

from pathlib import Path

import pytest

from spark_backend.pipeline.jobs import JobReport, run_job
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.job import Done, Job, Progress, read_events, write_job


def test_progress_is_thinned_out_and_cancel_heard_at_every_report(tmp_path: Path) -> None:
    report = JobReport(tmp_path)
    for index in range(1000):
        report(Progress("one stage", index / 1000))
    report(Progress("one stage", 1.0))
    report(Progress("next stage", 0.0))
    events, _ = read_events(tmp_path)
    assert len(events) < 100
    assert events[-2:] == [Progress("one stage", 1.0), Progress("next stage", 0.0)]
    (tmp_path / "cancel").touch()
    with pytest.raises(Cancelled):
        report(Progress("next stage", 0.1))


def test_a_job_in_this_process(tmp_path: Path) -> None:
    write_job(tmp_path, Job("add", {"a": 1}))
    assert run_job(tmp_path, {"add": lambda options, report: {"sum": options["a"] + 1}}) == 0
    assert read_events(tmp_path)[0] == [Done({"sum": 2})]
    write_job(tmp_path / "strange", Job("add"))
    assert run_job(tmp_path / "strange", {"add": lambda options, report: {"sum": object()}}) == 2
    with pytest.raises(SparkError, match="no such file"):
        run_job(tmp_path / "missing", {})
