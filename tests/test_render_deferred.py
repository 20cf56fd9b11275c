"""Batches of shaded pictures: known answers, gradients, and agreement of the float32 path with the float64 one."""

import math
from collections.abc import Callable
from dataclasses import fields, replace

import pytest
import torch
from oracle_raster import OracleRasterizer, sphere
from torch import Tensor

from spark_backend.geometry.camera import camera_matrix, clip_points
from spark_backend.render.deferred import Topology, render_batch, shade_fragments, topology
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import Light, distant_light
from spark_backend.render.warp import WarpRasterizer

SIZE = (24, 16)


def maps_of(albedo: float = 0.5, side: int = 4, specular: float = 0.0, relief: tuple = (0.0, 0.0, 1.0)) -> Maps:
    one = torch.ones(side, side, 1)
    parts = [albedo * one.expand(-1, -1, 3), specular * one, 0.4 * one, torch.tensor(relief).expand(side, side, 3)]
    return Maps(torch.cat(parts, -1))


def rough_maps(side: int = 4) -> Maps:
    """No texel as its neighbour, every value within its bounds."""
    relief = torch.cat([0.4 * torch.rand(side, side, 2) - 0.2, torch.ones(side, side, 1)], -1)
    albedo, specular, roughness = (0.3 + 0.4 * torch.rand(side, side, channels) for channels in (3, 1, 1))
    return Maps(torch.cat([albedo, specular, roughness, relief], -1))


def light_to_degree_3(direction: tuple[float, float, float]) -> Light:
    light = distant_light(direction, (0.9, 0.7, 0.5), (0.4, 0.5, 0.6))
    return replace(light, harmonics=torch.cat([light.harmonics, 0.05 * torch.randn(7, 3)]))


def ball(subdivisions: int = 0) -> tuple[Tensor, Topology]:
    """(1, V, 3) points and a map laid over them from above, mirrored on the lower half."""
    points, faces = sphere(subdivisions, radius=0.1, distance=0.5)
    uv = 0.5 + 4 * (points[0] - points[0].mean(0))[:, :2]
    return points, topology(faces, uv, faces, points.shape[1])


def plate(flip: bool = False) -> tuple[Tensor, Topology]:
    """A square across the view, u to the right and v up; with `flip` u to the left."""
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    uv = torch.tensor([[0.0, 1], [1, 1], [1, 0], [0, 0]])
    uv = uv * torch.tensor([-1.0, 1]) + torch.tensor([1.0, 0]) if flip else uv
    faces = torch.tensor([[0, 2, 1], [0, 3, 2]])
    return (0.1 * corners + torch.tensor([0, 0, 0.5]))[None], topology(faces, uv, faces, 4)


def to_type(value: Maps | Light | Topology, dtype: torch.dtype) -> Maps | Light | Topology:
    tensors = {field.name: getattr(value, field.name) for field in fields(value)}
    return replace(value, **{k: x.to(dtype) if x.is_floating_point() else x for k, x in tensors.items()})


def test_under_even_light_the_picture_is_the_albedo():
    points, mesh = ball(2)
    light = distant_light((0, 0, -1), (0.0, 0.0, 0.0), (1.0, 0.5, 0.25))
    colour, coverage = render_batch(
        points, camera_matrix(40.0, SIZE), SIZE, mesh, maps_of(0.6), [light], WarpRasterizer()
    )
    assert colour.shape == (1, SIZE[1], SIZE[0], 3)
    torch.testing.assert_close(colour, coverage * torch.tensor([0.6, 0.3, 0.15]), atol=1e-5, rtol=0)
    assert coverage.sum().item() == pytest.approx(math.pi * (40 * 0.1 / 0.5) ** 2, rel=0.05)


@pytest.mark.parametrize("flip", [False, True], ids=["as it is", "mirrored"])
@pytest.mark.parametrize("lean", [(0.6, 0.0), (0.0, 0.6)], ids=["along u", "along v"])
def test_a_normal_map_leans_as_in_blender(flip: bool, lean: tuple[float, float]):
    """Red to where u grows, green to where v grows (up, which is -Y); length does not count."""
    points, mesh = plate(flip)
    relief = (5 * lean[0], 5 * lean[1], 5 * 0.8)
    harmonics = torch.zeros(4, 3)
    harmonics[0], harmonics[3, 0], harmonics[1, 1], harmonics[2, 2] = 2 / 0.28209479, *[1 / 0.48860251] * 3
    light = Light(harmonics, torch.tensor([0.0, 0, -1]), torch.zeros(3))  # colour is the normal plus 2
    colour, _ = render_batch(
        points, camera_matrix(40.0, SIZE), SIZE, mesh, maps_of(1.0, relief=relief), [light], WarpRasterizer()
    )
    expected = torch.tensor([-lean[0] if flip else lean[0], -lean[1], -0.8]) + 2
    torch.testing.assert_close(colour[0, 8, 12], expected, atol=1e-4, rtol=0)


