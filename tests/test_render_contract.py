"""The contract of every rasteriser: the default one, those of other libraries where these are installed, the oracle."""

import math
import sys

import numpy as np
import pytest
import torch
from oracle_raster import SIZE, OracleRasterizer, flat_clip, soup, sphere
from torch import Tensor

from spark_backend.geometry.camera import camera_matrix, clip_points
from spark_backend.protocol.errors import SparkError
from spark_backend.render.antialias import antialias
from spark_backend.render.choice import RASTERIZERS, rasterizer_by_name
from spark_backend.render.nvdiffrast import unpack
from spark_backend.render.rasterizer import Fragments, Rasterizer, differentiable_barycentrics, interpolate
from spark_backend.render.warp import WarpRasterizer

ANY = pytest.mark.parametrize("rasterizer", [*RASTERIZERS, "oracle"], indirect=True)


class OnGpu:
    """A rasteriser that only draws on a GPU, asked from the CPU."""

    def __init__(self, inner: Rasterizer):
        self.inner = inner

    def rasterize(self, clip: Tensor, faces: Tensor, size: tuple[int, int]) -> Fragments:
        fragments = self.inner.rasterize(clip.cuda(), faces.cuda(), size)
        return Fragments(fragments.face.cpu(), fragments.bary.cpu(), fragments.depth.cpu())


@pytest.fixture
def rasterizer(request: pytest.FixtureRequest) -> Rasterizer:
    """By name; skips what is not installed, and nvdiffrast without a GPU."""
    if request.param == "oracle":
        return OracleRasterizer()
    try:
        found = rasterizer_by_name(request.param)
    except SparkError as error:
        pytest.skip(str(error))
    if request.param != "nvdiffrast":
        return found
    if not torch.cuda.is_available():
        pytest.skip("nvdiffrast draws on NVIDIA GPUs only, and there is none")
    return OnGpu(found)


@ANY
def test_one_triangle(rasterizer: Rasterizer):
    """Corners at pixels (4, 4), (12, 4), (4, 12): rows shrink from 8 pixels to 1; the hypotenuse is not a left edge."""
    fragments = rasterizer.rasterize(flat_clip([(4, 4), (12, 4), (4, 12)]), torch.tensor([[0, 1, 2]]), SIZE)
    assert fragments.face.dtype == torch.int32
    assert fragments.mask[0].sum(1).tolist() == [0] * 4 + [7, 6, 5, 4, 3, 2, 1, 0] + [0] * 20
    assert fragments.mask[0, 4, :12].tolist() == [False] * 4 + [True] * 7 + [False]
    torch.testing.assert_close(fragments.bary[0, 4, 5], torch.tensor([1 - 2 / 8, 1.5 / 8, 0.5 / 8]))
    assert (fragments.bary[~fragments.mask] == 0).all()
    assert (fragments.depth[~fragments.mask] == 1).all()


@ANY
@pytest.mark.parametrize("behind", [False, True], ids=["in front", "through the near plane"])
def test_agrees_with_the_oracle_away_from_edges(rasterizer: Rasterizer, behind: bool):
    clip, faces = soup(30, behind=behind)
    fragments = rasterizer.rasterize(clip, faces, SIZE)
    step = 1 / 64
    seen = [OracleRasterizer((dx, dy)).rasterize(clip, faces, SIZE) for dx in (-step, step) for dy in (-step, step)]
    sure = torch.stack([(other.face == seen[0].face) for other in seen]).all(0)
    assert sure.float().mean() > 0.9
    assert 0.4 < (seen[0].face >= 0).float().mean() < 0.99
    assert torch.equal(fragments.face[sure], seen[0].face[sure])
    centre = OracleRasterizer().rasterize(clip, faces, SIZE)
    torch.testing.assert_close(fragments.bary[sure], centre.bary[sure], atol=1e-4, rtol=0)
    torch.testing.assert_close(fragments.depth[sure], centre.depth[sure], atol=1e-5, rtol=0)


