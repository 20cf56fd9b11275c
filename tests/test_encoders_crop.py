"""The landmark network's square: where it is, what is sampled in it, and MediaPipe's own landmarks as a reference."""

import math

import numpy as np
import pytest
import torch
from astronaut import astronaut, bundle, followed
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from spark_backend.encoders.crop import FaceCrop, crop_around, cut_crop, picture_from_crop, to_crop, to_picture
from spark_backend.encoders.mediapipe import crops_from_bytes, load_landmark_network


def square(x: float, y: float, side: float, angle: float = 0.0) -> FaceCrop:
    """A crop."""
    return FaceCrop(np.array([x, y], float), side, angle)


def look(picture: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The network's landmarks in the picture, from the crop around the given ones."""
    crop = crop_around(landmarks)
    with torch.inference_mode():
        reading = load_landmark_network(bundle())(crops_from_bytes(cut_crop(picture, crop, 256)[None]))
    return to_picture(crop, reading.landmarks[0].double().numpy(), 256)


@pytest.mark.parametrize(("eyes", "angle"), [(((140.0, 130), (160, 130)), 0), (((150, 120), (150, 140)), math.pi / 2)])
def test_square_around_landmarks(eyes, angle):
    points = np.tile([150.0, 130, 7], (478, 1))
    points[0, :2], points[1, :2] = (100, 100), (200, 160)
    points[33, :2], points[263, :2] = eyes
    crop = crop_around(points)
    np.testing.assert_allclose(crop.centre, [150, 130])
    assert (crop.side, crop.angle) == (150, angle)


def test_corners_of_a_square():
    crop = square(100, 60, 50)
    corners = np.array([[0.0, 0, 0], [256, 0, 0], [256, 256, 256]])
    np.testing.assert_allclose(to_picture(crop, corners, 256), [[75, 35, 0], [125, 35, 0], [125, 85, 50]])
    np.testing.assert_allclose(picture_from_crop(crop, 50), [[1, 0, 75], [0, 1, 35]])


def test_a_head_tilted_to_the_right_has_its_crop_turned_clockwise():
    crop = square(0, 0, 256, math.pi / 2)
    np.testing.assert_allclose(to_picture(crop, np.array([[256.0, 128]]), 256), [[0, 128]], atol=1e-9)


@given(
    st.floats(-500, 2000), st.floats(-500, 2000), st.floats(20, 900), st.floats(-math.pi, math.pi), st.integers(1, 512)
)
def test_there_and_back(x, y, side, angle, size):
    crop, points = square(x, y, side, angle), np.random.default_rng(0).normal(scale=100, size=(9, 3))
    np.testing.assert_allclose(to_picture(crop, to_crop(crop, points, size), size), points, atol=1e-6)


def test_eyes_are_level_in_the_crop():
    points = followed().landmarks
    inside = to_crop(crop_around(points), points, 256)
    assert abs(inside[33, 1] - inside[263, 1]) < 1e-3
    assert inside[33, 0] < inside[263, 0]


def test_cutting_whole_pixels_copies_them():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(cut_crop(picture, square(12, 9, 8), 8), picture[5:13, 8:16])


@pytest.mark.parametrize("x", [-20, 8, 30])
@pytest.mark.parametrize("y", [-20, 8, 30])
def test_the_border_goes_on_beyond_the_picture(x, y):
    picture = np.random.default_rng(0).integers(0, 256, (10, 10, 3), np.uint8)
    rows, columns = (np.arange(middle - 5, middle + 5).clip(0, 9) for middle in (y, x))
    np.testing.assert_array_equal(cut_crop(picture, square(x, y, 10), 10), picture[np.ix_(rows, columns)])


@pytest.mark.parametrize(("x", "y", "angle"), [(225, 120, 0.0), (225, 120, 0.37), (225, 120, -2.0), (20, 480, 0.2)])
def test_pixels_are_mixed_bilinearly(x, y, angle):
    """Beside scipy's, at the places that `to_picture` gives of the crop's pixels."""
    crop = square(x, y, 163, angle)
    rows, columns = np.mgrid[:256, :256] + 0.5
    places = to_picture(crop, np.stack([columns, rows], -1).reshape(-1, 2), 256) - 0.5
    channels = [
        map_coordinates(astronaut()[..., channel].astype(float), places.T[::-1], order=1, mode="nearest")
        for channel in range(3)
    ]
    difference = np.abs(cut_crop(astronaut(), crop, 256) - np.stack(channels, -1).reshape(256, 256, 3))
    assert difference.max() <= 1.0
    assert difference.mean() < 0.3


@pytest.mark.parametrize("quarter_turns", [0, 1])
def test_followed_landmarks_are_mediapipes(quarter_turns):
    """Crop, network and the way back together, once both have settled; and again after ten rounds of our own."""
    picture, expected = np.ascontiguousarray(np.rot90(astronaut(), quarter_turns)), followed(quarter_turns).landmarks
    landmarks = expected
    for rounds in (1, 9):
        for _ in range(rounds):
            landmarks = look(picture, landmarks)
        distance = np.linalg.norm(landmarks[:, :2] - expected[:, :2], axis=1)
        assert distance.mean() < 0.02, "pixels, of a face of 108"
        assert distance.max() < 0.06
        assert np.abs(landmarks[:, 2] - expected[:, 2]).max() < 0.1


def test_a_badly_placed_crop_finds_its_way():
    expected = followed().landmarks
    landmarks = (expected - expected.mean(axis=0)) * 1.3 + expected.mean(axis=0) + np.array([9, -7, 0])
    for _ in range(10):
        landmarks = look(astronaut(), landmarks)
    assert np.linalg.norm(landmarks[:, :2] - expected[:, :2], axis=1).mean() < 0.05
