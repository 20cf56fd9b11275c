"""The landmark network's square: where it is, what is sampled in it, and MediaPipe's own landmarks as a reference."""

import math

import numpy as np
import pytest
import torch
from astronaut import astronaut, bundle, followed
from hypothesis import given
from hypothesis import strategies as st

from spark_backend.encoders.crop import (
    FaceCrop,
    crop_around,
    cut_crop,
    picture_from_crop,
    sample_crop,
    to_crop,
    to_picture,
)
from spark_backend.encoders.mediapipe import crops_from_bytes, load_landmark_network


def square(x: float, y: float, side: float, angle: float = 0.0, dtype: torch.dtype = torch.float64) -> FaceCrop:
    """One crop."""
    return FaceCrop(*(torch.tensor(value, dtype=dtype) for value in ([[x, y]], [side], [angle])))


def as_batch(landmarks: np.ndarray) -> torch.Tensor:
    """One face's points as float32."""
    return torch.from_numpy(landmarks).float()[None]


def look(picture: np.ndarray, landmarks: torch.Tensor) -> torch.Tensor:
    """The network's landmarks in the picture, from the crop around the given ones."""
    crop = crop_around(landmarks)
    with torch.inference_mode():
        reading = load_landmark_network(bundle())(crops_from_bytes(cut_crop(picture, crop, 256)[None]))
    return to_picture(crop, reading.landmarks, 256)


def test_square_around_landmarks():
    points = torch.zeros(2, 478, 3)
    points[:] = torch.tensor([150.0, 130, 7])
    points[:, 0, :2], points[:, 1, :2] = torch.tensor([100.0, 100]), torch.tensor([200.0, 160])
    points[1, 33, :2], points[1, 263, :2] = torch.tensor([150.0, 120]), torch.tensor([150.0, 140])
    points[0, 33, :2], points[0, 263, :2] = torch.tensor([140.0, 130]), torch.tensor([160.0, 130])
    crop = crop_around(points)
    torch.testing.assert_close(crop.centre, torch.tensor([[150.0, 130], [150, 130]]))
    torch.testing.assert_close(crop.side, torch.tensor([150.0, 150]))
    torch.testing.assert_close(crop.angle, torch.tensor([0, math.pi / 2]))


def test_corners_of_a_square():
    crop = square(100, 60, 50)
    corners = torch.tensor([[[0.0, 0, 0], [256, 0, 0], [256, 256, 256]]], dtype=torch.float64)
    expected = torch.tensor([[[75.0, 35, 0], [125, 35, 0], [125, 85, 50]]], dtype=torch.float64)
    torch.testing.assert_close(to_picture(crop, corners, 256), expected)
    torch.testing.assert_close(picture_from_crop(crop, 50)[0], torch.tensor([[1.0, 0, 75], [0, 1, 35]]).double())


def test_a_head_tilted_to_the_right_has_its_crop_turned_clockwise():
    crop = square(0, 0, 256, math.pi / 2)
    right_in_crop = torch.tensor([[[256.0, 128]]], dtype=torch.float64)
    down = torch.tensor([[[0.0, 128]]], dtype=torch.float64)
    torch.testing.assert_close(to_picture(crop, right_in_crop, 256), down)


@given(
    st.floats(-500, 2000), st.floats(-500, 2000), st.floats(20, 900), st.floats(-math.pi, math.pi), st.integers(1, 512)
)
def test_there_and_back(x, y, side, angle, size):
    crop, points = square(x, y, side, angle), torch.randn(1, 9, 3, dtype=torch.float64) * 100
    torch.testing.assert_close(to_picture(crop, to_crop(crop, points, size), size), points, atol=1e-6, rtol=0)


def test_eyes_are_level_in_the_crop():
    points = as_batch(followed().landmarks)
    inside = to_crop(crop_around(points), points, 256)
    assert abs(inside[0, 33, 1] - inside[0, 263, 1]) < 1e-3
    assert inside[0, 33, 0] < inside[0, 263, 0]