@ANY
@pytest.mark.parametrize("seed", range(4))
def test_a_fan_draws_every_pixel_once(rasterizer: Rasterizer, seed: int):
    """The hub on a pixel's centre, spokes along its row, its column and at other angles: many centres lie on edges."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(4, 60) + 0.5, generator.integers(4, 28) + 0.5
    rim = [(0, 0), (x, 0), (64, 0), (64, y), (64, 32), (x, 32), (0, 32), (0, y)]
    clip = flat_clip([*rim, (x, y)])
    turn = generator.integers(0, 2, len(rim))
    faces = [(i, (i + 1) % 8, 8) if turn[i] else (8, (i + 1) % 8, i) for i in range(8)]
    count = sum(rasterizer.rasterize(clip, torch.tensor([face]), SIZE).mask.int() for face in faces)
    assert (count == 1).all()


def layers(depths: list[float]) -> tuple[Tensor, Tensor]:
    """A square over the whole picture at each depth: clip positions, and two faces each."""
    square = [(0, 0), (64, 0), (64, 32), (0, 32)]
    clip = torch.cat([flat_clip(square, depth=z) for z in depths], 1)
    return clip, torch.cat([torch.tensor([[0, 1, 2], [0, 2, 3]]) + 4 * layer for layer in range(len(depths))])


@ANY
def test_the_nearest_between_the_planes_wins(rasterizer: Rasterizer):
    clip, faces = layers([0.5, -0.2, 0.1, -1.5, 1.5])
    fragments = rasterizer.rasterize(clip, faces, SIZE)
    assert fragments.mask.all()
    assert set(fragments.face.unique().tolist()) == {2, 3}
    torch.testing.assert_close(fragments.depth, torch.full_like(fragments.depth, -0.2))
    assert not rasterizer.rasterize(clip, faces[6:], SIZE).mask.any()  # before the near plane, beyond the far one


@pytest.mark.parametrize("rasterizer", ["warp", "pytorch3d", "oracle"], indirect=True)
def test_of_equals_the_first_wins(rasterizer: Rasterizer):
    """nvdiffrast promises no order."""
    clip, faces = layers([0.5, -0.2, -0.2])
    assert set(rasterizer.rasterize(clip, faces, SIZE).face.unique().tolist()) == {2, 3}


@ANY
def test_perspective_is_correct(rasterizer: Rasterizer):
    """A floor: the interpolated camera position of each pixel projects on to the pixel's centre."""
    points = torch.tensor([[[-3, 0.2, 0.3], [3, 0.2, 0.3], [3, 0.2, 9.0], [-3, 0.2, 9.0]]])
    K = camera_matrix(30.0, SIZE)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    fragments = rasterizer.rasterize(clip_points(points, K, SIZE), faces, SIZE)
    position = interpolate(points, faces, fragments)[fragments.mask]
    torch.testing.assert_close(position[:, 1], torch.full((len(position),), 0.2))
    pixel = position @ K.T / position[:, 2:]
    row, column = fragments.mask[0].nonzero().unbind(1)
    torch.testing.assert_close(pixel[:, 0], column + 0.5, atol=1e-3, rtol=0)
    torch.testing.assert_close(pixel[:, 1], row + 0.5, atol=1e-3, rtol=0)


@ANY
def test_slivers_and_points_do_no_harm(rasterizer: Rasterizer):
    clip = flat_clip([(1, 1), (30, 1), (30, 1), (5, 5), (25, 20), (15, 12.5), (math.pi, 2), (39, 27), (39, 27.001)])
    fragments = rasterizer.rasterize(clip, torch.arange(9).reshape(3, 3), SIZE)
    assert torch.isfinite(fragments.bary).all()
    assert fragments.mask.sum() < 45


def picture(rasterizer: Rasterizer, clip: Tensor, faces: Tensor, attributes: Tensor) -> Tensor:
    """(B, H, W, C) attributes and coverage, antialiased, in the type of `clip`."""
    fragments = rasterizer.rasterize(clip, faces, SIZE)
    inside = interpolate(attributes, faces, fragments, differentiable_barycentrics(clip, faces, fragments))
    return antialias(torch.cat([inside, fragments.mask[..., None].to(clip)], -1), clip, faces, fragments)


def cosine(a: Tensor, b: Tensor) -> float:
    return torch.nn.functional.cosine_similarity(a.flatten().double(), b.flatten(), dim=0).item()


