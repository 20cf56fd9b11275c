"""The walls of the mouth, which nobody sees move: what they make of how the skin before them is shaped.

MakeHuman's directions of identity move skin and walls apart and through each other: three of eight random heads showed
its mouth's inside through the skin below the lips.
"""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix, csr_matrix, diags
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from ..geometry.mesh import uniform_laplacian, vertex_normals
from ..protocol.avatar import Avatar

THICKEST = 0.015
"""Metres of flesh beyond which walls and skin have nothing to do with each other."""
ACROSS = 0.5
"""Least cosine between the way through the flesh and the normals at both of its ends."""
NEAREST, CLOSE = 6, 0.0015
"""Vertices of the skin that carry a point, and the distance (metres) within which they do so about equally."""


def skin_and_walls(avatar: Avatar) -> tuple[Bool[np.ndarray, "F"], Bool[np.ndarray, "F"]]:
    """Which triangles are skin outside, and which line the mouth."""
    skin = avatar.face_material == avatar.material_names.index("skin")
    inside = avatar.regions["mouth_interior"][avatar.faces].sum(1) >= 2
    return skin & ~inside, skin & inside


def walls_follow(avatar: Avatar) -> csr_matrix:
    """(V, V): what the walls of the mouth make of the offsets of the skin outside; all other rows are zero.

    A place goes with the skin on the other side of its flesh; one that has none with the walls around it.
    """
    skin, lining = (avatar.faces[chosen] for chosen in skin_and_walls(avatar))
    outside = np.unique(skin)
    walls, across = skin_across(avatar, np.setdiff1d(lining, outside), outside)
    rows, columns, share = carried(walls, avatar.neutral[across], cKDTree(avatar.neutral[outside]), outside)
    rim = np.intersect1d(lining, outside)
    rows, columns = np.concatenate([rows, rim]), np.concatenate([columns, rim])
    share = np.concatenate([share, np.ones(len(rim))])
    direct = coo_matrix((share, (rows, columns)), (len(avatar.neutral),) * 2).tocsr()
    free = np.setdiff1d(lining, np.union1d(walls, rim))
    only_walls = np.isin(np.arange(len(avatar.neutral)), np.setdiff1d(lining, rim)).astype(float)
    return diags(only_walls) @ (direct + between(lining, free, len(avatar.neutral)) @ direct)


def skin_across(
    avatar: Avatar, walls: Int[np.ndarray, "N"], skin: Int[np.ndarray, "M"]
) -> tuple[Int[np.ndarray, "K"], Int[np.ndarray, "K"]]:
    """The walls' vertices that have skin on the other side of their flesh, and the nearest of it.

    What is nearest to the back of a lip is its rim, not its front.
    """
    points, faces = torch.as_tensor(avatar.neutral).double(), torch.as_tensor(avatar.faces).long()
    place, normal = points.numpy(), vertex_normals(points, faces).numpy()
    way = place[skin] - place[walls][:, None]
    length = np.linalg.norm(way, axis=-1)
    leaves = -np.einsum("nmx,nx->nm", way, normal[walls]) > ACROSS * length
    arrives = np.einsum("nmx,mx->nm", way, normal[skin]) > ACROSS * length
    length = np.where(leaves & arrives, length, np.inf)
    found = length.min(1) < THICKEST
    return walls[found], skin[length.argmin(1)][found]


def carried(
    points: Int[np.ndarray, "N"], places: Float[np.ndarray, "N 3"], near: cKDTree, carriers: Int[np.ndarray, "M"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, columns and shares by which `points`, taken to be at `places`, go with the nearest of the carriers."""
    distance, chosen = near.query(places, k=NEAREST)
    share = 1 / (distance**2 + CLOSE**2)
    share /= share.sum(1, keepdims=True)
    return np.repeat(points, NEAREST), carriers[chosen].ravel(), share.ravel()


def between(faces: Int[np.ndarray, "F 3"], free: Int[np.ndarray, "N"], vertices: int) -> csr_matrix:
    """(V, V): the `free` vertices of a surface as harmonic means of its others; all other rows are zero."""
    difference = uniform_laplacian(torch.as_tensor(faces).long(), vertices, torch.float64)
    laplacian = coo_matrix((difference.values().numpy(), difference.indices().numpy()), difference.shape).tocsc()
    known = np.setdiff1d(faces, free)
    mean = -spsolve(laplacian[free][:, free], laplacian[free][:, known]).tocoo()
    return coo_matrix((mean.data, (free[mean.row], known[mean.col])), laplacian.shape).tocsr()
