"""Cuts a polygon mesh by a level set. New vertices lie on cut edges, so what is linear in the vertices stays so."""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

NEAREST = 0.25
"""A cut edge keeps at least this part of its length, so that the border has no slivers."""


@dataclass
class Corners:
    """Grows the list of vertices: the old ones that are used, and points on cut edges."""

    rows: dict[tuple[int, int], int] = field(default_factory=dict)
    """Edge (inside, outside), or (vertex, vertex) for an old vertex, to the new index."""
    parts: list[float] = field(default_factory=list)
    """How far along its edge each new vertex lies."""

    def index(self, inside: int, outside: int, part: float) -> int:
        key = (inside, outside)
        if key not in self.rows:
            self.rows[key] = len(self.parts)
            self.parts.append(part)
        return self.rows[key]

    def blend(self, count: int) -> csr_array:
        """(new, old) matrix that makes the new vertices' values from the old ones'."""
        keys, parts = np.array(list(self.rows)), np.array(self.parts)
        row = np.arange(len(parts))
        values = np.concatenate([1 - parts, parts])
        return csr_array((values, (np.concatenate([row, row]), keys.T.ravel())), shape=(len(parts), count))


@dataclass(frozen=True)
class Slice:
    """What is left of a mesh."""

    polygons: np.ndarray
    """(Q, 4) new vertex indices, -1 in the last column of a triangle."""
    uv_polygons: np.ndarray
    """(Q, 4) new texture-coordinate indices."""
    origin: np.ndarray
    """(Q,) the old polygon that each comes from."""
    vertices: csr_array
    """(V, N) new vertices from old."""
    uv: csr_array
    """(U, M) new texture coordinates from old."""


def slice_mesh(polygons: np.ndarray, uv_polygons: np.ndarray, height: np.ndarray, uv_count: int) -> Slice:
    """Keeps where `height` (N,) is positive of quads (P, 4) with texture coordinates (P, 4)."""
    vertices, coordinates = Corners(), Corners()
    kept: list[tuple[list[int], list[int], int]] = []
    for number in np.flatnonzero((height[polygons] > 0).any(1)):
        corner, corner_uv = polygons[number], uv_polygons[number]
        outline, outline_uv = [], []
        for here, there in ((0, 1), (1, 2), (2, 3), (3, 0)):
            a, b = int(corner[here]), int(corner[there])
            ua, ub = int(corner_uv[here]), int(corner_uv[there])
            if height[a] > 0:
                outline.append(vertices.index(a, a, 0.0))
                outline_uv.append(coordinates.index(ua, ua, 0.0))
            if (height[a] > 0) != (height[b] > 0):
                (a, ua), (b, ub) = ((a, ua), (b, ub)) if height[a] > 0 else ((b, ub), (a, ua))
                part = float(max(height[a] / (height[a] - height[b]), NEAREST))
                outline.append(vertices.index(a, b, part))
                outline_uv.append(coordinates.index(ua, ub, part))
        for piece in ((0, 1, 2, 3), (0, 3, 4))[: 2 if len(outline) == 5 else 1]:
            chosen = [k for k in piece if k < len(outline)]
            kept.append(([outline[k] for k in chosen], [outline_uv[k] for k in chosen], int(number)))
    padded = [(v + [-1] * (4 - len(v)), u + [-1] * (4 - len(u)), n) for v, u, n in kept]
    return Slice(
        *(np.array([row[k] for row in padded]) for k in range(3)),
        vertices.blend(len(height)),
        coordinates.blend(uv_count),
    )
