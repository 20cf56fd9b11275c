"""The perceptual distance: nothing for equal pictures, more for a larger difference, and a gradient that helps."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
import torch
from astronaut import astronaut, bundle, followed

from spark_backend.encoders.crop import crop_around, cut_crop
from spark_backend.encoders.mediapipe import crops_from_bytes
from spark_backend.encoders.perceptual import DEPTHS, PerceptualFeatures, perceptual_distance


@pytest.fixture(scope="module")
def features() -> PerceptualFeatures:
    return PerceptualFeatures(bundle())


@pytest.fixture(scope="module")
def crop() -> np.ndarray:
    """The astronaut's face, float32 in [0, 1]."""
    around = crop_around(followed().landmarks)
    return crops_from_bytes(cut_crop(astronaut(), around, 256)[None])[0].numpy()


def distances(features: PerceptualFeatures, crop: np.ndarray, others: list[np.ndarray]) -> list[float]:
    """From one crop to each of the others."""
    with torch.inference_mode():
        own = features(torch.from_numpy(crop)[None])
        return [perceptual_distance(own, features(torch.from_numpy(other)[None])).item() for other in others]


def test_depths_and_unit_length(features, crop):
    maps = features(torch.from_numpy(crop)[None])
    shapes = {name: tuple(value.shape) for name, value in maps.items()}
    assert shapes == dict(zip(DEPTHS, [(1, 64, 64, 32), (1, 32, 32, 64), (1, 16, 16, 128)], strict=True))
    for value in maps.values():
        torch.testing.assert_close(value.norm(dim=-1), torch.ones(value.shape[:-1]))


def test_equal_pictures_have_no_distance(features, crop):
    assert distances(features, crop, [crop]) == [0]


def test_features_at_right_angles_are_two_apart():
    one, other = torch.zeros(2, 4, 4, 3), torch.zeros(2, 4, 4, 3)
    one[..., 0], other[0, ..., 1], other[1, ..., 0] = 1, 1, 1
    torch.testing.assert_close(
        perceptual_distance({"a": one, "b": one}, {"a": other, "b": other}), torch.tensor([2.0, 0])
    )


def test_it_grows_with_blur_and_shift(features, crop):
    blurred = [cv2.GaussianBlur(crop, (0, 0), sigma) for sigma in (0.5, 1, 2, 4)]
    shifted = [np.roll(crop, pixels, axis=1) for pixels in (1, 2, 4, 8, 16)]
    for others in (blurred, shifted):
        found = distances(features, crop, others)
        assert found[0] > 1e-4
        assert all(b > 1.5 * a for a, b in pairwise(found)), found


def test_exposure_counts_less_than_structure(features, crop):
    darker, blurred = crop * 0.9, cv2.GaussianBlur(crop, (0, 0), 1)
    assert np.square(crop - darker).mean() > np.square(crop - blurred).mean()
    by_exposure, by_blur = distances(features, crop, [darker, blurred])
    assert by_exposure < by_blur / 10


def test_its_gradient_brings_a_blurred_picture_closer(features, crop):
    target = features(torch.from_numpy(crop)[None])
    picture = torch.from_numpy(cv2.GaussianBlur(crop, (0, 0), 2))[None].requires_grad_()
    distance = perceptual_distance(target, features(picture)).sum()
    distance.backward()
    assert picture.grad.isfinite().all()
    assert not any(weight.requires_grad for weight in features.parameters())
    with torch.inference_mode():
        better = picture - 0.5 * picture.grad / picture.grad.norm()
        assert perceptual_distance(target, features(better)).item() < 0.97 * distance.item()


def test_black_and_white_give_finite_gradients(features):
    for value in (0.0, 1.0):
        flat = torch.full((1, 256, 256, 3), value, requires_grad=True)
        sum(feature.sum() for feature in features(flat).values()).backward()
        assert flat.grad.isfinite().all()
