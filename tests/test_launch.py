"""Jobs through real child processes: their story, their end, and every way in which they can go wrong."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from job_programs import BACKEND, LAUNCHER

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import (
    Done,
    Event,
    Failed,
    Job,
    Metric,
    Progress,
    Warning,
    append_event,
    read_events,
    write_job,
)
from spark_backend.protocol.launch import (
    CHUNK,
    JobProcess,
    backend_command,
    environment_python,
    hold,
    lock_is_held,
    log_tail,
    running_jobs,
)

REPOSITORY = Path(__file__).parents[1]
PATIENCE = 20.0
posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")


@pytest.fixture
def launch(tmp_path: Path):
    """Starts a job of the small backend above; whatever still runs at the end is killed."""
    (tmp_path / "backend.py").write_text(BACKEND, encoding="utf-8")
    jobs: list[JobProcess] = []

    def start(command: str, grace: float = 10.0, keep_running: bool = False, **options: object) -> JobProcess:
        folder = tmp_path / f"job {len(jobs)} é"
        write_job(folder, Job(command, options))
        words = [sys.executable, "-u", str(tmp_path / "backend.py")]
        environment = {"PYTHONPATH": str(REPOSITORY)}
        jobs.append(JobProcess.start(words, folder, environment=environment, grace=grace, keep_running=keep_running))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()
        job.detach()


def follow(job: JobProcess, until: Callable[[list[Event]], bool] | None = None) -> list[Event]:
    """Polls until the job has ended, or until `until(events)`."""
    events: list[Event] = []
    deadline = time.monotonic() + PATIENCE
    while not (until(events) if until else job.ended):
        assert time.monotonic() < deadline, (events, log_tail(job.folder))
        events += job.poll()
        time.sleep(0.01)
    return events


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_job_tells_its_story_and_ends(launch) -> None:
    job = launch("count", steps=3)
    events = follow(job)
    assert [event.stage for event in events if isinstance(event, Progress)] == ["step 0", "step 1", "step 2"]
    assert events[-2:] == [Metric("error", 0.5, "%"), Done({"path": "somewhere", "steps": 3})]
    assert job.outcome == events[-1]
    assert job.process_id is None
    assert not lock_is_held(job.folder)
    assert job.poll() == []


def test_a_second_run_starts_a_new_story(launch) -> None:
    job = launch("count", steps=2)
    follow(job)
    job.cancel()
    words = [sys.executable, "-u", str(job.folder.parent / "backend.py")]
    again = JobProcess.start(words, job.folder, environment={"PYTHONPATH": str(REPOSITORY)})
    assert isinstance(follow(again)[-1], Done)
    events, _ = read_events(job.folder)
    assert len([event for event in events if isinstance(event, Done)]) == 1


def test_faults_become_one_sentence(launch) -> None:
    job = launch("user_fault")
    assert follow(job) == [Failed("clip.mp4: no face in it; choose another clip", "user")]
    broken = launch("bug")
    (failed,) = follow(broken)
    assert failed.kind == "internal"
    assert "KeyError" in failed.message
    assert "Traceback (most recent call last):" in log_tail(broken.folder)
    (unknown,) = follow(launch("paint"))
    assert unknown.kind == "user"
    assert "no such job" in unknown.message


def test_an_end_without_outcome_is_a_failure_with_the_last_words(launch) -> None:
    events = follow(launch("vanish"))
    assert events[-1] == Failed(
        "the backend ended unexpectedly (exit code 7); its last words: the graphics driver said no", "internal"
    )
    assert isinstance(events[0], Progress)


@posix
def test_a_killed_backend_is_told(launch) -> None:
    job = launch("endless")
    follow(job, lambda events: bool(events))
    os.kill(job.process_id, signal.SIGKILL)
    failed = follow(job)[-1]
    assert failed.kind == "internal"
    assert "memory" in failed.message


def test_a_python_without_the_backend_says_so(tmp_path: Path) -> None:
    write_job(tmp_path / "job", Job("doctor"))
    empty = tmp_path / "empty"
    empty.mkdir()
    job = JobProcess.start((sys.executable, "-S", "-m", "spark_backend_elsewhere"), tmp_path / "job")
    failed = follow(job)[-1]
    assert "No module named spark_backend_elsewhere" in failed.message


def test_cancel_stops_at_the_next_report(launch) -> None:
    job = launch("endless")
    follow(job, lambda events: bool(events))
    start = time.monotonic()
    job.cancel()
    assert follow(job)[-1] == Failed("Cancelled", "cancelled")
    assert time.monotonic() - start < 5
    assert job.ended


@posix
@pytest.mark.parametrize("ignore_signals", [False, True])
def test_cancel_ends_what_does_not_listen(launch, ignore_signals: bool) -> None:
    job = launch("deaf", grace=0.3, ignore_signals=ignore_signals)
    follow(job, lambda events: bool(events))
    time.sleep(0.2)
    job.cancel()
    assert follow(job)[-1] == Failed("Cancelled", "cancelled")
    # Without SIGTERM's help the child could not have written anything itself.
    written = [event for event in read_events(job.folder)[0] if isinstance(event, Failed)]
    assert bool(written) is not ignore_signals


@posix
def test_kill_ends_the_children_too(launch) -> None:
    job = launch("parent")
    (told,) = [event for event in follow(job, lambda events: bool(events)) if isinstance(event, Metric)]
    job.kill()
    follow(job)
    wait_until(lambda: not alive(int(told.value)))


def alive(process_id: int) -> bool:
    """Whether a process that is not our child runs; one that is dead but not yet collected does not."""
    status = subprocess.run(("ps", "-o", "stat=", "-p", str(process_id)), capture_output=True, text=True, check=False)
    return bool(status.stdout.strip()) and not status.stdout.strip().startswith("Z")


def test_the_job_ends_when_its_launcher_lets_go(launch) -> None:
    for command in ("endless", "deaf"):  # the second never reports again: the watching thread must end it
        job = launch(command)
        follow(job, lambda events: bool(events))
        job.detach()
        wait_until(lambda job=job: not lock_is_held(job.folder))
        assert read_events(job.folder)[0][-1] == Failed("Cancelled", "cancelled")


@posix
@pytest.mark.parametrize("keep", ["keep", "end"])
def test_the_launcher_dies(tmp_path: Path, keep: str) -> None:
    for name, text in (("backend.py", BACKEND), ("launcher.py", LAUNCHER)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    write_job(tmp_path / "jobs" / "one", Job("endless"))
    words = (sys.executable, "launcher.py", tmp_path / "backend.py", tmp_path / "jobs" / "one", REPOSITORY, keep)
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    launcher = subprocess.Popen(words, cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    assert launcher.stdout.readline() == b"started\n"
    launcher.kill()
    launcher.communicate()
    if keep == "end":
        wait_until(lambda: not lock_is_held(tmp_path / "jobs" / "one"))
        assert running_jobs(tmp_path / "jobs") == []
        return
    time.sleep(0.5)
    assert running_jobs(tmp_path / "jobs") == [tmp_path / "jobs" / "one"]
    job = JobProcess.attach(tmp_path / "jobs" / "one")
    assert isinstance(follow(job, lambda events: bool(events))[0], Progress)
    assert alive(job.process_id)
    with pytest.raises(SparkError, match="running already"):
        JobProcess.start((sys.executable,), job.folder)
    job.cancel()
    assert follow(job)[-1] == Failed("Cancelled", "cancelled")


def test_attach_to_a_job_that_is_over(launch, tmp_path: Path) -> None:
    over = launch("count", steps=1)
    follow(over)
    assert isinstance(follow(JobProcess.attach(over.folder))[-1], Done)
    write_job(tmp_path / "torn", Job("count"))
    append_event(tmp_path / "torn", Progress("half way", 0.5))
    assert follow(JobProcess.attach(tmp_path / "torn"))[-1].kind == "internal"


def test_garbage_in_the_story_is_skipped_and_told(tmp_path: Path) -> None:
    write_job(tmp_path, Job("count"))
    lines = [
        b'{"event": "Progress", "stage": "a", "fraction": 0.1, "new_key": 1}',
        b"\xff\xfe nonsense",
        b"[1, 2]",
        b'{"event": "Progress"}',
        b'{"event": "Hologram", "x": 1}',
        b'{"event": "Done", "result": {}}',
        b'{"event": "Pro',
    ]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    events = follow(JobProcess.attach(tmp_path))
    assert events[0] == Progress("a", 0.1)
    assert [type(event) for event in events[1:]] == [Warning, Warning, Warning, Done]


def test_a_poll_takes_a_bounded_part_of_a_long_story(tmp_path: Path) -> None:
    """So that Blender's window never waits for it; benchmarks/panel.py has the time of a call."""
    write_job(tmp_path, Job("count"))
    line = '{"event": "Progress", "stage": "Finding the face in a clip", "fraction": 0.1, "eta": 12.5}\n'
    (tmp_path / "events.jsonl").write_text(line * 20_000 + '{"event": "Done"}\n', encoding="utf-8")
    job, counts = JobProcess.attach(tmp_path), []
    while not job.ended:
        counts.append(len(job.poll()))
    assert sum(counts) == 20_001
    assert max(counts) <= CHUNK / len(line) + 1


def test_wrong_environments_are_refused_with_a_sentence(tmp_path: Path) -> None:
    write_job(tmp_path / "job", Job("count"))
    with pytest.raises(SparkError, match=r"cannot be started \(.+\); choose another"):
        JobProcess.start(backend_command(tmp_path / "nothing"), tmp_path / "job")
    (tmp_path / "text").write_text("not a program", encoding="utf-8")
    with pytest.raises(SparkError, match="cannot be started"):
        JobProcess.start(backend_command(tmp_path / "text"), tmp_path / "job")
    with pytest.raises(SparkError, match="no Python there"):
        environment_python(tmp_path)
    assert environment_python(Path(sys.executable)) == Path(sys.executable)
    python = tmp_path / "Scripts" / "python.exe"
    python.parent.mkdir()
    python.touch()
    assert environment_python(tmp_path) == python


def test_the_lock_outlives_neither_block_nor_process(tmp_path: Path) -> None:
    assert not lock_is_held(tmp_path)
    with hold(tmp_path):
        assert lock_is_held(tmp_path)
        assert (tmp_path / "process").read_text() == f"{os.getpid()}\n"
        with pytest.raises(SparkError, match="running already"), hold(tmp_path):
            pass
    assert not lock_is_held(tmp_path)
