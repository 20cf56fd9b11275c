"""The projects that were opened last, in a file of Blender's own folder for configurations."""

import contextlib
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.storage import read_json, write_json

from . import runtime

KEPT = 8


def recent_file() -> Path:
    """Where they are noted."""
    return Path(bpy.utils.user_resource("CONFIG", path="spark", create=True)) / "recent.json"


def recent_projects() -> list[Path]:
    """The newest first; those that are gone are left out."""
    path = recent_file()
    if not path.exists():
        return []
    try:
        folders = [Path(folder) for folder in read_json(path).get("projects", ())]
    except SparkError:  # a damaged list is no reason to keep somebody from opening a project
        return []
    return [folder for folder in folders if (folder / "project.json").exists()]


def note_recent(folder: Path) -> None:
    """Puts a project first. Where nothing can be written, it is noted for this session only."""
    folders = [folder, *(other for other in recent_projects() if other != folder)][:KEPT]
    runtime.session().recent = tuple(folders)
    with contextlib.suppress(SparkError):
        write_json(recent_file(), {"projects": [str(path) for path in folders]})
