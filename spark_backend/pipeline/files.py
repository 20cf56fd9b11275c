"""`spark export`: finds the take and the video that belong to a file, and has it written."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from ..protocol.project import Project, load_clip, open_project
from ..protocol.storage import write_atomic
from ..protocol.take import load_take
from .export import export_take
from .options import ExportOptions


def export(options: ExportOptions, report: Report) -> Mapping[str, Any]:
    """Writes one file; `export` of the result is its path."""
    project = open_project(options.project)
    take = None if options.take is None else find_take(project, options.take)
    is_npz = options.output.suffix.lower() == ".npz"
    if options.geometry and not is_npz:
        raise SparkError(f"{options.output.name}: --geometry goes with a file that ends in .npz")
    if is_npz and not options.geometry and take is not None:
        copy_take(take, options.output)
        return {"export": str(options.output)}
    video = None if take is None else source_video(project, take, report)
    written = export_take(
        project.avatar_folder, take, options.output, video=video, blender=options.blender, report=report
    )
    return {"export": str(written)}


def find_take(project: Project, name: str) -> Path:
    """A take's file, given its name in the project or a path."""
    candidates = [project.take_path(name), Path(name)]
    for path in candidates:
        if path.is_file():
            return path
    known = sorted(path.stem for path in project.take_path("x").parent.glob("*.npz"))
    remedy = f"choose one of {', '.join(known)}" if known else "run `spark track` first"
    raise SparkError(f"{name}: no such take in {project.folder}; {remedy}")


def copy_take(take: Path, output: Path) -> None:
    """The take as it is, checked."""
    load_take(take)
    with open(take, "rb") as source:
        write_atomic(output, lambda file: shutil.copyfileobj(source, file))


def source_video(project: Project, take: Path, report: Report) -> Path | None:
    """The video that a take was tracked on; None, with a warning, when it has been moved."""
    clip = load_take(take).source.get("clip")
    if clip not in project.clips:
        return None
    info, _ = load_clip(project.clip_folder(clip))
    video = Path(info.source)
    if not video.exists():
        report(Warning(f"{video}: the clip's video is no longer there, so the file has no picture and no sound of it"))
        return None
    return video
