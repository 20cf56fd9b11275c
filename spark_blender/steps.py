"""The steps of the work, in order: how far each is and what to do next. Plain Python, no bpy."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .facts import AvatarFacts, ProjectFacts
from .job_state import JobState

TODO, NEXT, RUNNING, DONE, STALE = "todo", "next", "running", "done", "stale"
JOB_STEPS = {
    "ingest": "clips",
    "train": "avatar",
    "adapt": "capture",
    "track": "capture",
    "capture": "capture",
    "light": "capture",
    "export": "export",
}
"""The step that a job of the backend belongs to."""


@dataclass(frozen=True)
class Step:
    """How far one step of the work is."""

    status: str
    """`todo`, `next` (the one to do now), `running`, `done`, or `stale`: what it was made from has changed since."""
    hint: str = ""
    """What to do next, in one sentence; empty when there is nothing to do."""


@dataclass(frozen=True)
class Situation:
    """All that the state of the steps follows from."""

    facts: ProjectFacts | None = None
    """The open project; None when none is open or its folder is gone."""
    videos: tuple[Path, ...] = ()
    """Those in the list, absolute."""
    job: JobState | None = None
    head_made: float | None = None
    """When the head in the scene was made; None when there is none."""
    exporting: bool = False
    """A file is being written from the scene."""
    exported: bool = False


def work_steps(now: Situation) -> Mapping[str, Step]:
    """Every step's state; the first that is not done and can be done is `next`."""
    found = {
        "project": Step(DONE) if now.facts else Step(TODO, "Make a project for the person, or open one"),
        "clips": clips_step(now),
        "avatar": avatar_step(now),
        "import": import_step(now),
        "capture": capture_step(now),
        "export": Step(DONE) if now.exported else Step(TODO, "Choose a kind of file and export"),
    }
    if now.exporting:
        found["export"] = Step(RUNNING)
    if now.job is not None and now.job.busy and now.job.command in JOB_STEPS:
        found[JOB_STEPS[now.job.command]] = Step(RUNNING)
        return found
    first = next((name for name, step in found.items() if step.status == TODO), None)
    if first is not None:
        found[first] = Step(NEXT, found[first].hint)
    return found


def clips_step(now: Situation) -> Step:
    """Whether there are videos."""
    if now.videos:
        return Step(DONE)
    return Step(TODO, "Add videos of the person, or drag them into the viewport")


def avatar_step(now: Situation) -> Step:
    """Whether there is a head, and whether it was made from the clips that are listed."""
    avatar = now.facts.avatar if now.facts else None
    if avatar is None:
        return Step(TODO, "Train the person's head from the clips" if now.videos else "Add a clip first")
    if changes := clip_changes(now, avatar):
        return Step(STALE, f"{changes} since the head was trained; train again to use that")
    return Step(DONE)


def clip_changes(now: Situation, avatar: AvatarFacts) -> str:
    """What has happened to the clips since a head was fitted to them; empty for nothing."""
    if avatar.clips is None:
        return ""
    listed = {now.facts.clip_of(video) for video in now.videos}
    added = len([video for video in now.videos if now.facts.clip_of(video) not in avatar.clips])
    removed = len(set(avatar.clips) - listed)
    words = [
        f"{count} clip{'s' * (count > 1)} {what}" for count, what in ((added, "added"), (removed, "removed")) if count
    ]
    return " and ".join(words)


def import_step(now: Situation) -> Step:
    """Whether the scene has the head, and the newest."""
    avatar = now.facts.avatar if now.facts else None
    if avatar is None:
        return Step(TODO, "Train a head first")
    if now.head_made is None:
        return Step(TODO, "Bring the head into the scene")
    if now.head_made < avatar.made:
        return Step(STALE, "The head was trained anew; import it again")
    return Step(DONE)


def capture_step(now: Situation) -> Step:
    """Whether there is a take, tracked on the head that there is."""
    facts = now.facts
    if facts is None or facts.avatar is None:
        return Step(TODO, "Train a head first")
    if not facts.takes:
        return Step(TODO, "Choose a clip and capture it")
    if all(take.made < facts.avatar.made for take in facts.takes.values()):
        return Step(STALE, "The takes were tracked on an earlier head; capture again")
    return Step(DONE)
