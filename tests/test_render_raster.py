"""The differentiable steps that follow every rasteriser, with the default one."""

import pytest
import torch
from oracle_raster import SIZE, flat_clip, soup, sphere
from torch import Tensor

from spark_backend.geometry.camera import camera_matrix, clip_points
from spark_backend.geometry.mesh import adjacent_faces
from spark_backend.render.antialias import Exchange, antialias
from spark_backend.render.attributes import Samples, sample_attributes, sample_barycentrics
from spark_backend.render.rasterizer import Fragments, differentiable_barycentrics, interpolate
from spark_backend.render.warp import WarpRasterizer


def test_a_batch_is_its_pictures_and_repeats_exactly():
    clip, faces = soup(200, batch=3)
    together = WarpRasterizer().rasterize(clip, faces, SIZE)
    again = WarpRasterizer().rasterize(clip, faces, SIZE)
    for k in range(3):
        alone = WarpRasterizer().rasterize(clip[k : k + 1], faces, SIZE)
        assert torch.equal(together.face[k : k + 1], alone.face)
        assert torch.equal(together.bary[k : k + 1], alone.bary)
    assert torch.equal(together.face, again.face)
    assert torch.equal(together.depth, again.depth)


def test_shared_barycentrics_have_the_rasterisers_values():
    clip, faces = soup(40)
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    bary = differentiable_barycentrics(clip, faces, fragments)
    torch.testing.assert_close(bary, fragments.bary, atol=1e-5, rtol=0)


def test_gradients_of_barycentrics_and_attributes():
    """In float64 against finite differences, in front of the camera and with corners behind it."""
    clip, faces = soup(6, batch=2, behind=True)
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    pixel, samples = fragments.samples
    some = torch.randperm(len(pixel))[:12]
    samples = Samples(samples.face[some], samples.image[some])
    centres = torch.rand(12, 2, dtype=torch.float64) - 0.5
    clip = clip.double().requires_grad_()
    attributes = torch.randn(2, clip.shape[1], 2, dtype=torch.float64, requires_grad=True)

    def value(clip: Tensor, attributes: Tensor) -> Tensor:
        bary = sample_barycentrics(clip, faces, samples, centres)
        return sample_attributes(attributes, faces, samples, bary / 10)

    assert torch.autograd.gradcheck(value, (clip, attributes))


@pytest.mark.parametrize("tables", [1, 2])
def test_kernels_are_twins_of_torch(tables: int):
    clip, faces = soup(40, batch=2)
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    attributes = torch.randn(tables, clip.shape[1], 5)
    weight = torch.randn(2, SIZE[1], SIZE[0], 5)

    def value_and_gradients(dtype: torch.dtype) -> list[Tensor]:
        leaf, table = (x.detach().to(dtype, copy=True).requires_grad_() for x in (clip, attributes))
        result = interpolate(table, faces, fragments, differentiable_barycentrics(leaf, faces, fragments))
        (result * weight).sum().backward()
        return [result.detach(), leaf.grad, table.grad]

    kernel, reference = value_and_gradients(torch.float32), value_and_gradients(torch.float64)
    for ours, theirs in zip(kernel, reference, strict=True):
        scale = theirs.abs().max().item()
        torch.testing.assert_close(ours.double(), theirs, atol=2e-4 * scale, rtol=2e-3)


def test_interpolation_needs_no_gradient_and_takes_other_faces():
    clip, faces = flat_clip([(0, 0), (64, 0), (0, 32)]), torch.tensor([[0, 1, 2]])
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    uv = torch.tensor([[[9.0, 9.0], [0, 1], [1, 1], [0, 0]]])
    picture = interpolate(uv, torch.tensor([[1, 2, 3]]), fragments)
    torch.testing.assert_close(picture[0, 7, 10], torch.tensor([10.5 / 64, 1 - 7.5 / 32]))
    assert not picture.requires_grad


def antialiased_coverage(clip: Tensor, faces: Tensor, size: tuple[int, int]) -> tuple[Tensor, Fragments]:
    fragments = WarpRasterizer().rasterize(clip, faces, size)
    return antialias(fragments.mask[..., None].to(clip.dtype), clip, faces, fragments), fragments


@pytest.mark.parametrize("left", [5.0, 5.2, 5.5, 5.7, 6.0])
def test_antialiased_edge_is_exact(left: float):
    """A rectangle with upright edges: coverage of a row is its width, and moves with its edges one for one."""
    right, faces = 30.4, torch.tensor([[0, 1, 2], [0, 2, 3]])
    clip = flat_clip([(left, -5), (right, -5), (right, 40), (left, 40)]).requires_grad_()
    coverage, _ = antialiased_coverage(clip, faces, SIZE)
    torch.testing.assert_close(coverage.sum((0, 2, 3)), torch.full((32,), right - left), atol=1e-4, rtol=0)
    coverage[0, 14].sum().backward()
    # One pixel is 2 / 64 of clip space; the edge's two ends share the row's centre at 14.5 of -5..40.
    share = torch.tensor([1 - 19.5 / 45, 19.5 / 45])
    expected = 32 * torch.stack([-share[0], share[0], share[1], -share[1]])
    torch.testing.assert_close(clip.grad[0, :, 0], expected, atol=1e-3, rtol=0)


