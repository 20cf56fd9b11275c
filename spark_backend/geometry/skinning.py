"""From weights and joint rotations to vertices, differentiable: the twin of `protocol/posing.py` in torch."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ..protocol.avatar import Avatar, Rig
from ..protocol.names import JOINTS
from .rotation import matrix_from_vector


@dataclass(frozen=True)
class SkinnedHead:
    """What posing needs of an avatar. Joints are those of `JOINTS`, in that order."""

    neutral: Float[Tensor, "V 3"]
    """Metres, Blender's axes."""
    expressions: Float[Tensor, "E V 3"]
    """Offsets at weight 1, metres, applied before skinning."""
    joints: Float[Tensor, "J 3"]
    """Pivots in the rest pose, metres."""
    skinning: Float[Tensor, "V J"]
    """Rows sum to 1."""


@dataclass(frozen=True)
class HeadPose:
    """Joint rotations as matrices, with the meaning that they have in a take."""

    head_rotation: Float[Tensor, "B 3 3"]
    """Avatar axes to camera axes."""
    head_translation: Float[Tensor, "B 3"]
    """Metres, camera axes."""
    neck: Float[Tensor, "B 3 3"]
    jaw: Float[Tensor, "B 3 3"]
    eye_left: Float[Tensor, "B 3 3"]
    eye_right: Float[Tensor, "B 3 3"]


def skinned_head(avatar: Avatar, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu") -> SkinnedHead:
    """An avatar's arrays as tensors."""
    order = [avatar.joint_names.index(name) for name in JOINTS]
    arrays = (avatar.neutral, avatar.expressions, avatar.joints[order], avatar.skinning[:, order])
    return SkinnedHead(*(torch.as_tensor(array, dtype=dtype, device=device) for array in arrays))


def rotations_from_weights(
    rig: Rig, names: Sequence[str], weights: Float[Tensor, "B E"]
) -> dict[str, Float[Tensor, "B 3 3"]]:
    """The rotations that ARKit's jaw and look weights stand for: jaw, eye_left, eye_right.

    The jaw opens about +X and moves sideways about +Z; an eye turns about +X first, then about +Z.
    """
    w = {name: weights[:, list(names).index(name)] for name in names if name.startswith(("jaw", "eyeLook"))}
    zero = torch.zeros_like(weights[:, 0])

    def turned(about_x: Float[Tensor, "B"], about_z: Float[Tensor, "B"]) -> Float[Tensor, "B 3 3"]:
        first = matrix_from_vector(torch.stack([about_x, zero, zero], -1))
        return matrix_from_vector(torch.stack([zero, zero, about_z], -1)) @ first

    rotations = {"jaw": turned(rig.jaw_open * w["jawOpen"], rig.jaw_side * (w["jawLeft"] - w["jawRight"]))}
    for side, inward in (("Left", -1.0), ("Right", 1.0)):
        yaw = inward * (rig.gaze_in * w[f"eyeLookIn{side}"] - rig.gaze_out * w[f"eyeLookOut{side}"])
        pitch = rig.gaze_down * w[f"eyeLookDown{side}"] - rig.gaze_up * w[f"eyeLookUp{side}"]
        rotations[f"eye_{side.lower()}"] = turned(pitch, yaw)
    return rotations


def joint_transforms(joints: Float[Tensor, "J 3"], pose: HeadPose) -> Float[Tensor, "B J 3 4"]:
    """Rest-pose points to camera axes for the joints of `JOINTS`: a point x goes to R x + t."""
    pivot = dict(zip(JOINTS, joints, strict=True))
    rotation, translation = pose.head_rotation, pose.head_translation
    head = (rotation, translation)
    # The neck is where the root leaves it: the skull stays where the head puts it, so the root turns the other way.
    local = {"root": pose.neck.mT, "jaw": pose.jaw, "eye_left": pose.eye_left, "eye_right": pose.eye_right}
    pivot["root"] = pivot["neck"]
    placed = {"neck": head, "head": head}
    for name, turn in local.items():
        shift = pivot[name] - turn @ pivot[name]
        placed[name] = (rotation @ turn, (rotation @ shift[..., None])[..., 0] + translation)
    return torch.stack([torch.cat([placed[n][0], placed[n][1][..., None]], -1) for n in JOINTS], 1)


def pose_vertices(head: SkinnedHead, weights: Float[Tensor, "B E"], pose: HeadPose) -> Float[Tensor, "B V 3"]:
    """Vertices in camera axes, metres."""
    shape = head.neutral + torch.einsum("be,evc->bvc", weights, head.expressions)
    transforms = joint_transforms(head.joints, pose)
    blended = torch.einsum("vj,bjac->bvac", head.skinning, transforms)
    return (blended[..., :3] @ shape[..., None])[..., 0] + blended[..., 3]
