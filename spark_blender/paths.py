"""The paths that a .blend keeps of projects and clips: relative in the file, and found again when it has moved."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

from .properties import absolute, settings_of
from .result import PROJECT_KEY

Kept = tuple[str, Callable[[str], None]]
"""A path as it is kept now, and what puts another in its place."""


def kept_paths() -> Iterator[Kept]:
    """Every path that the add-on keeps in the file."""
    for scene in bpy.data.scenes:
        settings = settings_of(scene)
        if settings.project:
            yield settings.project, lambda path, settings=settings: setattr(settings, "project", path)
        for item in settings.clips:
            yield item.path, lambda path, item=item: setattr(item, "path", path)
    for armature in bpy.data.objects:
        if armature.type == "ARMATURE" and armature.get(PROJECT_KEY):
            yield armature[PROJECT_KEY], lambda path, owner=armature: owner.__setitem__(PROJECT_KEY, path)


def make_relative(folder: Path | None) -> None:
    """Writes every path from `folder`, where the .blend is or will be; absolute where that cannot be, or for None."""
    for path, put in list(kept_paths()):
        put(relative_path(absolute(path), folder))


def relative_path(path: Path, folder: Path | None) -> str:
    """A path as Blender writes relative ones; absolute when there is no folder or it is on another drive."""
    if folder is None or path.drive != folder.drive:
        return str(path)
    return bpy.path.relpath(str(path), start=str(folder))


def blend_folder() -> Path | None:
    """Where the open file is; None for one that was never saved."""
    return Path(bpy.data.filepath).absolute().parent if bpy.data.filepath else None


def before_save(target: str) -> None:
    """Makes paths relative to where the file is about to be written."""
    for scene in bpy.data.scenes:
        settings = settings_of(scene)
        settings.project_home = str(absolute(settings.project)) if settings.project else ""
    make_relative(Path(target).absolute().parent if target else None)


def after_save(target: str) -> None:
    """A copy was saved elsewhere: in this session paths start from the open file."""
    there, folder = Path(target).absolute().parent, blend_folder()
    if not target or there == folder:
        return
    for path, put in list(kept_paths()):
        put(relative_path(Path(os.path.normpath(bpy.path.abspath(path, start=str(there)))), folder))


def after_load() -> None:
    """Where a project is no longer beside the file, takes the place where it was when the file was saved."""
    for scene in bpy.data.scenes:
        settings = settings_of(scene)
        if not settings.project or not settings.project_home:
            continue
        beside, home = absolute(settings.project), Path(settings.project_home)
        if not beside.exists() and home.exists():
            move_project(settings, beside, home)


def move_project(settings: bpy.types.PropertyGroup, before: Path, after: Path) -> None:
    """Points the scene and the heads of a project to its other place."""
    settings.project = str(after)
    for path, put in list(kept_paths()):
        if absolute(path) == before:
            put(str(after))
