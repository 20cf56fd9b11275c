"""The steps of the work: which is to do now, which is done, which is out of date."""

from dataclasses import replace
from pathlib import Path

import pytest

from spark_backend.protocol.project import ClipInfo
from spark_blender.facts import AvatarFacts, ProjectFacts, TakeFacts
from spark_blender.job_state import JobState
from spark_blender.quality import describe_quality
from spark_blender.steps import JOB_STEPS, Situation, work_steps

A, B = Path("/v/a.mp4"), Path("/v/b.mp4")
CLIPS = {path.stem: ClipInfo(str(path), "0", "h264", (640, 480), 0, 30, 30.0) for path in (A, B)}
AVATAR = AvatarFacts(made=100.0, clips=("a", "b"))
TAKE = TakeFacts(made=110.0, seconds=1.0, frames=30, clip="a", tracker="generic")
FACTS = ProjectFacts(Path("/p/Anna.spark"), clips=CLIPS, takes={"a": TAKE}, avatar=AVATAR)
ALL = Situation(FACTS, (A, B), head_made=100.0, exported=True)


def states(now: Situation) -> list[str]:
    return [step.status for step in work_steps(now).values()]


def test_the_first_step_that_is_not_done_is_the_next() -> None:
    empty = ProjectFacts(FACTS.folder)
    assert states(Situation()) == ["next", "todo", "todo", "todo", "todo", "todo"]
    assert states(Situation(empty)) == ["done", "next", "todo", "todo", "todo", "todo"]
    assert states(Situation(empty, (A,))) == ["done", "done", "next", "todo", "todo", "todo"]
    assert states(Situation(replace(FACTS, takes={}), (A, B), head_made=100.0)) == [*["done"] * 4, "next", "todo"]
    assert states(ALL) == ["done"] * 6


@pytest.mark.parametrize(
    ("changes", "step", "words"),
    [
        ({"videos": (A,)}, "avatar", "1 clip removed since"),
        ({"videos": (A, B, Path("/v/c.mp4"))}, "avatar", "1 clip added since"),
        ({"videos": (Path("/v/c.mp4"), Path("/v/d.mp4"))}, "avatar", "2 clips added and 2 clips removed since"),
        ({"head_made": 90.0}, "import", "trained anew"),
        ({"facts": replace(FACTS, takes={"a": replace(TAKE, made=50.0)})}, "capture", "on an earlier head"),
    ],
)
def test_what_has_changed_since_is_told(changes: dict, step: str, words: str) -> None:
    found = work_steps(replace(ALL, **changes))
    assert found[step].status == "stale"
    assert words in found[step].hint
    assert [name for name, other in found.items() if other.status == "stale"] == [step]


@pytest.mark.parametrize(("command", "step"), list(JOB_STEPS.items()))
def test_a_running_job_shows_in_its_own_step(command: str, step: str) -> None:
    running = work_steps(replace(ALL, job=JobState(command, Path("/j"))))
    assert [name for name, other in running.items() if other.status == "running"] == [step]
    assert states(replace(ALL, job=JobState(command, Path("/j"), status="failed"))) == ["done"] * 6


def test_every_step_to_do_says_what_to_do() -> None:
    for now in (
        Situation(),
        Situation(FACTS),
        Situation(replace(FACTS, avatar=None), (A,)),
        replace(ALL, head_made=None),
    ):
        for step in work_steps(now).values():
            assert step.hint if step.status in ("todo", "next", "stale") else not step.hint


def test_a_clip_of_somebody_else_is_named() -> None:
    lines = describe_quality(replace(AVATAR, metrics={"reprojection": {"a": 1.2, "b": 9.0}}))
    assert [line.good for line in lines] == [False, False]
    assert lines[0].text.startswith("Likeness poor: landmarks 5.1 %")
    assert "b fits worst (9.0 %); is it the same person?" in lines[1].text
    missing = describe_quality(replace(AVATAR, report={"warnings": ["No frame shows a smile"]}))
    assert [(line.text, line.good) for line in missing] == [("No frame shows a smile", False)]
    [alone] = describe_quality(replace(AVATAR, metrics={"reprojection": {"a": 1.2}}))
    assert alone.text.startswith("Likeness very close")