@ANY
def test_gradients_inside_a_surface(rasterizer: Rasterizer):
    """Of attributes and positions, against differences in float64 of what the oracle sees, with that held fixed."""
    clip, faces = soup(8, batch=1)
    attributes, weight = torch.randn(1, clip.shape[1], 2), torch.randn(1, SIZE[1], SIZE[0], 2)
    fixed = OracleRasterizer().rasterize(clip.double(), faces, SIZE)
    fragments = rasterizer.rasterize(clip, faces, SIZE)
    sure = (fragments.face == fixed.face)[..., None]
    assert sure.float().mean() > 0.97

    def value(clip: Tensor, attributes: Tensor, fragments: Fragments) -> Tensor:
        bary = differentiable_barycentrics(clip, faces, fragments)
        return (interpolate(attributes, faces, fragments, bary) * weight.to(clip) * sure).sum()

    leaves = [clip.clone().requires_grad_(), attributes.clone().requires_grad_()]
    gradients = torch.autograd.grad(value(*leaves, fragments), leaves)
    exact = [clip.double(), attributes.double()]
    for which, gradient in enumerate(gradients):
        difference = torch.zeros_like(exact[which])
        for index in range(difference.numel()):
            ends = [[x.clone() for x in exact] for _ in range(2)]
            for sign, end in zip((1, -1), ends, strict=True):
                end[which].view(-1)[index] += sign * 1e-5
            difference.view(-1)[index] = (value(*ends[0], fixed) - value(*ends[1], fixed)) / 2e-5
        assert cosine(gradient, difference) > 0.999
        assert gradient.norm().item() == pytest.approx(difference.norm().item(), rel=0.01)


@ANY
def test_gradients_of_a_moving_silhouette(rasterizer: Rasterizer):
    """The antialiased picture of a ball that moves and stretches, against differences in float64 of the oracle's,
    which sees each end of the way anew."""
    points, faces = sphere(2)
    points, centre = points.double(), points.double().mean(1, keepdim=True)
    ramp = torch.linspace(-1, 1, SIZE[0], dtype=torch.float64)[None, None, :, None]
    fall = torch.linspace(-1, 1, SIZE[1], dtype=torch.float64)[None, :, None, None]
    weight = torch.cat([torch.sin(3 * ramp) + 0.4 * fall, 1 + ramp + 2 * fall**2 + ramp * fall], -1)

    def value(pose: Tensor, seen_by: Rasterizer) -> Tensor:
        moved = centre.to(pose) + (points - centre).to(pose) * (1 + pose[3:]) + 0.1 * pose[:3]
        shade = ((points - centre) @ torch.tensor([[4.0], [7.0], [-5.0]]).double()).to(pose)
        clip = clip_points(moved, camera_matrix(60.0, SIZE).to(pose), SIZE)
        return (picture(seen_by, clip, faces, shade) * weight.to(pose)).sum()

    pose = torch.zeros(6, requires_grad=True)
    (gradient,) = torch.autograd.grad(value(pose, rasterizer), pose)
    step = 0.01 * torch.eye(6, dtype=torch.float64)
    difference = [(value(way, OracleRasterizer()) - value(-way, OracleRasterizer())).item() / 0.02 for way in step]
    assert cosine(gradient, torch.tensor(difference, dtype=torch.float64)) > 0.99


def test_nvdiffrast_s_picture_is_understood():
    """Its weights belong to the first two corners, its triangles count from 1, its background is zero."""
    packed = torch.tensor([[[0.2, 0.3, -0.5, 7.0], [0.0, 0.0, 0.0, 0.0]]])[None]
    fragments = unpack(packed)
    assert fragments.face.tolist() == [[[6, -1]]]
    torch.testing.assert_close(fragments.bary[0, 0], torch.tensor([[0.2, 0.3, 0.5], [0, 0, 0]]))
    assert fragments.depth.tolist() == [[[-0.5, 1.0]]]


def test_names(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(SparkError, match="no rasteriser paint; choose one of warp, nvdiffrast, pytorch3d"):
        rasterizer_by_name("paint")
    monkeypatch.setitem(sys.modules, "nvdiffrast", None)
    with pytest.raises(SparkError, match=r"pip install .*nvdiffrast"):
        rasterizer_by_name("nvdiffrast")
    assert isinstance(rasterizer_by_name(), WarpRasterizer)
