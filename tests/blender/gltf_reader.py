"""Reads the one skinned mesh of a GLB file and poses it, after the glTF 2.0 specification."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pygltflib import GLTF2, Accessor

TYPES = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class Primitive:
    """Vertices of one material."""

    positions: np.ndarray
    targets: np.ndarray
    """(E, V, 3)"""
    joints: np.ndarray
    """(V, J)"""
    weights: np.ndarray


@dataclass(frozen=True)
class SkinnedMesh:
    """What the file holds."""

    file: GLTF2
    primitives: tuple[Primitive, ...]
    target_names: tuple[str, ...]
    images: list[str]

    @property
    def rest_positions(self) -> np.ndarray:
        """(V, 3) of all primitives."""
        return np.concatenate([primitive.positions for primitive in self.primitives])

    def weights(self, times: np.ndarray) -> np.ndarray:
        """(T, E) weights of the targets."""
        node = next(i for i, n in enumerate(self.file.nodes) if n.skin is not None)
        return np.stack([sampled(self.file, node, "weights", time) for time in times])

    def positions(self, time: float) -> np.ndarray:
        """(V, 3) at a time in seconds."""
        skin = self.file.skins[0]
        weights = self.weights(np.array([time]))[0]
        inverse = elements(self.file, skin.inverseBindMatrices).reshape(-1, 4, 4).transpose(0, 2, 1)
        joints = np.stack([world_matrix(self.file, joint, time) for joint in skin.joints]) @ inverse
        posed = []
        for part in self.primitives:
            shape = part.positions + np.einsum("e,evc->vc", weights, part.targets)
            blended = np.einsum("vj,vjab->vab", part.weights, joints[part.joints])
            posed.append(np.einsum("vab,vb->va", blended[:, :3, :3], shape) + blended[:, :3, 3])
        return np.concatenate(posed)


def read_glb(path: Path) -> SkinnedMesh:
    """The file's first mesh."""
    file = GLTF2().load(str(path))
    mesh = file.meshes[0]
    parts = []
    for primitive in mesh.primitives:
        sets = [n for n in range(4) if getattr(primitive.attributes, f"JOINTS_{n}", None) is not None]
        joints = [elements(file, getattr(primitive.attributes, f"JOINTS_{n}")) for n in sets]
        weights = [elements(file, getattr(primitive.attributes, f"WEIGHTS_{n}")) for n in sets]
        parts.append(
            Primitive(
                elements(file, primitive.attributes.POSITION).astype(float),
                np.stack([elements(file, target["POSITION"]) for target in primitive.targets]).astype(float),
                np.concatenate(joints, 1),
                np.concatenate(weights, 1).astype(float),
            )
        )
    return SkinnedMesh(file, tuple(parts), tuple(mesh.extras["targetNames"]), sorted(i.name for i in file.images))


def elements(file: GLTF2, index: int) -> np.ndarray:
    """(N, width) of one accessor, sparse or not."""
    accessor: Accessor = file.accessors[index]
    width, kind = WIDTHS[accessor.type], np.dtype(TYPES[accessor.componentType])
    values = np.zeros((accessor.count, width), kind)
    if accessor.bufferView is not None:
        values = view(file, accessor.bufferView, accessor.byteOffset, kind, accessor.count * width)
        values = values.reshape(-1, width).copy()
    if accessor.sparse is not None:
        sparse = accessor.sparse
        place, content = sparse.indices, sparse.values
        rows = view(file, place.bufferView, place.byteOffset, np.dtype(TYPES[place.componentType]), sparse.count)
        values[rows] = view(file, content.bufferView, content.byteOffset, kind, len(rows) * width).reshape(-1, width)
    return values


def view(file: GLTF2, index: int, offset: int | None, kind: np.dtype, count: int) -> np.ndarray:
    """`count` numbers from a buffer view."""
    buffer = file.bufferViews[index]
    return np.frombuffer(file.binary_blob(), kind, count, (buffer.byteOffset or 0) + (offset or 0))


def sampled(file: GLTF2, node: int, path: str, time: float) -> np.ndarray | None:
    """A linearly interpolated channel, None when there is none."""
    for channel in (c for a in file.animations for c in a.channels):
        if channel.target.node != node or channel.target.path != path:
            continue
        animation = next(a for a in file.animations if channel in a.channels)
        sampler = animation.samplers[channel.sampler]
        times = elements(file, sampler.input)[:, 0]
        values = elements(file, sampler.output).reshape(len(times), -1).astype(float)
        return np.array([np.interp(time, times, column) for column in values.T])
    return None


def world_matrix(file: GLTF2, node: int, time: float) -> np.ndarray:
    """(4, 4) of a node, its parents' included."""
    parent = next((i for i, n in enumerate(file.nodes) if n.children and node in n.children), None)
    local = local_matrix(file, node, time)
    return local if parent is None else world_matrix(file, parent, time) @ local


def local_matrix(file: GLTF2, node: int, time: float) -> np.ndarray:
    """(4, 4) translation, rotation and scale, animated or at rest."""
    content = file.nodes[node]
    values = {}
    for path, default in (("translation", (0, 0, 0)), ("rotation", (0, 0, 0, 1)), ("scale", (1, 1, 1))):
        moving = sampled(file, node, path, time)
        values[path] = np.array(getattr(content, path) or default) if moving is None else moving
    x, y, z, w = values["rotation"] / np.linalg.norm(values["rotation"])
    matrix = np.eye(4)
    matrix[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    matrix[:3, :3] *= values["scale"]
    matrix[:3, 3] = values["translation"]
    return matrix
