"""Takes and avatars as files for other programs, each whole or not at all."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

import spark_backend

from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from ..protocol.neighbours import make_neighbour, move_into_place
from ..protocol.posing import pose_vertices
from ..protocol.storage import filesystem_errors, write_atomic, write_npz
from ..protocol.take import Take, load_take
from .blender_child import run_blender_script
from .blender_env import find_blender
from .livelink import livelink_csv
from .mesh_files import write_obj, write_ply

BLENDER_FORMATS = (".fbx", ".abc", ".usdc", ".glb", ".blend")
MESH_WRITERS = {".obj": write_obj, ".ply": write_ply}
FORMATS = (*BLENDER_FORMATS, *MESH_WRITERS, ".csv", ".npz")
NEEDS_TAKE = (".abc", ".csv", ".npz")
WITHOUT_MAPS = (".abc", ".csv", ".npz")
RUNNER = Path(spark_backend.__file__).parents[1] / "spark_blender" / "scene" / "runner.py"


def export_take(
    avatar_folder: Path,
    take_path: Path | None,
    output: Path,
    *,
    video: Path | None = None,
    maps: Mapping[str, Path] | None = None,
    blender: Path | None = None,
    report: Report,
) -> Path:
    """Writes one file, see `export_many`."""
    return export_many(avatar_folder, take_path, [output], video=video, maps=maps, blender=blender, report=report)[0]


def export_many(
    avatar_folder: Path,
    take_path: Path | None,
    outputs: Sequence[Path],
    *,
    video: Path | None = None,
    maps: Mapping[str, Path] | None = None,
    blender: Path | None = None,
    report: Report,
) -> list[Path]:
    """Writes all outputs, their endings choosing the formats, with one start of Blender for those that need it.

    Without a take the head at rest is written. `video` becomes the background and the sound of a `.blend`. `maps`, by
    kind, take the place of all of the avatar's own.
    """
    outputs = [Path(output).absolute() for output in outputs]
    check_outputs(outputs, take_path)
    avatar = load_avatar(avatar_folder)
    avatar = avatar if maps is None else replace(avatar, maps=maps)
    take = load_take(take_path) if take_path is not None else None
    for_blender = tuple(sorted((o for o in outputs if o.suffix.lower() in BLENDER_FORMATS), key=format_order))
    program = find_blender(blender) if for_blender else None
    for output in outputs:
        if output.suffix.lower() == ".csv":
            write_text(output, livelink_csv(take))
        elif output.suffix.lower() == ".npz":
            write_geometry(output, avatar, take)
        elif output.suffix.lower() in MESH_WRITERS:
            write_mesh(output, avatar, avatar_name(avatar_folder))
    if program is not None:
        request = {
            "avatar": str(avatar_folder.absolute()),
            "name": avatar_name(avatar_folder),
            "take": str(take_path.absolute()) if take_path is not None else None,
            "take_name": take_path.stem if take_path is not None else "",
            "video": str(video.absolute()) if video is not None else None,
            "only_maps": None if maps is None else {kind: str(path.absolute()) for kind, path in maps.items()},
        }
        with temporary_neighbours(for_blender) as places:
            answer = run_blender_script(program, RUNNER, request, list(places.values()), report)
            for output, place in places.items():
                move_into_place(place, output)
        for warning in answer.get("warnings", ()):
            report(Warning(warning))
    return list(outputs)


def check_outputs(outputs: Sequence[Path], take_path: Path | None) -> None:
    """Refuses what cannot be written before anything is."""
    for output in outputs:
        if output.suffix.lower() not in FORMATS:
            raise SparkError(f"{output.name}: unknown kind of file; end it in one of {', '.join(FORMATS)}")
        if take_path is None and output.suffix.lower() in NEEDS_TAKE:
            raise SparkError(f"{output.name}: holds a performance; name the take to export")
        if output.is_dir():
            raise SparkError(f"{output}: is a folder; name a file")


def format_order(output: Path) -> int:
    """Quick formats first."""
    return BLENDER_FORMATS.index(output.suffix.lower())


def avatar_name(folder: Path) -> str:
    """What the person is called in the files: the project's name, else the folder's."""
    folder = folder.absolute()
    return folder.parent.stem if folder.name == "avatar" else folder.stem


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    write_atomic(path, lambda file: file.write(text.encode()))


def write_mesh(path: Path, avatar: Avatar, name: str) -> None:
    """The head at rest, with its maps and material file beside it."""
    with temporary_neighbours([path]) as places, filesystem_errors(path):
        MESH_WRITERS[path.suffix.lower()](places[path], avatar, name)
        move_into_place(places[path], path)


def write_geometry(path: Path, avatar: Avatar, take: Take) -> None:
    """The evaluated mesh of every frame, see docs/formats/exports.md."""
    arrays = {
        "vertices": np.concatenate(list(pose_vertices(avatar, take))),
        "faces": avatar.faces,
        **{name: getattr(take, name) for name in ("K", "size", "pts", "valid", "weights")},
        "names": np.array(take.names),
        "landmark_face": avatar.landmark_face,
        "landmark_bary": avatar.landmark_bary,
    }
    write_npz(path, arrays)


@contextmanager
def temporary_neighbours(outputs: Sequence[Path]) -> Iterator[dict[Path, Path]]:
    """A place to write each output first, on the same disk; whatever is left there is removed afterwards.

    A `.blend` lies directly beside its final place, because it holds relative paths; the others have a folder of their
    own, because they come with further files.
    """
    with ExitStack() as stack:
        places = {}
        for output in outputs:
            folder = make_neighbour(output)
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            places[output] = folder / output.name
            if output.suffix.lower() == ".blend":
                places[output] = output.with_name(f"{folder.name}.blend")
                stack.callback(places[output].unlink, missing_ok=True)
        yield places
