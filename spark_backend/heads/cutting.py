"""Which part of MakeHuman's body is the head, and its texture coordinates packed anew."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ..protocol.names import MATERIALS
from .atlas import FRONT, islands, pack
from .makehuman import MakeHuman
from .slicing import slice_mesh

PARTS = {
    "eye": ("helper-l-eye", "helper-r-eye"),
    "teeth": ("helper-upper-teeth", "helper-lower-teeth"),
    "tongue": ("helper-tongue",),
    "lashes": ("helper-l-eyelashes-1", "helper-l-eyelashes-2", "helper-r-eyelashes-1", "helper-r-eyelashes-2"),
}
COLLAR = (-0.04, 0.3, 7.0)
"""Metres above the neck's joint at which the neck is cut on its axis, how the cut rises to the back, and how it rises,
with the square of the distance, to the sides: a round collar without shoulders."""


@dataclass(frozen=True)
class Cut:
    """Which part of the whole-body mesh is the head."""

    blend: csr_array
    """(V, N) the head's vertices from the whole body's."""
    polygons: np.ndarray
    """(P, 4)"""
    uv: np.ndarray
    uv_polygons: np.ndarray
    material: np.ndarray
    """(P,)"""

    def take(self, values: np.ndarray) -> np.ndarray:
        """(..., N, C) values of the whole body at the head's vertices, (..., V, C)."""
        flat = np.moveaxis(values, -2, 0).reshape(values.shape[-2], -1)
        shape = (self.blend.shape[0], *values.shape[:-2], values.shape[-1])
        return np.moveaxis((self.blend @ flat).reshape(shape), 0, -2)

    def covers(self, mask: np.ndarray) -> np.ndarray:
        """(V,) a mask (N,) of the whole body at the head's vertices."""
        return self.blend @ mask.astype(float) > 0.5


def cut_head(data: MakeHuman, whole: np.ndarray) -> Cut:
    """Keeps the body above the collar and the helpers that make a head; packs their texture coordinates anew."""
    body, body_uv = data.base.groups["body"]
    pieces = [(body, body_uv, "skin", "body")]
    pieces += [(*data.base.groups[group], name, group) for name, groups in PARTS.items() for group in groups]
    polygons = np.concatenate([piece[0] for piece in pieces])
    uv_polygons = np.concatenate([piece[1] for piece in pieces])
    owner = np.repeat(np.arange(len(pieces)), [len(piece[0]) for piece in pieces])

    x, y, z = whole.T
    height = z - COLLAR[0] - COLLAR[1] * y - COLLAR[2] * x**2
    part = slice_mesh(polygons, uv_polygons, height, len(data.base.uv))
    uv, owner = part.uv @ data.base.uv, owner[part.origin]
    forward = -(part.vertices @ whole)[part.polygons[:, :3], 1].mean(1)
    parts = _atlas_parts(uv, part.uv_polygons, owner, [piece[3] for piece in pieces], forward)
    material = np.array([MATERIALS.index(piece[2]) for piece in pieces])[owner]
    return Cut(part.vertices, part.polygons, pack(uv, part.uv_polygons, parts, "face"), part.uv_polygons, material)


def _atlas_parts(
    uv: np.ndarray, uv_polygons: np.ndarray, owner: np.ndarray, groups: list[str], forward: np.ndarray
) -> dict:
    """Polygons by place in the atlas: the body's largest island is the face, its others sockets, mouth and neck.

    `forward` (P,) tells an eyeball's front half from the other.
    """
    island = islands(uv_polygons)
    body = owner == groups.index("body")
    largest = np.bincount(island[body]).argmax()
    centre = uv[uv_polygons[:, :3]].mean(1)
    parts = {"face": np.flatnonzero(body & (island == largest))}
    rest = body & (island != largest)
    mouth, neck = centre[:, 1] < 0.2, centre[:, 1] > 0.8
    parts["neck"] = np.flatnonzero(rest & neck)
    parts["mouth"] = np.flatnonzero(rest & mouth)
    parts["eye sockets"] = np.flatnonzero(rest & ~mouth & ~neck)
    for index, group in enumerate(groups):
        if group == "body":
            continue
        if not group.endswith("-eye"):
            parts[group] = np.flatnonzero(owner == index)
            continue
        halves = [np.flatnonzero((owner == index) & (island == each)) for each in np.unique(island[owner == index])]
        for name, rows in zip((FRONT, "back"), sorted(halves, key=lambda half: -forward[half].mean()), strict=True):
            parts[f"eye {group} {name}"] = rows
    return {name: rows for name, rows in parts.items() if len(rows)}
