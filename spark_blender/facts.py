"""What a project's folder holds, read once and kept for drawing. Plain Python, no bpy."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import ClipInfo, load_clip_info, open_project, portrait_path
from spark_backend.protocol.storage import read_json
from spark_backend.protocol.take import load_take_info


@dataclass(frozen=True)
class AvatarFacts:
    """The person's head as it is on disk."""

    made: float
    """When avatar.json was written, seconds since the epoch."""
    clips: tuple[str, ...] | None = None
    """Names of the clips that it was fitted to; None when the head does not tell."""
    head_model: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    report: Mapping[str, Any] = field(default_factory=dict)
    """report.json beside it, when there is one."""
    preview: Path | None = None
    """A picture of it, when there is one."""


@dataclass(frozen=True)
class TakeFacts:
    """One performance on disk."""

    made: float
    seconds: float
    frames: int
    clip: str
    tracker: str


@dataclass(frozen=True)
class ProjectFacts:
    """A project as it was when it was last looked at."""

    folder: Path
    head_model: str = ""
    clips: Mapping[str, ClipInfo] = field(default_factory=dict)
    """By name, in the project's order."""
    portraits: Mapping[str, Mapping[int, tuple[Path, float]]] = field(default_factory=dict)
    """By clip and number: pictures of the people in it, where there are several, and when they were written."""
    takes: Mapping[str, TakeFacts] = field(default_factory=dict)
    """By name, sorted."""
    avatar: AvatarFacts | None = None

    @property
    def person(self) -> str:
        """The person's name, as the project's folder has it."""
        return self.folder.stem

    def clip_of(self, video: Path) -> str | None:
        """Name of the clip that was read from a video; None when it was not read yet."""
        return self._by_video.get(video)

    @cached_property
    def _by_video(self) -> dict[Path, str]:
        return {Path(info.source): name for name, info in self.clips.items()}

    def take_of(self, clip: str) -> str | None:
        """The newest take of a clip."""
        found = [name for name, take in self.takes.items() if take.clip == clip]
        return max(found, key=lambda name: self.takes[name].made, default=None)


def seconds_of(info: ClipInfo) -> float:
    """How long a clip is."""
    return info.frames / info.rate if info.rate else 0.0


def read_facts(folder: Path) -> ProjectFacts:
    """Looks at a project. What is half written or damaged in it is passed over: using it tells the fault."""
    project = open_project(folder)
    clips, portraits, takes = {}, {}, {}
    for name in project.clips:
        with contextlib.suppress(SparkError):
            clips[name] = info = load_clip_info(project.clip_folder(name))
            paths = {number: portrait_path(project.clip_folder(name), number) for number in range(info.faces)}
            portraits[name] = {n: (path, path.stat().st_mtime) for n, path in paths.items() if path.exists()}
    for path in sorted((folder / "takes").glob("*.npz")):
        with contextlib.suppress(SparkError):
            info = load_take_info(path)
            source = info.source
            takes[path.stem] = TakeFacts(
                path.stat().st_mtime, info.seconds, info.frames, source.get("clip", ""), source.get("tracker", "")
            )
    return ProjectFacts(folder, project.head_model, clips, portraits, takes, read_avatar_facts(project.avatar_folder))


def read_avatar_facts(folder: Path) -> AvatarFacts | None:
    """The head on disk; None when there is none."""
    path = folder / "avatar.json"
    if not path.exists():
        return None
    content, report = read_json(path), {}
    with contextlib.suppress(SparkError):
        report = read_json(folder / "report.json")
    metrics = content.get("metrics", {})
    clips = tuple(metrics["focal"]) if "focal" in metrics else None
    preview = folder / "preview.png"
    return AvatarFacts(
        path.stat().st_mtime,
        clips,
        content.get("head_model", ""),
        metrics,
        report,
        preview if preview.exists() else None,
    )
