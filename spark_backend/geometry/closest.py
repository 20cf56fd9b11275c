"""The nearest place of a triangle."""

import numpy as np
from jaxtyping import Float


def closest_on_triangles(
    points: Float[np.ndarray, "*#batch 3"], triangles: Float[np.ndarray, "*batch 3 3"]
) -> tuple[Float[np.ndarray, "*batch 3"], Float[np.ndarray, "*batch"]]:
    """Barycentric coordinates of the place of each triangle that is nearest to its point, and the distance.

    Inside it is the foot of the perpendicular, else the nearest of the feet on the three edges.
    """
    a, b, c = (triangles[..., k, :] for k in range(3))
    candidates = [inside_foot(points, a, b, c)]
    for k in range(3):
        start, end = triangles[..., k, :], triangles[..., (k + 1) % 3, :]
        along = end - start
        length = (along * along).sum(-1)
        t = np.clip(((points - start) * along).sum(-1) / np.maximum(length, 1e-30), 0, 1)
        bary = np.zeros((*t.shape, 3))
        bary[..., k], bary[..., (k + 1) % 3] = 1 - t, t
        candidates.append(bary)
    every = np.stack(candidates)
    places = np.einsum("k...c,...cx->k...x", every, triangles)
    distance = np.linalg.norm(places - points, axis=-1)
    distance[0] = np.where((every[0] >= 0).all(-1), distance[0], np.inf)
    best = distance.argmin(0)
    return np.take_along_axis(every, best[None, ..., None], 0)[0], np.take_along_axis(distance, best[None], 0)[0]


def inside_foot(points: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> Float[np.ndarray, "*batch 3"]:
    """Barycentric coordinates of the foot of the perpendicular on the plane; a flat triangle gives none inside."""
    u, v, w = b - a, c - a, points - a
    uu, uv, vv, wu, wv = ((p * q).sum(-1) for p, q in ((u, u), (u, v), (v, v), (w, u), (w, v)))
    determinant = uu * vv - uv * uv
    flat = determinant <= 1e-30
    safe = np.where(flat, 1.0, determinant)
    second, third = (vv * wu - uv * wv) / safe, (uu * wv - uv * wu) / safe
    second = np.where(flat, -1.0, second)
    return np.stack([1 - second - third, second, third], -1)
