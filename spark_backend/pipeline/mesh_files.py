"""The head at rest as .obj and .ply: quads, normals, texture coordinates and maps, written without Blender."""

import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int

from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from .look import LASH_COLOUR, PLAIN_COLOURS, SHINE

MTL_KEYS = {"albedo": "map_Kd", "lit": "map_Kd", "roughness": "map_Pr", "specular": "map_Ks", "normal": "map_Bump"}
"""Wavefront's keys and those of its PBR extension; the normal map has the key under which Blender knows it."""


def write_obj(path: Path, avatar: Avatar, name: str) -> None:
    """One object with a group and a material per part of the head; `.mtl` and the maps beside it. +Y up, metres.

    Vertices keep their order. The material of a `lit` map shows it as it is (`illum 0`).
    """
    files = copy_maps(avatar.maps, path.parent, name)
    turned = avatar.neutral[:, [0, 2, 1]] * (1, 1, -1)
    normals = rest_normals(avatar)[:, [0, 2, 1]] * (1, 1, -1)
    lines = [f"mtllib {path.stem}.mtl", f"o {name} head"]
    lines += ["v {:.6f} {:.6f} {:.6f}".format(*row) for row in turned]
    lines += ["vt {:.6f} {:.6f}".format(*row) for row in avatar.uv]
    lines += ["vn {:.4f} {:.4f} {:.4f}".format(*row) for row in normals]
    for number, kind in enumerate(avatar.material_names):
        rows = np.flatnonzero(avatar.polygon_material == number)
        if not len(rows):
            continue
        lines += [f"g {kind}", f"usemtl {kind}"]
        lines += [obj_face(avatar.polygons[row], avatar.uv_polygons[row]) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    materials = [mtl_material(kind, avatar.maps, files) for kind in avatar.material_names]
    path.with_suffix(".mtl").write_text("\n\n".join(materials) + "\n", encoding="utf-8")


def obj_face(polygon: Int[np.ndarray, "4"], uv_polygon: Int[np.ndarray, "4"]) -> str:
    """`f` with vertex/texture/normal of each corner, counted from 1."""
    corners = zip(polygon + 1, uv_polygon + 1, strict=True)
    return "f " + " ".join(f"{vertex}/{uv}/{vertex}" for vertex, uv in corners if vertex > 0)


def mtl_material(kind: str, maps: Mapping[str, Path], files: Mapping[str, str]) -> str:
    """One material; the skin reads all maps, the other parts the colour alone, the lashes its opacity too."""
    colour = LASH_COLOUR if kind == "lashes" else PLAIN_COLOURS.get(kind, PLAIN_COLOURS["skin"])
    specular, roughness = SHINE.get(kind, SHINE["skin"])
    read = [name for name in maps if name in ("albedo", "lit") or kind == "skin"]
    lines = [f"newmtl {kind}", "Kd {:.4f} {:.4f} {:.4f}".format(*colour)]
    lines += ["illum 0"] if "lit" in maps else ["illum 2", "Ks {0:.4f} {0:.4f} {0:.4f}".format(0.5 * specular)]
    lines += [f"Pr {roughness:.4f}"] * ("lit" not in maps)
    lines += [f"{MTL_KEYS[name]} {files[name]}" for name in read]
    if kind == "lashes":
        lines += [f"map_d {files[name]}" for name in read] or ["d 0.6"]
    return "\n".join(lines)


def write_ply(path: Path, avatar: Avatar, name: str) -> None:
    """PLY in text with normals and texture coordinates per vertex, and the colour map beside it. +Z up, metres.

    A vertex on a seam of the atlas is written once for each of its texture coordinates. The file names one map, as
    `comment TextureFile`: the colour where there is one. In text, as trimesh reads no mixed polygons in binary.
    """
    chosen = [kind for kind in MTL_KEYS if kind in avatar.maps][:1]
    files = copy_maps({kind: avatar.maps[kind] for kind in chosen}, path.parent, name)
    used = avatar.polygons >= 0
    pairs = np.stack([avatar.polygons[used], avatar.uv_polygons[used]], 1)
    unique, corner = np.unique(pairs, axis=0, return_inverse=True)
    vertex, uv = unique.T
    table = np.concatenate([avatar.neutral[vertex], rest_normals(avatar)[vertex], avatar.uv[uv]], 1)
    comments = [f"comment {name}, metres, +Z up", *(f"comment TextureFile {file}" for file in files.values())]
    properties = [f"property float {label}" for label in ("x", "y", "z", "nx", "ny", "nz", "s", "t")]
    header = ["ply", "format ascii 1.0", *comments, f"element vertex {len(table)}", *properties]
    header += [f"element face {len(used)}", "property list uchar int vertex_indices", "end_header"]
    polygons = np.split(corner.reshape(-1), np.cumsum(used.sum(1))[:-1])
    lines = [" ".join(f"{value:.6f}" for value in row) for row in table]
    lines += [" ".join(map(str, (len(polygon), *polygon))) for polygon in polygons]
    path.write_text("\n".join([*header, *lines]) + "\n", encoding="utf-8")


def rest_normals(avatar: Avatar) -> Float[np.ndarray, "V 3"]:
    """Unit normals of the vertices at rest."""
    return vertex_normals(torch.as_tensor(avatar.neutral).float(), torch.as_tensor(avatar.faces).long()).numpy()


def copy_maps(maps: Mapping[str, Path], folder: Path, name: str) -> dict[str, str]:
    """Copies maps to `folder` as NAME_KIND.png; their file names by kind."""
    files = {kind: f"{name}_{kind}{path.suffix}" for kind, path in maps.items()}
    for kind, path in maps.items():
        shutil.copyfile(path, folder / files[kind])
    return files
