"""What carries the parts of a head that no picture fits: eyeballs, lashes, teeth, tongue, the walls of the mouth.

All of them follow the skin around them, so that eyeballs and teeth stay rigid, lids stay on eyeballs, lips on teeth,
and the walls of the mouth behind the skin of lips, cheeks and chin.
"""

import numpy as np
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from ...heads.mouth import carried, skin_and_walls, walls_follow
from ...protocol.avatar import Avatar

NEIGHBOURS = 24
"""Vertices of the skin that carry a part without skin of its own."""


def all_skin(avatar: Avatar) -> np.ndarray:
    """(V,) bool: vertices of the skin, the mouth's inside and the eye sockets' too."""
    skin = np.zeros(len(avatar.neutral), bool)
    skin[avatar.faces[avatar.face_material == avatar.material_names.index("skin")]] = True
    return skin


def follow_skin(avatar: Avatar) -> csr_matrix:
    """(V, V): what each vertex makes of the offsets of the outer skin, which takes its own.

    An eyeball and each row of teeth go with the mean of the nearest skin, lashes with the skin nearest to each, the
    walls of the mouth as `walls_follow` says.
    """
    outside, skin = np.unique(avatar.faces[skin_and_walls(avatar)[0]]), all_skin(avatar)
    near = cKDTree(avatar.neutral[outside])
    parts = [(outside, outside, np.ones(len(outside)))]
    for material, name in enumerate(avatar.material_names):
        part = np.unique(avatar.faces[avatar.face_material == material])
        part = part[~skin[part]]
        if name == "lashes":
            parts.append(carried(part, avatar.neutral[part], near, outside))
            continue
        for piece in pieces_of(avatar, part):
            carriers = outside[np.unique(near.query(avatar.neutral[piece], k=NEIGHBOURS)[1])]
            share = np.full(len(piece) * len(carriers), 1 / len(carriers))
            parts.append((np.repeat(piece, len(carriers)), np.tile(carriers, len(piece)), share))
    rows, columns, share = (np.concatenate(column) for column in zip(*parts, strict=True))
    return coo_matrix((share, (rows, columns)), (len(skin),) * 2).tocsr() + walls_follow(avatar)


def pieces_of(avatar: Avatar, part: np.ndarray) -> list[np.ndarray]:
    """The connected pieces of some vertices."""
    if not len(part):
        return []
    inside = np.isin(avatar.faces, part).all(1)
    start, end = avatar.faces[inside][:, [0, 1]].ravel(), avatar.faces[inside][:, [1, 2]].ravel()
    graph = coo_matrix((np.ones(len(start)), (start, end)), (len(avatar.neutral),) * 2)
    label = connected_components(graph, directed=False)[1][part]
    return [part[label == value] for value in np.unique(label)]
