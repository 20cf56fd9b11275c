"""The 478 landmarks of an avatar, posed like its vertices but without the rest of the head."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from .skinning import HeadPose, SkinnedHead, pose_vertices, rotations_from_weights, skinned_head

LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
"""Upper and lower landmarks of the gap between the lips."""
LIDS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373))
"""The same between the lids of the right and of the left eye."""
BELOW_EYES = 0.03
"""Metres from the eyes down to the face's middle."""


class LandmarkHead:
    """The corners of the landmarks' triangles as a small head of its own."""

    def __init__(self, avatar: Avatar) -> None:
        whole = skinned_head(avatar)
        corners = torch.as_tensor(avatar.faces[avatar.landmark_face]).long().flatten()
        expressions = whole.expressions[[avatar.expression_names.index(name) for name in ARKIT_52]]
        self.rig = avatar.rig
        self.head = SkinnedHead(whole.neutral[corners], expressions[:, corners], whole.joints, whole.skinning[corners])
        self.bary = torch.as_tensor(avatar.landmark_bary).float()
        a, b, c = self.head.neutral.unflatten(0, (478, 3)).unbind(1)
        self.normals = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
        eyes = [avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")]
        self.interocular = float(((eyes[0] - eyes[1]) ** 2).sum() ** 0.5)
        self.middle = face_middle(avatar)

    @property
    def rest(self) -> Float[Tensor, "478 3"]:
        """The landmarks of the neutral face, metres in the avatar's axes."""
        return self.of_corners(self.head.neutral)

    def of_corners(self, corners: Float[Tensor, "*batch 1434 3"]) -> Float[Tensor, "*batch 478 3"]:
        """Landmarks from the corners of their triangles."""
        return (corners.unflatten(-2, (478, 3)) * self.bary[..., None]).sum(-2)

    def shaped(self, weights: Float[Tensor, "B 52"]) -> Float[Tensor, "B 478 3"]:
        """The landmarks of expressions in the skull's frame."""
        count = len(weights)
        still = torch.eye(3).expand(count, 3, 3)
        joints = rotations_from_weights(self.rig, ARKIT_52, weights)
        pose = HeadPose(still, torch.zeros(count, 3), still, **joints)
        return self.of_corners(pose_vertices(self.head, weights, pose))


def face_middle(avatar: Avatar) -> Float[Tensor, "3"]:
    """Between eyes and chin, metres in the avatar's axes: the point to which the ray to a face goes."""
    eyes = [avatar.joints[avatar.joint_names.index(name)] for name in ("eye_left", "eye_right")]
    return torch.as_tensor(sum(eyes) / len(eyes) - [0, 0, BELOW_EYES]).float()