def test_antialiased_sphere_has_the_right_area_and_slopes():
    """Coverage against 16 x 16 samples a pixel, and its gradients against how a silhouette really moves."""
    size = (96, 96)
    points, faces = sphere(3)
    K = camera_matrix(180.0, size)
    fine = WarpRasterizer().rasterize(clip_points(points, K, size), faces, (96 * 16, 96 * 16)).mask.float()
    truth = torch.nn.functional.avg_pool2d(fine[:, None], 16)[:, 0]
    scale, shift = torch.ones((), requires_grad=True), torch.zeros(3, requires_grad=True)
    centre = points.mean(1, keepdim=True)
    moved = centre + (points - centre) * scale + shift
    coverage, fragments = antialiased_coverage(clip_points(moved, K, size), faces, size)
    hard, soft = (
        (picture - truth).abs().mean().item() for picture in (fragments.mask.float(), coverage.detach()[..., 0])
    )
    assert soft < 0.25 * hard
    area = coverage.sum()
    assert abs(area.item() / truth.sum().item() - 1) < 2e-3
    ramp = (torch.arange(96) - 47.5)[None, None, :, None]
    by_scale, by_shift = torch.autograd.grad(area, (scale, shift), retain_graph=True)
    # A sphere of angular radius a covers tan(a)^2; its sine is the radius over the distance.
    assert by_scale.item() == pytest.approx(2 * area.item() / (1 - 0.2**2), rel=0.02)
    assert by_shift[:2].abs().max() < 0.05 * abs(by_shift[2].item())
    # The centre of mass in pixels moves by focal / distance, for points on the rim as they are nearer.
    (moment,) = torch.autograd.grad((coverage * ramp).sum(), shift)
    assert moment[0].item() == pytest.approx(area.item() * 180 / 0.5 / (1 - 0.2**2), rel=0.02)


def test_antialias_leaves_inner_edges_alone():
    """Where two triangles of one smooth surface meet, colours do not mix."""
    points, faces = sphere(2)
    clip = clip_points(points, camera_matrix(60.0, SIZE), SIZE)
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    colour = fragments.face[..., None].float()
    changed = (antialias(colour, clip, faces, fragments) != colour)[..., 0]
    mask = fragments.mask[0]
    padded = torch.nn.functional.pad(mask.float()[None, None], (1, 1, 1, 1), mode="replicate")
    near_background = torch.nn.functional.max_pool2d(-padded, 3, 1)[0, 0] > -1
    near_surface = torch.nn.functional.max_pool2d(padded, 3, 1)[0, 0] > 0
    assert changed.any()
    assert not changed[0][~(near_background & near_surface)].any()


def test_antialias_gradient_against_differences():
    """In float64, visibility held fixed: the blend is a smooth function of clip positions and colours."""
    points, faces = sphere(1)
    clip = clip_points(points, camera_matrix(70.0, SIZE), SIZE)
    fragments = WarpRasterizer().rasterize(clip, faces, SIZE)
    colour = torch.rand(1, SIZE[1], SIZE[0], 1, dtype=torch.float64, requires_grad=True)
    clip, adjacent = clip.double().requires_grad_(), adjacent_faces(faces)
    direction = torch.randn_like(clip) * torch.tensor([1, 1, 0, 0])
    weight = torch.rand(1, SIZE[1], SIZE[0], 1, dtype=torch.float64)

    def value(amount: float) -> Tensor:
        return (antialias(colour, clip + amount * direction, faces, fragments, adjacent) * weight).sum()

    slope = (torch.autograd.grad(value(0.0), clip)[0] * direction).sum().item()
    difference = (value(1e-7) - value(-1e-7)).item() / 2e-7
    assert slope == pytest.approx(difference, rel=1e-4)
    assert abs(slope) > 1e-2


def test_gradient_of_the_antialiased_colours():
    """In float64 against differences: every pixel's colour, and the share that its neighbour gets of it."""
    generator = torch.Generator().manual_seed(0)
    colour = torch.rand(12, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    share = (torch.rand(8, generator=generator, dtype=torch.float64) - 0.5).requires_grad_()
    near, far = torch.tensor([0, 1, 2, 2, 5, 6, 7, 7]), torch.tensor([1, 2, 3, 6, 6, 7, 3, 11])
    changed = torch.tensor([0, 2, 2, 6, 5, 7, 3, 7])
    assert torch.autograd.gradcheck(Exchange.apply, (colour, share, changed, near, far))
