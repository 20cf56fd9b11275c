"""A head with each polygon cut into quads, once: a smooth silhouette, and room for detail.

By the rules of Catmull and Clark, "Recursively generated B-spline surfaces on arbitrary topological meshes" (1978), for
the neutral head and for what expressions move. Weights and texture coordinates are divided linearly, which keeps their
sums and the maps' layout.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int
from scipy.sparse import csr_array, dia_array, diags_array, eye_array, sparray, vstack

from ..protocol.avatar import Avatar


@dataclass(frozen=True)
class Topology:
    """Polygons (P, 4), triangles with -1 in the last column, and their edges."""

    polygons: Int[np.ndarray, "P 4"]
    count: int
    """Vertices."""
    edges: Int[np.ndarray, "E 2"]
    corner_edge: Int[np.ndarray, "P 4"]
    """The edge from each corner to the next, -1 in the last column of triangles."""

    @property
    def corners(self) -> Int[np.ndarray, "P"]:
        """How many each polygon has."""
        return 3 + (self.polygons[:, 3] >= 0)


def topology_of(polygons: Int[np.ndarray, "P 4"], count: int) -> Topology:
    """Finds the edges."""
    following = np.roll(polygons, -1, 1)
    triangles = polygons[:, 3] < 0
    following[triangles, 2] = polygons[triangles, 0]
    there = polygons >= 0
    pairs = np.sort(np.stack([polygons[there], following[there]], 1), 1)
    edges, index = np.unique(pairs, axis=0, return_inverse=True)
    corner_edge = np.full_like(polygons, -1)
    corner_edge[there] = index
    return Topology(polygons, count, edges, corner_edge)


def subdivided(avatar: Avatar) -> Avatar:
    """The same head with about four times the vertices: the old ones first, then one for each edge and each polygon."""
    topology = topology_of(avatar.polygons, len(avatar.neutral))
    texture = topology_of(avatar.uv_polygons, len(avatar.uv))
    linear, count = linear_rule(topology), len(avatar.expressions)
    moves = avatar.expressions.transpose(1, 0, 2).reshape(topology.count, -1)
    moved = smooth_rule(topology) @ np.concatenate([avatar.neutral, moves], 1)
    uv, uv_polygons = linear_rule(texture) @ avatar.uv, divided_polygons(texture)
    landmark_face, landmark_bary = divided_landmarks(avatar, topology.corners, uv[uv_polygons])
    return replace(
        avatar,
        neutral=moved[:, :3].astype(avatar.neutral.dtype),
        polygons=divided_polygons(topology),
        uv=uv.astype(avatar.uv.dtype),
        uv_polygons=uv_polygons,
        polygon_material=np.repeat(avatar.polygon_material, topology.corners),
        expressions=moved[:, 3:].reshape(-1, count, 3).transpose(1, 0, 2).astype(avatar.expressions.dtype),
        skinning=(linear @ avatar.skinning).astype(avatar.skinning.dtype),
        landmark_face=landmark_face,
        landmark_bary=landmark_bary,
        regions={name: linear @ mask.astype(float) > 0.5 for name, mask in avatar.regions.items()},
    )


def divided_polygons(topology: Topology) -> Int[np.ndarray, "Q 4"]:
    """A quad for each corner of each polygon: the corner, the edge after it, the polygon, the edge before it."""
    there = topology.polygons >= 0
    before = np.roll(topology.corner_edge, 1, 1)
    before[~there[:, 3], 0] = topology.corner_edge[~there[:, 3], 2]
    edge, face = topology.count, topology.count + len(topology.edges)
    middle = np.broadcast_to(np.arange(len(there))[:, None], there.shape)
    quads = topology.polygons, edge + topology.corner_edge, face + middle, edge + before
    return np.stack([part[there] for part in quads], 1).astype(topology.polygons.dtype)


def linear_rule(topology: Topology) -> csr_array:
    """(N, V) Old vertices as they are, the middles of edges and of polygons."""
    return vstack([eye_array(topology.count), means(edge_ends(topology)), means(polygon_corners(topology))]).tocsr()


def smooth_rule(topology: Topology) -> csr_array:
    """(N, V) Catmull and Clark's; an open rim's curve depends on the rim alone."""
    ends, corners, sides = edge_ends(topology), polygon_corners(topology), edge_polygons(topology)
    middles, centres, own = means(ends), means(corners), eye_array(topology.count)
    open_edge = sides.sum(1) < 2
    edges = rows(open_edge) @ middles + rows(~open_edge) @ (middles + means(sides) @ centres) / 2
    valence = rows(1 / np.maximum(ends.sum(0), 1))
    inside = valence @ (means(corners.T) @ centres + 2 * means(ends.T) @ middles - 3 * own) + own
    rim = ends[open_edge]
    border = (own + means(rim.T) @ means(rim)) / 2
    on_rim = rim.sum(0) > 0
    vertices = rows(~on_rim) @ inside + rows(on_rim) @ border
    return vstack([vertices, edges, centres]).tocsr()


def edge_ends(topology: Topology) -> csr_array:
    """(E, V), 1 at both ends of each edge."""
    return ones(
        np.repeat(np.arange(len(topology.edges)), 2), topology.edges.ravel(), len(topology.edges), topology.count
    )


def polygon_corners(topology: Topology) -> csr_array:
    """(P, V), 1 at each polygon's corners."""
    polygon, corner = np.nonzero(topology.polygons >= 0)
    return ones(polygon, topology.polygons[polygon, corner], len(topology.polygons), topology.count)


