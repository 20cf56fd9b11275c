"""The heads on the landmark network: alignment to a known head, poses, and what makes a person's file."""

import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar

from spark_backend.encoders.alignment import STEADY, align, inverse
from spark_backend.encoders.generic import generic_weights, readout_from_bytes, readout_to_bytes
from spark_backend.encoders.readout import Glance, Readout, placed
from spark_backend.geometry.rotation import matrix_from_vector, turn_towards
from spark_backend.protocol.errors import SparkError

FACING = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@pytest.fixture
def rest() -> torch.Tensor:
    """Landmarks of a face of 15 cm, curved so that its pose is seen."""
    random = np.random.default_rng(3)
    flat = random.uniform(-0.07, 0.07, (478, 2))
    return torch.as_tensor(np.stack([flat[:, 0], 6 * (flat**2).sum(1), flat[:, 1]], 1)).float()


def seen(rest: torch.Tensor, rotation: torch.Tensor, scale: float, shift: torch.Tensor) -> torch.Tensor:
    """Landmarks in crop pixels by a weak-perspective camera."""
    return scale * (rest @ rotation.mT) + torch.cat([shift, torch.zeros(1)])


def poses(count: int) -> torch.Tensor:
    vectors = 0.4 * torch.randn(count, 3)
    return FACING @ matrix_from_vector(vectors)


def test_alignment_finds_a_known_pose(rest):
    rotation = poses(6)
    landmarks = torch.stack([seen(rest, r, 900.0, torch.tensor([120.0, 131.0])) for r in rotation])
    aligned = align(landmarks, rest)
    torch.testing.assert_close(aligned.rotation, rotation, atol=1e-3, rtol=0)
    torch.testing.assert_close(aligned.scale, torch.full((6,), 900.0), rtol=1e-3, atol=0)
    assert aligned.moved.abs().max() < 1e-5


def test_alignment_leaves_the_expression(rest):
    """A landmark that is not steady and moves across the view is found to have moved so."""
    lip = next(index for index in range(478) if index not in STEADY)
    moved = rest.clone()
    moved[lip] += torch.tensor([0.004, 0.0, -0.006])
    found = align(seen(moved, FACING, 900.0, torch.zeros(2))[None], rest).moved[0]
    torch.testing.assert_close(found[lip], moved[lip] - rest[lip], atol=1e-5, rtol=0)
    others = torch.arange(478) != lip
    assert found[others].abs().max() < 1e-5


def test_placing_for_a_known_rotation(rest):
    rotation = poses(3)
    landmarks = torch.stack([seen(rest, r, 700.0, torch.tensor([90.0, 80.0])) for r in rotation])
    middle, scale = placed(landmarks, rest, rotation)
    torch.testing.assert_close(scale, torch.full((3,), 700.0), rtol=1e-3, atol=0)
    torch.testing.assert_close(middle, landmarks[:, list(STEADY), :2].mean(1), rtol=0, atol=1e-3)


def test_inverse_by_the_adjugate():
    matrix = torch.randn(5, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(inverse(matrix), torch.linalg.inv(matrix))


def test_turn_towards_a_direction():
    direction = torch.randn(7, 3, dtype=torch.float64)
    turn = turn_towards(direction)
    along = turn @ torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(along, torch.nn.functional.normalize(direction, dim=-1))
    axis = turn - turn.mT
    assert axis[:, 0, 1].abs().max() < 1e-9  # no turn about the ray itself


def test_shipped_heads_answer_within_their_ranges(rest):
    readout = readout_from_bytes(generic_weights())
    landmarks = torch.stack([seen(rest, r, 900.0, torch.full((2,), 128.0)) for r in poses(4)])
    glance = Glance(landmarks, torch.full((4,), 0.9), torch.rand(4, 52), torch.randn(4, 256), torch.randn(4, 256))
    parameters = readout(glance, rest, torch.zeros_like(rest))
    for value in (parameters.weights, parameters.confidence):
        assert 0 <= value.min() <= value.max() <= 1
    identity = parameters.rotation @ parameters.rotation.mT
    torch.testing.assert_close(identity, torch.eye(3).expand(4, 3, 3), atol=1e-4, rtol=0)


def test_shipped_heads_are_small():
    assert len(generic_weights()) < 8_000_000


def test_heads_round_trip_in_half_precision():
    readout = Readout()
    again = readout_from_bytes(readout_to_bytes(readout))
    for name, value in readout.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=1e-3, atol=1e-6)


def test_heads_of_another_layout_are_refused():
    from safetensors.torch import save

    with pytest.raises(SparkError, match="spark adapt"):
        readout_from_bytes(save({"enter": torch.zeros(2)}))


def test_landmarks_of_an_avatar_follow_its_vertices():
    """The small head of the landmarks' corners moves as the whole head does."""
    from spark_backend.geometry.landmarks import LandmarkHead
    from spark_backend.geometry.skinning import HeadPose, pose_vertices, rotations_from_weights, skinned_head
    from spark_backend.protocol.names import ARKIT_52

    avatar = toy_avatar()
    weights = torch.rand(3, 52) * 0.5
    still = torch.eye(3).expand(3, 3, 3)
    pose = HeadPose(still, torch.zeros(3, 3), still, **rotations_from_weights(avatar.rig, ARKIT_52, weights))
    points = pose_vertices(skinned_head(avatar), weights, pose)
    corners = points[:, torch.as_tensor(avatar.faces[avatar.landmark_face]).long()]
    expected = (corners * torch.as_tensor(avatar.landmark_bary).float()[..., None]).sum(2)
    torch.testing.assert_close(LandmarkHead(avatar).shaped(weights), expected, atol=1e-6, rtol=0)
