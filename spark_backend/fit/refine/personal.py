"""The head that a fit bends: identity, free offsets of the neutral, personal corrections of every expression.

Only skin has offsets of its own. Eyeballs and their lashes, teeth and tongue are moved as a whole by the skin around
them, so that eyeballs and teeth stay rigid, lids stay on eyeballs and lips on teeth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from ...geometry.skinning import SkinnedHead, skinned_head
from ...heads.model import HeadModel
from ...protocol.avatar import Avatar
from ...protocol.names import JOINTS, mirrored

CENTRES = 36
"""Places on one side of the face about which expressions are corrected."""
REACH = 0.016
"""Metres from a place within which a correction falls to 0.6 of itself."""
LOCAL = 0.06
"""Part of an expression's largest motion below which a place counts as not moved by it."""
NEIGHBOURS = 24
"""Vertices of the skin that carry a part without skin of its own."""
NEAREST, CLOSE = 6, 0.0015
"""Vertices of the skin that carry one of lashes or of the mouth's inside, and the distance (metres) within which they
do so about equally."""


@dataclass(frozen=True)
class Fields:
    """Corrections of expressions: smooth bells about `K` places, each felt only where the expression moves."""

    bells: Float[Tensor, "V K"]
    reach: Float[Tensor, "E V"]
    """1 where an expression moves the skin, 0 where it does not."""
    mirror_place: Int[Tensor, "K"]
    mirror_name: Int[Tensor, "E"]
    size: Float[Tensor, "E"]
    """Metres: how far the generic expression moves its skin; 0 for one that stays generic."""


@dataclass(frozen=True)
class FlexibleHead:
    """All that the parameters bend."""

    avatar: Avatar
    head: SkinnedHead
    start: Float[Tensor, "I"]
    """The avatar's own identity coefficients, to which those of the parameters are added."""
    identity: Float[Tensor, "I V 3"]
    joint_identity: Float[Tensor, "I J 3"]
    follow: Tensor
    """Sparse (V, V): offsets of the skin to offsets of every vertex."""
    joint_follow: Float[Tensor, "J V"]
    free: Float[Tensor, "V 1"]
    """How far each vertex may have an offset: 1 on the face, 0 on the skull's back and the collar."""
    fields: Fields
    centre: Float[Tensor, "3"]
    """Of the face at rest, about which heads turn in a fit."""


def flexible_head(avatar: Avatar, head: HeadModel, coefficients: np.ndarray) -> FlexibleHead:
    """A head about an avatar that has the identity `coefficients` (I,) of a head model."""
    follow = follow_skin(avatar)
    eyes = np.zeros((len(JOINTS), len(avatar.neutral)), np.float32)
    for name in ("eye_left", "eye_right"):
        joint = avatar.joint_names.index(name)
        rows = avatar.skinning[:, joint] > 0.5
        eyes[JOINTS.index(name)] = np.asarray(follow[rows].mean(0)).ravel()
    order = [avatar.joint_names.index(name) for name in JOINTS]
    face = avatar.regions["face"]
    return FlexibleHead(
        avatar=avatar,
        head=skinned_head(avatar),
        start=torch.as_tensor(coefficients).float(),
        identity=torch.as_tensor(head.identity).float(),
        joint_identity=torch.as_tensor(head.joint_identity[:, order]).float(),
        follow=sparse(follow),
        joint_follow=torch.as_tensor(eyes),
        free=torch.as_tensor(freedom(avatar))[:, None],
        fields=expression_fields(avatar),
        centre=torch.as_tensor(avatar.neutral[face].mean(0)).float(),
    )


def bent(model: FlexibleHead, parameters: Mapping[str, Tensor], offsets: Float[Tensor, "V 3"]) -> SkinnedHead:
    """The head for identity coefficients, offsets of the skin and the expressions' corrections; differentiable."""
    moved = torch.sparse.mm(model.follow, offsets * model.free)
    turned_about = model.joint_follow @ (offsets * model.free)
    identity = parameters["identity"]
    neutral = model.head.neutral + torch.tensordot(identity, model.identity, 1) + moved
    joints = model.head.joints + torch.tensordot(identity, model.joint_identity, 1) + turned_about
    return replace(
        model.head,
        neutral=neutral,
        joints=joints,
        expressions=model.head.expressions + corrections(model.fields, parameters["expressions"]),
    )


def corrections(fields: Fields, amounts: Float[Tensor, "E K 3"]) -> Float[Tensor, "E V 3"]:
    """Offsets at weight 1 that come on top of the generic ones; `amounts` are in parts of each expression's size."""
    scaled = amounts * fields.size[:, None, None]
    return torch.matmul(fields.bells, scaled) * fields.reach[..., None]


def baked(model: FlexibleHead, head: SkinnedHead) -> Avatar:
    """The avatar of a bent head."""
    order = [JOINTS.index(name) for name in model.avatar.joint_names]
    return replace(
        model.avatar,
        neutral=head.neutral.detach().cpu().numpy().astype(np.float32),
        expressions=head.expressions.detach().cpu().numpy().astype(model.avatar.expressions.dtype),
        joints=head.joints.detach().cpu().numpy()[order].astype(model.avatar.joints.dtype),
    )


