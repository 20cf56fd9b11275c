"""Poses the one skinned mesh of an FBX file, after the FBX SDK's documentation, without Blender.

Column vectors. Rotations are Euler angles in degrees in the order X, Y, Z, which is the default; pivots and
pre-rotations do not occur in files of Blender and are refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from fbx_parser import Record, parse
from scipy.spatial.transform import Rotation

TICKS = 46186158000
"""KTime: ticks of a second."""
PIVOTS = ("PreRotation", "PostRotation", "RotationPivot", "ScalingPivot", "RotationOffset", "ScalingOffset")


@dataclass(frozen=True)
class FbxFile:
    """Objects by id and what hangs on what."""

    root: Record
    objects: dict[int, Record]
    links: tuple[tuple[int, int, str], ...]
    """Child, parent, property of the parent or empty."""

    @cached_property
    def settings(self) -> dict[str, float]:
        """The file's global settings."""
        return {name: values[0] for name, values in self.root.first("GlobalSettings").properties().items() if values}

    @cached_property
    def models(self) -> dict[str, int]:
        """Ids of the nodes, by name."""
        return {name_of(record): key for key, record in self.objects.items() if record.name == "Model"}

    def below(self, parent: int, kind: str, sort: str = "") -> Iterator[int]:
        """Ids of what hangs on an object."""
        for child, owner, _ in self.links:
            record = self.objects.get(child)
            if owner == parent and record is not None and record.name == kind and sort in ("", record.values[2]):
                yield child

    @cached_property
    def curves(self) -> dict[tuple[int, str], dict[str, tuple[np.ndarray, np.ndarray]]]:
        """Seconds (T,) and values (T,) of every animated number: by owner and property, then by axis."""
        found: dict = {}
        for node, owner, name in self.links:
            if node in self.objects and self.objects[node].name == "AnimationCurveNode" and name:
                axes = {axis: child for child, parent, axis in self.links if parent == node and axis}
                found[owner, name] = {axis: keys_of(self.objects[child]) for axis, child in axes.items()}
        return found

    @cached_property
    def mesh(self) -> int:
        """The id of the mesh's geometry."""
        return next(key for key, record in self.objects.items() if record.values[2] == "Mesh" and is_geometry(record))

    @cached_property
    def rest(self) -> np.ndarray:
        """(V, 3) in the file's unit, in the mesh's own axes."""
        return self.objects[self.mesh].first("Vertices").values[0].reshape(-1, 3)

    @cached_property
    def channels(self) -> dict[str, int]:
        """Ids of the blend shapes' channels, by name."""
        deformers = self.below(self.mesh, "Deformer", "BlendShape")
        return {name_of(self.objects[k]): k for d in deformers for k in self.below(d, "Deformer", "BlendShapeChannel")}

    def weights(self, names: list[str], seconds: float) -> np.ndarray:
        """(E,) of the blend shapes, 1 for all of it."""
        curves = [self.curves[self.channels[name], "DeformPercent"] for name in names]
        return np.array([np.interp(seconds, *next(iter(axes.values()))) / 100 for axes in curves])

    def positions(self, seconds: float) -> np.ndarray:
        """(V, 3) in the file's unit and axes, shapes and skin applied."""
        names = list(self.channels)
        shaped = self.rest.copy()
        for name, weight in zip(names, self.weights(names, seconds), strict=True):
            shape = self.objects[next(self.below(self.channels[name], "Geometry", "Shape"))]
            shaped[shape.first("Indexes").values[0]] += weight * shape.first("Vertices").values[0].reshape(-1, 3)
        posed, total = np.zeros_like(shaped), np.zeros(len(shaped))
        skin = next(self.below(self.mesh, "Deformer", "Skin"))
        for key in self.below(skin, "Deformer", "Cluster"):
            cluster, bone = self.objects[key], next(self.below(key, "Model"))
            indices, amount = cluster.first("Indexes").values[0], cluster.first("Weights").values[0]
            matrix = self.world(bone, seconds) @ cluster.first("Transform").values[0].reshape(4, 4).T
            posed[indices] += amount[:, None] * (shaped[indices] @ matrix[:3, :3].T + matrix[:3, 3])
            total[indices] += amount
        return posed / total[:, None]

    def world(self, model: int, seconds: float) -> np.ndarray:
        """(4, 4) of a node, its parents' included."""
        parent = next((p for c, p, _ in self.links if c == model and p in self.models.values()), None)
        local = self.local(model, seconds)
        return local if parent is None else self.world(parent, seconds) @ local

    def local(self, model: int, seconds: float) -> np.ndarray:
        """(4, 4) of a node in its parent."""
        rest = self.objects[model].properties()
        assert not any(np.any(rest.get(name, 0)) for name in PIVOTS), f"{name_of(self.objects[model])}: has pivots"
        parts = []
        for name, default in (("Lcl Translation", 0.0), ("Lcl Rotation", 0.0), ("Lcl Scaling", 1.0)):
            values = np.array(rest.get(name, (default,) * 3), float)
            for axis, keys in self.curves.get((model, name), {}).items():
                values["XYZ".index(axis[-1])] = np.interp(seconds, *keys)
            parts.append(values)
        matrix = np.eye(4)
        matrix[:3, :3] = Rotation.from_euler("xyz", parts[1], degrees=True).as_matrix() * parts[2]
        matrix[:3, 3] = parts[0]
        return matrix


def read_fbx(path: Path) -> FbxFile:
    """The file."""
    root = parse(path)
    objects = {record.values[0]: record for record in root.first("Objects").children}
    links = tuple((*link.values[1:3], "".join(link.values[3:4])) for link in root.first("Connections").all("C"))
    return FbxFile(root, objects, links)


def name_of(record: Record) -> str:
    """An object's name, without its class."""
    return record.values[1].split("\x00")[0]


def is_geometry(record: Record) -> bool:
    """Whether the record is a geometry."""
    return record.name == "Geometry"


def keys_of(curve: Record) -> tuple[np.ndarray, np.ndarray]:
    """Seconds and values of a curve's keys."""
    return curve.first("KeyTime").values[0] / TICKS, curve.first("KeyValueFloat").values[0].astype(float)
