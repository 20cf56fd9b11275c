"""`spark export`: finds the take and the video that belong to a file, and has it written."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from ..protocol.project import Project, load_clip, open_project
from ..protocol.storage import write_atomic
from ..protocol.take import load_take
from ..render.shading import Light
from ..render.surface import studio_light
from .export import WITHOUT_MAPS, export_take
from .lit import write_lit_map
from .options import ExportOptions
from .relight import clip_light


def export(options: ExportOptions, report: Report) -> Mapping[str, Any]:
    """Writes one file; `export` of the result is its path."""
    project = open_project(options.project)
    take = None if options.take is None else find_take(project, options.take)
    is_npz = options.output.suffix.lower() == ".npz"
    if options.geometry and not is_npz:
        raise SparkError(f"{options.output.name}: --geometry goes with a file that ends in .npz")
    if options.map is not None and options.output.suffix.lower() in WITHOUT_MAPS:
        raise SparkError(f"{options.output.name}: holds no maps; leave --map out or choose another kind of file")
    if is_npz and not options.geometry and take is not None:
        copy_take(take, options.output)
        return {"export": str(options.output)}
    video = None if take is None else source_video(project, take, report)
    folder, common = project.avatar_folder, {"video": video, "blender": options.blender, "report": report}
    with tempfile.TemporaryDirectory(prefix="spark-") as scratch:
        maps = None if options.map is None else {options.map: one_map(folder, options.map, take, video, Path(scratch))}
        written = export_take(folder, take, options.output, maps=maps, **common)
    return {"export": str(written)}


def one_map(avatar_folder: Path, kind: str, take: Path | None, video: Path | None, scratch: Path) -> Path:
    """The picture of one map; `lit` is baked into `scratch`."""
    avatar = load_avatar(avatar_folder)
    needed = "albedo" if kind == "lit" else kind
    if needed not in avatar.maps:
        known = f"choose one of {', '.join(avatar.maps)}" if avatar.maps else "leave --map out"
        raise SparkError(f"{avatar_folder}: the avatar has no {needed} map; {known}")
    if kind != "lit":
        return avatar.maps[kind]
    write_lit_map(scratch / "lit.png", avatar, light_for(avatar, take, video))
    return scratch / "lit.png"


def light_for(avatar: Avatar, take: Path | None, video: Path | None) -> Light:
    """The light of the take's clip, that of the studio without a take."""
    if take is None:
        return studio_light()
    light = None if video is None else clip_light(avatar, load_take(take), video)
    if light is None:
        raise SparkError(f"{take.stem}: the light of its clip cannot be seen; leave the take out for studio light")
    return light


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
