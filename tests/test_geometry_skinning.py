"""Skinning in torch is the twin of the numpy one in the protocol, and differentiable."""

from dataclasses import replace

import numpy as np
import torch
from toy_avatar import toy_avatar, toy_take

from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.geometry.skinning import HeadPose, SkinnedHead, pose_vertices, rotations_from_weights, skinned_head
from spark_backend.protocol import posing
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.take import Take


def pose_of(take: Take) -> HeadPose:
    """A take's rotations as matrices."""
    names = ("head_rotation", "neck", "jaw", "eye_left", "eye_right")
    matrices = {name: torch.tensor(posing.quaternion_to_matrix(getattr(take, name))) for name in names}
    return HeadPose(head_translation=torch.tensor(np.asarray(take.head_translation, float)), **matrices)


def shuffled_joints(avatar: Avatar) -> Avatar:
    """The same head with its joints named in another order."""
    order = [0, 1, 2, 5, 3, 4]
    parents = np.array([-1, 0, 1, 2, 2, 2])
    names = tuple(avatar.joint_names[k] for k in order)
    return replace(
        avatar, joint_names=names, joints=avatar.joints[order], skinning=avatar.skinning[:, order], parents=parents
    )


def test_twin_of_the_protocol():
    avatar, take = toy_avatar(), toy_take()
    weights = torch.tensor(take.weights).double()
    for version in (avatar, shuffled_joints(avatar)):
        expected = np.concatenate(list(posing.pose_vertices(version, take)))
        head = skinned_head(version, torch.float64)
        np.testing.assert_allclose(pose_vertices(head, weights, pose_of(take)).numpy(), expected, atol=2e-7)
    assert np.ptp(expected, axis=0).max() > 0.01


def test_joint_angles_are_the_protocols():
    avatar, take = toy_avatar(), toy_take()
    weights = np.random.default_rng(0).uniform(size=take.weights.shape)
    ours = rotations_from_weights(avatar.rig, take.names, torch.tensor(weights))
    theirs = posing.joints_from_weights(avatar.rig, take.names, weights)
    assert ours.keys() == theirs.keys()
    for name, matrices in ours.items():
        np.testing.assert_allclose(matrices.numpy(), posing.quaternion_to_matrix(theirs[name]), atol=1e-12)


def test_gradients():
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64, requires_grad=True)

    neutral, expressions, joints = random(4, 3), random(2, 4, 3), random(6, 3)
    skinning = torch.softmax(random(4, 6).detach(), -1)
    weights, vectors, translation = random(2, 2), random(5, 2, 3), random(2, 3)

    def posed(neutral, expressions, joints, weights, vectors, translation):
        head, *local = matrix_from_vector(vectors)
        model = SkinnedHead(neutral, expressions, joints, skinning)
        return pose_vertices(model, weights, HeadPose(head, translation, *local))

    inputs = (neutral, expressions, joints, weights, vectors, translation)
    assert torch.autograd.gradcheck(posed, inputs)