def test_each_picture_has_its_own_light_and_shape():
    points, mesh = ball(2)
    points = torch.cat([points, points + torch.tensor([0.03, 0.01, 0.1])])
    lights, K, maps = (
        [light_to_degree_3((-1, -1, -1)), light_to_degree_3((1, 0, -1))],
        camera_matrix(40.0, SIZE),
        rough_maps(),
    )
    together = render_batch(points, K, SIZE, mesh, maps, lights, WarpRasterizer())
    for k in range(2):
        alone = render_batch(points[k : k + 1], K, SIZE, mesh, maps, lights[k : k + 1], WarpRasterizer())
        for ours, theirs in zip(together, alone, strict=True):
            torch.testing.assert_close(ours[k : k + 1], theirs)
    assert (together[0][0] - together[0][1]).abs().max() > 0.1


def test_an_empty_picture():
    points, mesh = ball()
    lights, K = [light_to_degree_3((0, 0, -1))], camera_matrix(40.0, SIZE)
    points = (points + torch.tensor([5.0, 0, 0])).requires_grad_()
    colour, coverage = render_batch(points, K, SIZE, mesh, rough_maps(), lights, WarpRasterizer())
    (colour.sum() + coverage.sum()).backward()
    assert colour.abs().max() == 0
    assert points.grad.abs().max() == 0


def leaves_of(dtype: torch.dtype) -> tuple[list[Tensor], Callable[..., Tensor]]:
    """What a picture depends on, and the picture of it with the visibility held fixed."""
    points, mesh = ball()
    points = torch.cat([points, points + torch.tensor([0.02, 0.01, 0.1])])
    K = camera_matrix(30.0, SIZE)
    fragments = OracleRasterizer().rasterize(clip_points(points.double(), K.double(), SIZE), mesh.faces, SIZE)
    fragments = replace(fragments, bary=fragments.bary.to(dtype), depth=fragments.depth.to(dtype))
    maps, lights = rough_maps(), [light_to_degree_3((-0.4, -0.5, -1)), light_to_degree_3((0.5, 0.2, -1))]
    mesh, K = to_type(mesh, dtype), K.to(dtype)
    parts = [points, *maps.texels.split([3, 1, 1, 3], -1), *vars(lights[0]).values(), *vars(lights[1]).values()]
    leaves = [x.to(dtype, copy=True).requires_grad_() for x in parts]

    def picture(points: Tensor, *rest: Tensor) -> Tensor:
        lit = [Light(*rest[4:7]), Light(*rest[7:10])]
        clip = clip_points(points, K, SIZE)
        return torch.cat(shade_fragments(points, clip, fragments, mesh, Maps(torch.cat(rest[:4], -1)), lit), -1)

    return leaves, picture


def test_gradients_to_vertices_maps_and_light():
    """In float64 against differences, with the visibility held fixed."""
    leaves, picture = leaves_of(torch.float64)
    mask = picture(*leaves)[..., 3:] > 0
    assert mask.any()
    assert torch.autograd.gradcheck(picture, leaves, fast_mode=True, atol=1e-4)
    for gradient in torch.autograd.grad(picture(*leaves).square().sum(), leaves):
        assert gradient.abs().max() > 1e-4


def test_float32_is_a_twin_of_float64():
    """The values and every gradient, of kernels against torch."""
    results = []
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(1)
        leaves, picture = leaves_of(dtype)
        result = picture(*leaves)
        weight = torch.rand(result.shape, generator=torch.Generator().manual_seed(2)).to(dtype)
        results.append([result.detach(), *torch.autograd.grad((result * weight).sum(), leaves)])
    for ours, theirs in zip(*results, strict=True):
        torch.testing.assert_close(ours.double(), theirs, atol=1e-4 * theirs.abs().max().item(), rtol=1e-3)


def test_the_whole_picture_against_differences():
    """A ball that moves and stretches, with the visibility found anew at both ends of the way."""
    size, (points, mesh), maps, lights = (48, 48), ball(3), rough_maps(8), [light_to_degree_3((-0.4, -0.5, -1))]
    centre, K = points.mean(1, keepdim=True), camera_matrix(90.0, size)
    smooth = torch.linspace(-2, 2, 48)
    weight = torch.sin(smooth)[:, None, None] + torch.cos(2 * smooth)[:, None] + torch.tensor([0.5, 0.2, 0.1, -1])

    def value(pose: Tensor) -> Tensor:
        moved = centre + (points - centre) * (1 + pose[3:]) + 0.1 * pose[:3]
        return (torch.cat(render_batch(moved, K, size, mesh, maps, lights, WarpRasterizer()), -1) * weight).sum()

    pose = torch.zeros(6, requires_grad=True)
    (gradient,) = torch.autograd.grad(value(pose), pose)
    difference = torch.stack([(value(way) - value(-way)) / 0.02 for way in 0.01 * torch.eye(6)])
    assert torch.nn.functional.cosine_similarity(gradient, difference, dim=0) > 0.99
