"""Rotations: known answers, an independent implementation, group laws, gradients at every delicate place."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from spark_backend.geometry.rotation import (
    angle_between,
    continuous_quaternions,
    invert_quaternion,
    matrix_from_quaternion,
    matrix_from_vector,
    multiply_quaternions,
    quaternion_from_matrix,
    quaternion_from_vector,
    slerp,
    vector_from_matrix,
    vector_from_quaternion,
)
from spark_backend.protocol import posing

SCIPY_ORDER = [3, 0, 1, 2]  # scipy's quaternions are xyzw


def vectors(count: int = 50, longest: float = math.pi) -> torch.Tensor:
    """Rotation vectors of all lengths up to `longest`, among them very short ones and none at all."""
    direction = torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=-1)
    length = longest * torch.rand(count, 1, dtype=torch.float64)
    length[:6, 0] = torch.tensor([0, 1e-12, 1e-6, 1e-3, 0.0999, 0.1001])
    return direction * length


def test_worked_numbers():
    quarter = torch.tensor([0, 0, math.pi / 2])
    x, y = torch.eye(3)[:2]
    torch.testing.assert_close(matrix_from_vector(quarter) @ x, y)
    half = math.sqrt(0.5)
    torch.testing.assert_close(quaternion_from_vector(quarter), torch.tensor([half, 0, 0, half]))


def test_scipy_agrees():
    v = vectors()
    reference = Rotation.from_rotvec(v.numpy())
    matrices = torch.tensor(reference.as_matrix())
    quaternions = torch.tensor(reference.as_quat(canonical=True)[:, SCIPY_ORDER])
    torch.testing.assert_close(matrix_from_vector(v), matrices, atol=1e-13, rtol=0)
    torch.testing.assert_close(quaternion_from_vector(v), quaternions, atol=1e-13, rtol=0)
    torch.testing.assert_close(matrix_from_quaternion(quaternions), matrices, atol=1e-13, rtol=0)
    torch.testing.assert_close(quaternion_from_matrix(matrices), quaternions, atol=1e-13, rtol=0)
    torch.testing.assert_close(vector_from_quaternion(quaternions), v, atol=1e-12, rtol=0)
    torch.testing.assert_close(vector_from_matrix(matrices), v, atol=1e-12, rtol=0)


def test_the_numpy_twin_agrees():
    a, b = quaternion_from_vector(vectors()), quaternion_from_vector(vectors().flip(0))
    np.testing.assert_allclose(
        multiply_quaternions(a, b).numpy(), posing.multiply_quaternions(a.numpy(), b.numpy()), atol=1e-15
    )
    np.testing.assert_allclose(matrix_from_quaternion(a).numpy(), posing.quaternion_to_matrix(a.numpy()), atol=1e-14)
    for quaternion in a.numpy():
        again = posing.matrix_to_quaternion(posing.quaternion_to_matrix(quaternion))
        assert again.max() == np.abs(again).max()
        np.testing.assert_allclose(again * np.sign(again @ quaternion), quaternion, atol=1e-14)


@settings(deadline=None, max_examples=50)
@given(st.tuples(*[st.floats(-3, 3)] * 3), st.tuples(*[st.floats(-3, 3)] * 3))
def test_products_of_quaternions_and_matrices_agree(first, second):
    a, b = (quaternion_from_vector(torch.tensor(v, dtype=torch.float64)) for v in (first, second))
    product = matrix_from_quaternion(multiply_quaternions(a, b))
    torch.testing.assert_close(product, matrix_from_quaternion(a) @ matrix_from_quaternion(b), atol=1e-12, rtol=0)
    identity = multiply_quaternions(a, invert_quaternion(a))
    torch.testing.assert_close(identity, torch.tensor([1.0, 0, 0, 0], dtype=torch.float64), atol=1e-12, rtol=0)


def test_half_turns_come_back():
    """At pi the vector may come out reversed, the rotation must not change; float32 too."""
    for dtype, tolerance in ((torch.float64, 1e-7), (torch.float32, 1e-3)):
        v = (math.pi * torch.nn.functional.normalize(torch.randn(40, 3, dtype=torch.float64), dim=-1)).to(dtype)
        v[:3] = math.pi * torch.eye(3)
        matrices = matrix_from_vector(v)
        again = matrix_from_vector(vector_from_matrix(matrices))
        torch.testing.assert_close(again, matrices, atol=tolerance, rtol=0)


@pytest.mark.parametrize("length", [0.0, 1e-9, 1e-4, 0.0999, 0.1001, 1.0, 3.0], ids=lambda length: f"{length} rad")
def test_gradients(length):
    """The switch from series to closed form is at 0.1; a turn by nothing has well-defined derivatives."""
    v = length * torch.nn.functional.normalize(torch.randn(2, 3, dtype=torch.float64), dim=-1)
    v.requires_grad_()
    q = quaternion_from_vector(v.detach()).requires_grad_()
    m = matrix_from_vector(v.detach()).requires_grad_()
    for function, start in (
        (matrix_from_vector, v),
        (quaternion_from_vector, v),
        (vector_from_quaternion, q),
        (matrix_from_quaternion, q),
        (quaternion_from_matrix, m),
    ):
        assert torch.autograd.gradcheck(function, (start,)), function.__name__
    assert torch.autograd.gradgradcheck(matrix_from_vector, (v,))


def test_slerp_goes_at_constant_speed_the_short_way():
    a, b = quaternion_from_vector(vectors()), quaternion_from_vector(vectors().flip(0))
    for fraction in (0.0, 0.3, 1.0):
        ours = slerp(a, -b, torch.tensor(fraction, dtype=torch.float64))
        for k in range(len(a)):
            ends = Rotation.from_quat(torch.stack([a[k], b[k]])[:, [1, 2, 3, 0]].numpy())
            theirs = Slerp([0, 1], ends)(fraction).as_matrix()
            np.testing.assert_allclose(matrix_from_quaternion(ours[k]).numpy(), theirs, atol=1e-9)


def test_angle_between():
    a = quaternion_from_vector(vectors())
    turn = torch.linspace(0, math.pi, 50, dtype=torch.float64)
    axis = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=-1)
    b = multiply_quaternions(a, quaternion_from_vector(axis * turn[:, None]))
    torch.testing.assert_close(angle_between(a, b), turn, atol=1e-7, rtol=0)
    torch.testing.assert_close(angle_between(a, -b), turn, atol=1e-7, rtol=0)


def test_continuous_signs():
    time = torch.linspace(0, 4 * math.pi, 200, dtype=torch.float64)
    smooth = torch.stack([torch.cos(time / 2), torch.sin(time / 2), 0 * time, 0 * time], -1)
    flipped = smooth * torch.where(torch.rand(200, 1) < 0.5, -1.0, 1.0)
    flipped[0] = smooth[0]
    torch.testing.assert_close(continuous_quaternions(flipped), smooth)
    torch.testing.assert_close(continuous_quaternions(-flipped), -smooth)
