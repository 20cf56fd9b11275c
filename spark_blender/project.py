"""The project beside the scene: opening it, and filling the lists from what is on disk."""

from collections.abc import Iterable
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import Project, create_project, load_clip_info, open_project, save_project

from .properties import SPARK_PG_clip, SPARK_PG_settings

SUFFIX = ".spark"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v", ".avi", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".3gp")


def project_folder(settings: SPARK_PG_settings) -> Path | None:
    """The open project's folder; None when none is open. A path relative to the .blend is made absolute."""
    return Path(bpy.path.abspath(settings.project)).absolute() if settings.project else None


def required_project(settings: SPARK_PG_settings) -> Project:
    """The open project."""
    folder = project_folder(settings)
    if folder is None:
        raise SparkError("No project is open; make a new one or open one first")
    return open_project(folder)


def new_project(settings: SPARK_PG_settings, parent: Path, name: str) -> Project:
    """Makes the project `name.spark` in `parent` and opens it."""
    name = name.strip()
    if not name or Path(name).name != name:
        raise SparkError(f"{name or 'An empty name'}: not a name for a folder; use letters, digits, spaces and dashes")
    project = create_project(parent / (name if name.endswith(SUFFIX) else name + SUFFIX))
    show_project(settings, project)
    return project


def show_project(settings: SPARK_PG_settings, project: Project) -> None:
    """Makes it the scene's project; the clips are those that were read before."""
    settings.project = str(project.folder)
    settings.clips.clear()
    settings.clip_index = 0
    refresh(settings)


def refresh(settings: SPARK_PG_settings) -> None:
    """Brings the lists up to date with the project on disk. Videos that were not read yet stay."""
    project = required_project(settings)
    listed = {Path(bpy.path.abspath(item.path)): item for item in settings.clips}
    for name in project.clips:
        try:
            info = load_clip_info(project.clip_folder(name))
        except SparkError:
            continue
        item = listed.get(Path(info.source)) or settings.clips.add()
        item.path, item.name, item.clip = info.source, Path(info.source).name, name
        item.frames, item.coverage, item.warnings = info.frames, info.coverage, "\n".join(info.warnings)
    takes = sorted(path.stem for path in (project.folder / "takes").glob("*.npz"))
    settings.takes.clear()
    for name in takes:
        settings.takes.add().name = name
    settings.take_index = min(settings.take_index, max(len(takes) - 1, 0))
    settings.has_avatar = (project.avatar_folder / "avatar.json").exists()


def add_clips(settings: SPARK_PG_settings, paths: Iterable[Path]) -> int:
    """Lists videos, each once. Gives how many are new."""
    listed = {Path(bpy.path.abspath(item.path)) for item in settings.clips}
    new = [path.absolute() for path in dict.fromkeys(paths) if path.absolute() not in listed]
    for path in new:
        if not path.is_file():
            raise SparkError(f"{path}: no such video; choose another")
        item = settings.clips.add()
        item.path, item.name = str(path), path.name
        settings.clip_index = len(settings.clips) - 1
    return len(new)


def remove_clip(settings: SPARK_PG_settings, index: int) -> None:
    """Takes a video out of the list, and its clip out of the project when it has been read."""
    item: SPARK_PG_clip = settings.clips[index]
    if item.clip and settings.project:
        project = required_project(settings)
        remaining = tuple(name for name in project.clips if name != item.clip)
        save_project(Project(project.folder, project.head_model, remaining, project.versions))
    settings.clips.remove(index)
    settings.clip_index = min(index, max(len(settings.clips) - 1, 0))
