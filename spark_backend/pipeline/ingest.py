"""`spark new` and `spark ingest`: the project and its clips."""

import contextlib
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from .. import __version__
from ..protocol.errors import SparkError
from ..protocol.job import Metric, Report, Warning
from ..protocol.project import Project, create_project, load_clip, open_project, save_project, with_clip
from .options import IngestOptions, NewOptions
from .progress import shares

RECORDED_PACKAGES = ("anny", "av", "mediapipe", "numpy", "torch", "warp-lang")


def new(options: NewOptions, report: Report) -> Mapping[str, Any]:
    """Makes an empty project."""
    project = create_project(options.project, options.head, software_versions())
    return {"project": str(project.folder)}


def ingest(options: IngestOptions, report: Report) -> Mapping[str, Any]:
    """Adds videos to a project, which is made when it is missing.

    `clips` of the result maps each clip's name to its folder. A video that is in the project already, by its path, is
    read anew under its old name.
    """
    if not options.clips:
        raise SparkError("No video given; name at least one, as in `spark ingest anna.spark anna.mp4`")
    is_new = not (options.project / "project.json").exists()
    project = open_or_create(options.project)
    try:
        names = ingest_all(project, options, report)
    except BaseException:
        if is_new:
            remove_empty_project(options.project)
        raise
    return {"project": str(options.project), "clips": {name: str(project.clip_folder(name)) for name in names}}


def ingest_all(project: Project, options: IngestOptions, report: Report) -> list[str]:
    """Ingests the videos one after the other; each is in the project as soon as it is whole."""
    from ..video.ingest import ingest_clip

    names: list[str] = []
    for video, part in zip(options.clips, shares(report, len(options.clips)), strict=True):
        name = clip_name(project, video)
        info = ingest_clip(video, project.clip_folder(name), face=options.face, report=part)
        project = with_clip(project, name)
        save_project(project)
        names.append(name)
        for message in info.warnings:
            report(Warning(f"{name}: {message}"))
        report(Metric(f"{name}: frames with the face", 100 * info.coverage, f"% of {info.frames}"))
    return names


def open_or_create(folder: Path) -> Project:
    """The project in `folder`, made when there is nothing yet."""
    if (folder / "project.json").exists():
        return open_project(folder)
    if folder.is_file():
        raise SparkError(f"{folder}: a file, not a project folder; name a folder, by custom NAME.spark")
    return create_project(folder, versions=software_versions())


def remove_empty_project(folder: Path) -> None:
    """Takes away a project that was made for clips of which none could be read; other files of the folder stay."""
    if open_project(folder).clips:
        return
    (folder / "project.json").unlink()
    for path in (folder / "clips", folder):
        with contextlib.suppress(OSError):  # not there, or not empty
            path.rmdir()


def clip_name(project: Project, video: Path) -> str:
    """A clip's name: the file's, in characters every system takes; numbered when another video has it already."""
    stem = re.sub(r"[^\w.-]+", "_", video.stem, flags=re.ASCII).strip("._") or "clip"
    candidates = [stem, *(f"{stem}_{number}" for number in range(2, len(project.clips) + 3))]
    return next(name for name in candidates if name not in project.clips or is_clip_of(project, name, video))


def is_clip_of(project: Project, name: str, video: Path) -> bool:
    """Whether the clip `name` was read from this very path."""
    try:
        info, _ = load_clip(project.clip_folder(name))
    except SparkError:
        return False
    return Path(info.source).absolute() == video.absolute()


def software_versions() -> dict[str, str]:
    """Versions of what a project's results depend on."""
    versions = {"spark": __version__}
    for package in RECORDED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return versions
