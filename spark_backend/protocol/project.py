"""A project folder `NAME.spark/`: one person's clips, avatar, tracker and takes. See docs/formats/project.md."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SparkError
from .storage import read_json, read_npz, write_json, write_npz


@dataclass(frozen=True)
class Project:
    """Where everything about one person lies."""

    folder: Path
    head_model: str = "anny"
    clips: tuple[str, ...] = ()
    """Names of the ingested clips, in the order they were added."""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def avatar_folder(self) -> Path:
        return self.folder / "avatar"

    @property
    def tracker_folder(self) -> Path:
        return self.folder / "tracker"

    def clip_folder(self, clip: str) -> Path:
        return self.folder / "clips" / clip

    def take_path(self, take: str) -> Path:
        return self.folder / "takes" / f"{take}.npz"


def create_project(folder: Path, head_model: str = "anny", versions: Mapping[str, str] | None = None) -> Project:
    """Makes a new project; an existing one is a `SparkError`."""
    if (folder / "project.json").exists():
        raise SparkError(f"{folder}: already a project; open it or choose another folder")
    project = Project(folder, head_model, versions=versions or {})
    save_project(project)
    return project


def save_project(project: Project) -> None:
    """Writes project.json."""
    content = {"head_model": project.head_model, "clips": list(project.clips), "versions": dict(project.versions)}
    write_json(project.folder / "project.json", content)


def open_project(folder: Path) -> Project:
    """Opens an existing project."""
    if not (folder / "project.json").exists():
        raise SparkError(f"{folder}: not a project; make one with `spark new {folder}`")
    content = read_json(folder / "project.json")
    return Project(
        folder, content.get("head_model", "anny"), tuple(content.get("clips", ())), content.get("versions", {})
    )


def with_clip(project: Project, clip: str) -> Project:
    """The project with one more clip (or the same, when it has it already)."""
    return project if clip in project.clips else replace(project, clips=(*project.clips, clip))


@dataclass(frozen=True)
class ClipInfo:
    """clip.json: what is known of one ingested video."""

    source: str
    """Path of the video."""
    digest: str
    """sha256 of the file."""
    codec: str
    size: tuple[int, int]
    """Width and height of the upright picture."""
    rotation: int
    """Degrees (0, 90, 180, 270) that the stored picture is turned counter-clockwise to stand upright."""
    frames: int
    rate: float
    """Average frames a second; the truth is `Frames.pts`."""
    colour: str = ""
    has_sound: bool = False
    sound_start: float = 0.0
    """Seconds from the first shown frame to the first sample of sound, negative when the sound begins earlier."""
    face: int = 0
    """Which of the faces, counted from the most prominent, was followed."""
    faces: int = 1
    """How many people were found."""
    coverage: float = 1.0
    """Part of the frames in which the face was found."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Frames:
    """frames.npz: the face in each of `T` frames. Rows without a face are NaN (zeros in `scores`) and not `valid`."""

    pts: np.ndarray
    """(T,) seconds from the start of presentation, strictly increasing."""
    valid: np.ndarray
    """(T,) bool."""
    box: np.ndarray
    """(T, 4) left, top, right, bottom of the landmarks, pixels."""
    landmarks: np.ndarray
    """(T, 478, 3) pixels of the upright picture; z in the same unit, relative, smaller is nearer."""
    scores: np.ndarray
    """(T, 52) MediaPipe's expression scores in the order of `ARKIT_52` (`tongueOut` is 0)."""
    confidence: np.ndarray
    """(T,) in [0, 1]."""


FRAME_ARRAYS = ("pts", "valid", "box", "landmarks", "scores", "confidence")


def save_clip(folder: Path, info: ClipInfo, frames: Frames) -> None:
    """Writes frames.npz, then clip.json, whose presence means that the clip is whole."""
    write_npz(folder / "frames.npz", {name: getattr(frames, name) for name in FRAME_ARRAYS})
    write_json(folder / "clip.json", asdict(info))


def portrait_path(folder: Path, number: int) -> Path:
    """Where a clip's folder has the picture of one of several people; clips of one person have none."""
    return folder / f"person-{number}.png"


def load_clip_info(folder: Path) -> ClipInfo:
    """What is known of an ingested clip, without its frames."""
    if not (folder / "clip.json").exists():
        raise SparkError(f"{folder.name}: not an ingested clip; run `spark ingest` on the video first")
    content: dict[str, Any] = read_json(folder / "clip.json")
    known = {name: content[name] for name in ClipInfo.__dataclass_fields__ if name in content}
    known["size"], known["warnings"] = tuple(known["size"]), tuple(known.get("warnings", ()))
    return ClipInfo(**known)


def load_clip(folder: Path) -> tuple[ClipInfo, Frames]:
    """Reads an ingested clip."""
    info = load_clip_info(folder)
    arrays = read_npz(folder / "frames.npz", FRAME_ARRAYS)
    return info, Frames(**{name: arrays[name] for name in FRAME_ARRAYS})
