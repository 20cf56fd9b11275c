"""The head that a fit bends: identity, free offsets of the neutral, personal corrections of every expression.

Only skin has offsets of its own. Eyeballs and their lashes, teeth and tongue are moved as a whole by the skin around
them, so that eyeballs and teeth stay rigid, lids stay on eyeballs and lips on teeth.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from scipy.spatial import cKDTree
from torch import Tensor

from ...geometry.skinning import SkinnedHead, skinned_head
from ...heads.model import HeadModel
from ...protocol.avatar import Avatar
from ...protocol.names import JOINTS, mirrored
from .following import all_skin, follow_skin

CENTRES = 36
"""Places on one side of the face about which expressions are corrected."""
REACH = 0.016
"""Metres from a place within which a correction falls to 0.6 of itself."""
LOCAL = 0.06
"""Part of an expression's largest motion below which a place counts as not moved by it."""


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
        fields=expression_fields(avatar, follow),
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


def freedom(avatar: Avatar) -> Float[np.ndarray, "V"]:
    """1 on the face, falling to 0 over 3 cm around it."""
    face = avatar.neutral[avatar.regions["face"]]
    distance = cKDTree(face).query(avatar.neutral)[0]
    return (1 - np.clip(distance / 0.03, 0, 1) ** 2).astype(np.float32) ** 2


def expression_fields(avatar: Avatar, follow: csr_matrix) -> Fields:
    """Places spread over one side of the face and mirrored to the other. The mouth's walls do what their skin does."""
    points, face = avatar.neutral, avatar.regions["face"]
    middle = float(np.mean([avatar.joints[avatar.joint_names.index(f"eye_{side}")][0] for side in ("left", "right")]))
    one_side = points[face & (points[:, 0] >= middle)]
    left = farthest_points(one_side, CENTRES)
    right = left * [-1, 1, 1] + [2 * middle, 0, 0]
    centres = np.concatenate([left, right])
    distance = np.linalg.norm(points[:, None] - centres, axis=-1)
    bells = np.exp(-0.5 * (distance / REACH) ** 2)
    bells = (follow @ (bells / (bells.sum(1, keepdims=True) + 0.05))) * all_skin(avatar)[:, None]
    length = np.linalg.norm(avatar.expressions, axis=-1)
    size = np.array([np.quantile(row[row > LOCAL * row.max()], 0.9) if row.max() > 0 else 0.0 for row in length])
    reach = np.clip(length / np.maximum(LOCAL * 2 * length.max(1, keepdims=True), 1e-9), 0, 1)
    names = list(avatar.expression_names)
    personal = np.array([not name.startswith(("tongueOut", "eyeLook")) for name in names])
    return Fields(
        bells=torch.as_tensor(bells).float(),
        reach=torch.as_tensor(follow @ reach.T).T.contiguous().float(),
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