def outer_skin(avatar: Avatar) -> np.ndarray:
    """(V,) bool: vertices of the skin, the mouth's inside and the eye sockets' too."""
    skin = np.zeros(len(avatar.neutral), bool)
    skin[avatar.faces[avatar.face_material == avatar.material_names.index("skin")]] = True
    return skin


def follow_skin(avatar: Avatar) -> csr_matrix:
    """(V, V): what each vertex makes of the offsets of the outer skin, which takes its own.

    An eyeball and each row of teeth go with the mean of the nearest skin; lashes and the mouth's inside, whose walls
    lie a millimetre behind lips and chin and must stay there, each with the skin nearest to it.
    """
    count, skin = len(avatar.neutral), outer_skin(avatar)
    outside = np.flatnonzero(skin & ~avatar.regions["mouth_interior"])
    near = cKDTree(avatar.neutral[outside])
    parts = [(outside, outside, np.ones(len(outside)))]
    thin = np.flatnonzero(skin & avatar.regions["mouth_interior"])
    for material, name in enumerate(avatar.material_names):
        part = np.unique(avatar.faces[avatar.face_material == material])
        part = part[~skin[part]]
        if name == "lashes":
            thin = np.concatenate([thin, part])
            continue
        for piece in pieces_of(avatar, part):
            carriers = outside[np.unique(near.query(avatar.neutral[piece], k=NEIGHBOURS)[1])]
            pairs = len(piece) * len(carriers)
            parts.append(
                (np.repeat(piece, len(carriers)), np.tile(carriers, len(piece)), np.full(pairs, len(carriers)))
            )
    distance, chosen = near.query(avatar.neutral[thin], k=NEAREST)
    share = 1 / (distance**2 + CLOSE**2)
    total = share.sum(1, keepdims=True) / share
    parts.append((np.repeat(thin, NEAREST), outside[chosen].ravel(), total.ravel()))
    rows, columns, divisor = (np.concatenate(column) for column in zip(*parts, strict=True))
    return coo_matrix((1 / divisor, (rows, columns)), (count, count)).tocsr()


def pieces_of(avatar: Avatar, part: np.ndarray) -> list[np.ndarray]:
    """The connected pieces of some vertices."""
    if not len(part):
        return []
    inside = np.isin(avatar.faces, part).all(1)
    start, end = avatar.faces[inside][:, [0, 1]].ravel(), avatar.faces[inside][:, [1, 2]].ravel()
    graph = coo_matrix((np.ones(len(start)), (start, end)), (len(avatar.neutral),) * 2)
    label = connected_components(graph, directed=False)[1][part]
    return [part[label == value] for value in np.unique(label)]


def freedom(avatar: Avatar) -> Float[np.ndarray, "V"]:
    """1 on the face, falling to 0 over 3 cm around it."""
    face = avatar.neutral[avatar.regions["face"]]
    distance = cKDTree(face).query(avatar.neutral)[0]
    return (1 - np.clip(distance / 0.03, 0, 1) ** 2).astype(np.float32) ** 2


def expression_fields(avatar: Avatar) -> Fields:
    """Places spread over one side of the face and mirrored to the other."""
    points, face = avatar.neutral, avatar.regions["face"]
    middle = float(np.mean([avatar.joints[avatar.joint_names.index(f"eye_{side}")][0] for side in ("left", "right")]))
    one_side = points[face & (points[:, 0] >= middle)]
    left = farthest_points(one_side, CENTRES)
    right = left * [-1, 1, 1] + [2 * middle, 0, 0]
    centres = np.concatenate([left, right])
    distance = np.linalg.norm(points[:, None] - centres, axis=-1)
    bells = np.exp(-0.5 * (distance / REACH) ** 2) * outer_skin(avatar)[:, None]
    bells /= bells.sum(1, keepdims=True) + 0.05
    length = np.linalg.norm(avatar.expressions, axis=-1)
    size = np.array([np.quantile(row[row > LOCAL * row.max()], 0.9) if row.max() > 0 else 0.0 for row in length])
    reach = np.clip(length / np.maximum(LOCAL * 2 * length.max(1, keepdims=True), 1e-9), 0, 1)
    names = list(avatar.expression_names)
    personal = np.array([not name.startswith(("tongueOut", "eyeLook")) for name in names])
    return Fields(
        bells=torch.as_tensor(bells).float(),
        reach=torch.as_tensor(reach).float(),
        mirror_place=torch.cat([torch.arange(CENTRES) + CENTRES, torch.arange(CENTRES)]),
        mirror_name=torch.tensor([names.index(mirrored(name)) for name in names]),
        size=torch.as_tensor(size * personal).float(),
    )


def farthest_points(points: Float[np.ndarray, "N 3"], count: int) -> Float[np.ndarray, "K 3"]:
    """Points far from each other (Gonzalez 1985), the first nearest to the middle."""
    chosen = [int(np.linalg.norm(points - points.mean(0), axis=1).argmin())]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1)
    for _ in range(count - 1):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return points[chosen]


def sparse(matrix: csr_matrix) -> Tensor:
    """A SciPy matrix as one of torch's."""
    coo = matrix.tocoo()
    indices = torch.as_tensor(np.stack([coo.row, coo.col])).long()
    values = torch.as_tensor(coo.data).float()
    return torch.sparse_coo_tensor(indices, values, coo.shape, check_invariants=True).coalesce()
