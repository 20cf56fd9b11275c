"""Where the detector's landmarks lie on one person.

The head model's embedding is right for the average of people; on a single one every landmark strays by a millimetre or
two, always the same way. Once pictures have told pose and shape, that shows as an error with a mean, and the landmark
moves to where the detector sees it.
"""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree
from torch import Tensor

from ...geometry.closest import closest_on_triangles
from ...geometry.mesh import unique_edges
from ...heads.mouth import skin_and_walls
from ...protocol.avatar import Avatar
from .shots import Shots

FARTHEST = 0.006
"""Metres that a landmark may move."""
PRIOR = 4.0
"""Frames that are as good a reason to move as the embedding is to stay."""
IRISES = list(range(468, 478))
"""Irises stay on their eye's axis."""
REACH = 2 * FARTHEST
"""Metres along the skin within which a landmark stays: the other lip, which touches its own, is farther."""
CANDIDATES = 48


def personal_landmarks(
    avatar: Avatar,
    shots: Shots,
    rotation: Float[Tensor, "M 3 3"],
    predicted: Float[Tensor, "M 478 2"],
    depth: Float[Tensor, "M 478"],
    facing: Float[Tensor, "M 478"],
    focal: Float[Tensor, "M"],
) -> Avatar:
    """The avatar with its landmarks where the detector sees them.

    `predicted` are pixels of the crops at which they are now, `depth` metres from the camera, `focal` in pixels of the
    frame.
    """
    metres = depth / (focal * shots.zoom)[:, None]
    error = (shots.landmarks - predicted) * metres[..., None]
    shift = mean_shift(rotation, error, facing).numpy()
    shift[IRISES] = 0
    length = np.linalg.norm(shift, axis=1, keepdims=True)
    shift *= np.minimum(1, FARTHEST / np.maximum(length, 1e-9))
    corners = avatar.neutral[avatar.faces[avatar.landmark_face]]
    moved = (corners * avatar.landmark_bary[..., None]).sum(1) + shift
    face, bary = onto_surface(avatar, moved)
    face[IRISES], bary[IRISES] = avatar.landmark_face[IRISES], avatar.landmark_bary[IRISES]
    return replace(avatar, landmark_face=face, landmark_bary=bary.astype(avatar.landmark_bary.dtype))


def mean_shift(
    rotation: Float[Tensor, "M 3 3"], error: Float[Tensor, "M 478 2"], weight: Float[Tensor, "M 478"]
) -> Float[Tensor, "478 3"]:
    """Least-squares shifts (metres, avatar axes) that explain errors across the line of sight; robust."""
    across = rotation[:, :2]
    robust = weight
    shift = torch.zeros(error.shape[1], 3)
    for _ in range(4):
        normal = torch.einsum("ml,mia,mib->lab", robust, across, across) + PRIOR * torch.eye(3)
        right = torch.einsum("ml,mia,mli->la", robust, across, error)
        shift = torch.linalg.solve(normal, right[..., None])[..., 0]
        rest = error - torch.einsum("mia,la->mli", across, shift)
        robust = weight / (1 + (rest.norm(dim=-1) / 0.002).square())
    return shift


def onto_surface(avatar: Avatar, points: Float[np.ndarray, "L 3"]) -> tuple[np.ndarray, np.ndarray]:
    """Triangle and barycentric coordinates of the skin's nearest places that the avatar's landmarks reach along it; a
    landmark that reaches none stays where it is."""
    rows = np.flatnonzero(skin_and_walls(avatar)[0])
    triangles = avatar.neutral[avatar.faces[rows]]
    near = cKDTree(triangles.mean(1)).query(points, k=CANDIDATES)[1]
    bary, distance = closest_on_triangles(points[:, None], triangles[near])
    each = np.arange(len(points))
    reached = within_reach(avatar, rows)[each[:, None], near]
    best = np.where(reached, distance, np.inf).argmin(1)
    stays = ~reached.any(1)
    face = np.where(stays, avatar.landmark_face, rows[near[each, best]])
    return face, np.where(stays[:, None], avatar.landmark_bary, bary[each, best])


def within_reach(avatar: Avatar, rows: Int[np.ndarray, "R"]) -> Bool[np.ndarray, "L R"]:
    """Which of the triangles `rows` lie within `REACH` of each landmark along edges of these triangles."""
    faces, count = avatar.faces[rows], len(avatar.neutral)
    start, end = unique_edges(torch.as_tensor(faces).long()).numpy().T
    length = np.linalg.norm(avatar.neutral[start] - avatar.neutral[end], axis=1)
    edges = coo_array((length, (start, end)), shape=(count, count)).tocsr()
    corners = avatar.faces[avatar.landmark_face, avatar.landmark_bary.argmax(1)]
    far = dijkstra(edges, directed=False, indices=corners, limit=REACH)
    return np.isfinite(far)[:, faces].any(2)