def test_sampling_whole_pixels_copies_them():
    picture = torch.rand(1, 20, 30, 3, dtype=torch.float64)
    torch.testing.assert_close(sample_crop(picture, square(12, 9, 8), 8), picture[:, 5:13, 8:16])


def test_sampling_a_ramp_tells_each_pixels_place():
    y, x = torch.meshgrid(torch.arange(90.0) + 0.5, torch.arange(120.0) + 0.5, indexing="ij")
    ramp = torch.stack([x, y], -1)[None].double()
    crop = square(60, 45, 50, 0.3)
    centres = torch.arange(16, dtype=torch.float64) + 0.5
    rows, columns = torch.meshgrid(centres, centres, indexing="ij")
    places = to_picture(crop, torch.stack([columns, rows], -1).reshape(1, -1, 2), 16).reshape(1, 16, 16, 2)
    torch.testing.assert_close(sample_crop(ramp, crop, 16), places)


def test_the_border_goes_on_beyond_the_picture():
    picture = torch.rand(1, 10, 10, 3, dtype=torch.float64)
    outside = sample_crop(picture, square(-20, 5, 10), 10)
    torch.testing.assert_close(outside, picture[:, :, :1].expand(-1, -1, 10, -1))


def test_each_of_a_batch_has_its_own_picture_and_square():
    pictures = torch.rand(2, 12, 12, 3, dtype=torch.float64)
    centres, sides = torch.tensor([[4.0, 4], [8, 6]]).double(), torch.full((2,), 4.0).double()
    crops = FaceCrop(centres, sides, torch.zeros(2).double())
    both = sample_crop(pictures, crops, 4)
    torch.testing.assert_close(both[0], pictures[0, 2:6, 2:6])
    torch.testing.assert_close(both[1], pictures[1, 4:8, 6:10])


def test_gradients_of_sampling():
    picture = torch.rand(1, 9, 9, 2, dtype=torch.float64, requires_grad=True)
    crop = [torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([[4.3, 4.6]], [5.2], [0.4])]
    assert torch.autograd.gradcheck(lambda p, *parts: sample_crop(p, FaceCrop(*parts), 4), (picture, *crop))


@pytest.mark.parametrize(("x", "y", "angle"), [(225, 120, 0.0), (225, 120, 0.37), (225, 120, -2.0), (20, 480, 0.2)])
def test_the_fast_path_gives_the_same_bytes(x, y, angle):
    crop = square(x, y, 163, angle, torch.float32)
    exact = sample_crop(torch.from_numpy(astronaut()).float()[None], crop, 256)[0].numpy()
    difference = np.abs(cut_crop(astronaut(), crop, 256) - exact)
    assert difference.max() <= 1.0
    assert difference.mean() < 0.3


@pytest.mark.parametrize("quarter_turns", [0, 1])
def test_followed_landmarks_are_mediapipes(quarter_turns):
    """Crop, network and the way back together, once both have settled; and again after ten rounds of our own."""
    picture, expected = np.ascontiguousarray(np.rot90(astronaut(), quarter_turns)), followed(quarter_turns).landmarks
    landmarks = as_batch(expected)
    for rounds in (1, 9):
        for _ in range(rounds):
            landmarks = look(picture, landmarks)
        distance = np.linalg.norm(landmarks[0, :, :2].numpy() - expected[:, :2], axis=1)
        assert distance.mean() < 0.02, "pixels, of a face of 108"
        assert distance.max() < 0.06
        assert np.abs(landmarks[0, :, 2].numpy() - expected[:, 2]).max() < 0.1


def test_a_badly_placed_crop_finds_its_way():
    expected = followed().landmarks
    landmarks = as_batch((expected - expected.mean(axis=0)) * 1.3 + expected.mean(axis=0) + np.array([9, -7, 0]))
    for _ in range(10):
        landmarks = look(astronaut(), landmarks)
    assert np.linalg.norm(landmarks[0, :, :2].numpy() - expected[:, :2], axis=1).mean() < 0.05
