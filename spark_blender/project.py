"""The project beside the scene: opening it, and filling the lists from what is on disk."""

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import Project, create_project, open_project, save_project

from . import runtime
from .facts import ProjectFacts, read_facts
from .properties import SPARK_PG_settings, absolute
from .recent import note_recent
from .strengths import show_strengths

SUFFIX = ".spark"
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".m4v", ".avi", ".webm", ".mpg", ".mpeg", ".mts", ".m2ts", ".wmv", ".3gp")


def project_folder(settings: SPARK_PG_settings) -> Path | None:
    """The open project's folder; None when none is open. A path relative to the .blend is made absolute."""
    return absolute(settings.project) if settings.project else None


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


def free_name(parent: Path, name: str) -> str:
    """The name, numbered when `parent` has a project of that name already."""
    names = (name, *(f"{name} {number}" for number in range(2, 1000)))
    return next(name for name in names if not (parent / (name + SUFFIX)).exists())


def show_project(settings: SPARK_PG_settings, project: Project) -> None:
    """Makes it the scene's project; the clips are those that were read before."""
    settings.project = str(project.folder)
    settings.clips.clear()
    settings.clip_index = 0
    settings.exported = ""
    refresh(settings)
    note_recent(project.folder)
    show_strengths(settings.id_data)


def refresh(settings: SPARK_PG_settings) -> ProjectFacts:
    """Brings the lists up to date with the project on disk. Videos that were not read yet stay."""
    try:
        facts = read_facts(required_project(settings).folder)
    except SparkError:
        runtime.session().forget_facts(project_folder(settings))
        raise
    runtime.session().note_facts(facts)
    listed = {video_of(item) for item in settings.clips}
    for info in facts.clips.values():
        if Path(info.source) not in listed:
            list_video(settings, Path(info.source)).face = info.face
    selected = settings.takes[settings.take_index].name if settings.take_index < len(settings.takes) else ""
    settings.takes.clear()
    for name in facts.takes:
        settings.takes.add().name = name
    settings.take_index = max(settings.takes.find(selected), 0)
    return facts


def video_of(item: bpy.types.PropertyGroup) -> Path:
    """The video of a row of the list, absolute."""
    return absolute(item.path)


def found_video(item: bpy.types.PropertyGroup) -> Path:
    """The video of a row of the list, which must still be where it was when it was listed."""
    video = video_of(item)
    if not video.is_file():
        raise SparkError(f"{video}: no such video any more; put it back, or remove it and add it from where it is")
    return video


def list_video(settings: SPARK_PG_settings, video: Path) -> bpy.types.PropertyGroup:
    """A new row for a video, under a name that no other row has."""
    numbered = (f"{video.stem} ({number}){video.suffix}" for number in itertools.count(2))
    name = next(name for name in itertools.chain([video.name], numbered) if name not in settings.clips)
    item = settings.clips.add()
    item.path, item.name = str(video), name
    return item


def add_clips(settings: SPARK_PG_settings, paths: Iterable[Path]) -> int:
    """Lists videos, each once. Gives how many are new."""
    listed = {video_of(item) for item in settings.clips}
    new = [path.absolute() for path in dict.fromkeys(paths) if path.absolute() not in listed]
    for path in new:
        if not path.is_file():
            raise SparkError(f"{path}: no such video; choose another")
        list_video(settings, path)
        settings.clip_index = len(settings.clips) - 1
    return len(new)


def remove_clip(settings: SPARK_PG_settings, index: int) -> None:
    """Takes a video out of the list, and its clip out of the project when it has been read."""
    item = settings.clips[index]
    if settings.project:
        project = required_project(settings)
        clip = read_facts(project.folder).clip_of(video_of(item))
        if clip is not None:
            save_project(replace(project, clips=tuple(name for name in project.clips if name != clip)))
    settings.clips.remove(index)
    settings.clip_index = min(index, max(len(settings.clips) - 1, 0))
    if settings.project:
        refresh(settings)
