"""The camera's conventions, and that projection and clip space agree."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_backend.geometry.camera import Camera, camera_matrix, clip_from_camera, clip_points, project, unproject

pixels = st.floats(50, 5000)


@settings(deadline=None, max_examples=60)
@given(
    fx=pixels,
    fy=pixels,
    skew=st.floats(-5, 5),
    cx=st.floats(-300, 2000),
    cy=st.floats(-300, 2000),
    width=st.integers(1, 4096),
    height=st.integers(1, 4096),
    seed=st.integers(0, 1000),
)
def test_clip_space_and_projection_agree(fx, fy, skew, cx, cy, width, height, seed):
    """Pixel = ((x, y) / w + 1) / 2 * size: (-1, -1) is the top-left corner of the top-left pixel."""
    generator = torch.Generator().manual_seed(seed)
    K = torch.tensor([[fx, skew, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)
    points = torch.randn(5, 3, generator=generator, dtype=torch.float64) + torch.tensor([0, 0, 5.0])
    points[:, 2].clamp_(min=0.05)
    clip = clip_points(points, K, (width, height), near=0.02, far=50.0)
    size = torch.tensor([width, height], dtype=torch.float64)
    torch.testing.assert_close((clip[:, :2] / clip[:, 3:] + 1) / 2 * size, project(points, K), rtol=1e-9, atol=1e-6)
    torch.testing.assert_close(clip[:, 3], points[:, 2])
    homogeneous = torch.cat([points, torch.ones(5, 1)], 1).double()
    torch.testing.assert_close(homogeneous @ clip_from_camera(K, (width, height), 0.02, 50.0).T, clip)


def test_near_and_far_planes():
    clip = clip_points(torch.tensor([[0.0, 0, 0.1], [0, 0, 10.0]]), camera_matrix(1.0, (2, 2)), (2, 2), 0.1, 10.0)
    torch.testing.assert_close(clip[:, 2] / clip[:, 3], torch.tensor([-1.0, 1.0]))


def test_worked_numbers():
    """As in docs/conventions.md: 10 cm to the right, 5 cm down, half a metre away; and what lies behind is NaN."""
    camera = Camera(camera_matrix(1000.0, (640, 480)), (640, 480))
    points = torch.tensor([[0.0, 0, 2], [0.1, 0.05, 0.5], [0.1, 0.05, -0.5], [1, 1, 0]])
    seen = camera.project(points)
    torch.testing.assert_close(seen[:2], torch.tensor([[320.0, 240], [520, 340]]))
    assert seen[2:].isnan().all()
    torch.testing.assert_close(camera.clip(points)[1, [0, 1, 3]], torch.tensor([0.3125, 0.5 * 100 / 240, 0.5]))


def test_batches_have_their_own_cameras():
    K = camera_matrix(torch.tensor([100.0, 200.0]), (10, 20))
    points = torch.randn(2, 7, 3) + torch.tensor([0, 0, 4.0])
    each = torch.stack([project(points[k], K[k]) for k in range(2)])
    torch.testing.assert_close(project(points, K), each)
    torch.testing.assert_close(project(points, K[0])[0], each[0])


def test_gradient_is_right_in_front_and_zero_behind():
    points = torch.tensor([[0.1, 0.2, 0.5], [0.3, 0.1, -0.5], [0, 0, 0]], dtype=torch.float64, requires_grad=True)
    K = camera_matrix(torch.tensor(300.0, dtype=torch.float64), (64, 64))
    front = points.detach()[:1].requires_grad_()
    assert torch.autograd.gradcheck(lambda p: project(p, K), (front,))
    project(points, K)[:1].sum().backward()
    assert torch.isfinite(points.grad).all()
    assert (points.grad[1:] == 0).all()


@pytest.mark.parametrize("skew", [0.0, 3.0])
def test_unproject_goes_back(skew):
    K = camera_matrix(torch.tensor(700.0, dtype=torch.float64), (640, 480))
    K[0, 1] = skew
    points = torch.randn(9, 3, dtype=torch.float64) + torch.tensor([0, 0, 5.0])
    torch.testing.assert_close(unproject(project(points, K), points[:, 2], K), points)
