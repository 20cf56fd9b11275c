"""The head's mesh in every frame as a folder of .obj files, for programs that read nothing better."""

import shutil
from pathlib import Path

import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.storage import filesystem_errors
from ..protocol.take import Take
from .views import posed_frames

INDEX = "frames.csv"
"""File, seconds, whether the face was seen."""


def write_mesh_sequence(folder: Path, avatar: Avatar, take: Take, report: Report) -> None:
    """Writes 000000.obj and so on and `frames.csv`; the folder appears when it is whole.

    Metres, +Y up, the camera at the origin looking along -Z. An earlier sequence is replaced, any other folder that is
    not empty refused.
    """
    part, old = (folder.with_name(f".{folder.name}.{word}") for word in ("part", "old"))
    with filesystem_errors(folder):
        if folder.exists() and not (folder / INDEX).exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SparkError(f"{folder}: holds something else; name a new folder for the meshes")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        try:
            write_files(part, avatar, take, report)
            shutil.rmtree(old, ignore_errors=True)
            if folder.exists():
                folder.replace(old)
            part.replace(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)


def write_files(folder: Path, avatar: Avatar, take: Take, report: Report) -> None:
    """Everything into an empty folder."""
    texture = "\n".join(f"vt {u:.6f} {v:.6f}" for u, v in avatar.uv)
    polygons = [obj_polygon(*pair) for pair in zip(avatar.polygons, avatar.uv_polygons, strict=True)]
    order = np.argsort(avatar.polygon_material, kind="stable")
    lines, last = [], -1
    for row in order.tolist():
        if (kind := int(avatar.polygon_material[row])) != last:
            lines.append(f"g {avatar.material_names[kind]}")
            last = kind
        lines.append(polygons[row])
    surface, rows = "\n".join(["s 1", *lines]), ["file,seconds,valid"]
    for index, vertices in enumerate(posed_frames(avatar, take)):
        points = "\n".join(f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in (vertices * (1, -1, -1)).tolist())
        name = f"{index:06d}.obj"
        (folder / name).write_text(f"{points}\n{texture}\n{surface}\n", encoding="ascii")
        rows.append(f"{name},{take.pts[index]:.6f},{int(take.valid[index])}")
        report(Progress("Writing meshes", (index + 1) / len(take.pts)))
    (folder / INDEX).write_text("\n".join(rows) + "\n", encoding="ascii")


def obj_polygon(polygon: np.ndarray, uv_polygon: np.ndarray) -> str:
    """`f` with vertex/texture of each corner, counted from 1."""
    corners = zip(polygon + 1, uv_polygon + 1, strict=True)
    return "f " + " ".join(f"{vertex}/{uv}" for vertex, uv in corners if vertex > 0)