def edge_polygons(topology: Topology) -> csr_array:
    """(E, P), 1 at the polygons that have each edge."""
    polygon, corner = np.nonzero(topology.polygons >= 0)
    return ones(topology.corner_edge[polygon, corner], polygon, len(topology.edges), len(topology.polygons))


def ones(row: np.ndarray, column: np.ndarray, height: int, width: int) -> csr_array:
    """A matrix of zeros and ones."""
    return csr_array((np.ones(len(row)), (row, column)), (height, width))


def rows(factors: np.ndarray) -> dia_array:
    """What multiplies each row of a matrix by its factor."""
    return diags_array(factors.astype(float))


def means(matrix: sparray) -> csr_array:
    """The matrix that takes means where this one takes sums; rows without anything stay empty."""
    return (rows(1 / np.maximum(matrix.sum(1), 1)) @ matrix).tocsr()


def divided_landmarks(
    avatar: Avatar, corners: Int[np.ndarray, "P"], quads: Float[np.ndarray, "Q 4 2"]
) -> tuple[Int[np.ndarray, "L"], Float[np.ndarray, "L 3"]]:
    """Where the landmarks are: at the same place of the map, in a triangle of the same polygon.

    Each polygon has so many `corners`, and as many of the `quads` on the map.
    """
    polygons = avatar.face_polygon[avatar.landmark_face]
    places = (avatar.uv[avatar.uv_faces[avatar.landmark_face]] * avatar.landmark_bary[..., None]).sum(1)
    first = np.cumsum(corners) - corners
    faces, barys = np.empty_like(avatar.landmark_face), np.empty_like(avatar.landmark_bary)
    for landmark, (polygon, place) in enumerate(zip(polygons, places, strict=True)):
        children = first[polygon] + np.arange(corners[polygon])
        triangles = np.concatenate([quads[children][:, [0, 1, 2]], quads[children][:, [0, 2, 3]]])
        a, b, c = np.moveaxis(triangles, 1, 0)
        share = np.linalg.solve(np.stack([b - a, c - a], 2), (place - a)[..., None])[..., 0]
        bary = np.concatenate([1 - share.sum(1, keepdims=True), share], 1)
        best = int(np.argmax(bary.min(1)))
        faces[landmark] = children[best % len(children)] + len(quads) * (best >= len(children))
        barys[landmark] = bary[best].clip(0) / bary[best].clip(0).sum()
    return faces, barys
