"""A light of known lamps is found again as lamps."""

import numpy as np
import pytest
import torch

from spark_backend.pipeline.light import NORMALS, key_direction, sphere, three_lamps
from spark_backend.render.shading import Light, distant_light, irradiance

FACING = (-0.7, -0.4, -0.6)


def lit_by(lamps: list, ambient: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """(N, 3) what a white matt surface reflects."""
    sums = [np.outer((normals @ lamp["towards"]).clip(min=0), lamp["colour"]) for lamp in lamps]
    return ambient + sum(sums)


def in_front() -> np.ndarray:
    """Normals that the camera sees."""
    normals = sphere(NORMALS)
    return normals[normals[:, 2] < 0]


def test_one_lamp_is_the_key() -> None:
    found = distant_light(FACING, (0.9, 0.8, 0.6), (0.2, 0.2, 0.25))
    lamps, ambient = three_lamps(found)
    key, _, fill = lamps
    assert [lamp["name"] for lamp in lamps] == ["Key", "Rim", "Fill"]
    assert np.dot(key["towards"], FACING) / np.linalg.norm(FACING) > 0.99
    np.testing.assert_allclose(key["colour"], (0.9, 0.8, 0.6), rtol=0.2)
    np.testing.assert_allclose(ambient, (0.2, 0.2, 0.25), atol=0.08)
    assert max(fill["colour"]) < 0.2 * max(key["colour"])
    assert fill["towards"][0] > 0  # on the other side, at the height of the eyes
    assert fill["towards"][1] == 0


def test_the_lamps_light_as_the_estimate_does() -> None:
    """Two lamps from both sides: the picture of a white sphere stays within a few percent."""
    left = distant_light(FACING, (0.9, 0.8, 0.6), (0.1, 0.1, 0.1))
    right = distant_light((0.8, -0.1, -0.5), (0.2, 0.3, 0.5), (0.1, 0.1, 0.1))
    both = Light(left.harmonics + right.harmonics, left.direction, left.strength)
    lamps, ambient = three_lamps(both)
    normals = in_front()
    truth = irradiance(torch.as_tensor(normals).float(), both).numpy()
    assert np.abs(lit_by(lamps, ambient, normals) - truth).mean() < 0.08 * truth.mean()
    assert lamps[2]["colour"][2] > lamps[2]["colour"][0]  # the fill is blue


@pytest.mark.parametrize("towards", [(0.0, 0.0, -1.0), (0.0, 0.0, 1.0), (0.9, 0.2, 0.4)])
def test_the_key_is_never_in_the_camera_or_behind_the_head(towards: tuple[float, float, float]) -> None:
    direction = key_direction(distant_light(towards, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0)))
    assert np.linalg.norm(direction) == pytest.approx(1)
    assert direction[2] < 0
    assert abs(direction[0]) > 0.2


def test_no_lamp_takes_light_away() -> None:
    dark = distant_light((0.0, -1.0, 0.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    lamps, ambient = three_lamps(dark)
    assert min(min(lamp["colour"]) for lamp in lamps) >= 0
    assert ambient.min() >= 0
