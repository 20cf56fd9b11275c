"""Colour, light and maps: known numbers, and agreement with what they approximate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize
from toy_avatar import toy_avatar

from spark_backend.geometry.mesh import vertex_normals
from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.render.colour import bytes_from_linear, linear_from_bytes, linear_from_srgb, srgb_from_linear
from spark_backend.render.draw import one_material, render_linear
from spark_backend.render.occlusion import sky_of
from spark_backend.render.shading import distant_light, over, shade_clay, shade_textured, spherical_harmonics
from spark_backend.render.surface import Material, Surface
from spark_backend.render.texture import mip_pyramid, pixel_footprint, sample_pyramid, sample_texture
from spark_backend.render.warp import WarpRasterizer


def directions(count: int = 40_000) -> torch.Tensor:
    """Evenly spread over the sphere (Fibonacci)."""
    index = torch.arange(count, dtype=torch.float64) + 0.5
    z = 1 - 2 * index / count
    angle = math.pi * (1 + math.sqrt(5)) * index
    ring = (1 - z * z).sqrt()
    return torch.stack([ring * angle.cos(), ring * angle.sin(), z], -1)


def test_srgb_numbers():
    """The standard's own: the end of the straight part, middle grey, white."""
    linear = torch.tensor([0.0, 0.0031308, 0.18, 1.0, 2.0], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.04045, 0.461356, 1.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(srgb_from_linear(linear), expected, atol=1e-5, rtol=0)
    assert linear_from_srgb(torch.tensor(0.5)).item() == pytest.approx(0.214041, abs=1e-6)


def test_every_byte_survives_and_slopes_are_finite():
    every = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(bytes_from_linear(linear_from_bytes(every)), every)
    black = torch.zeros(3, requires_grad=True)
    (srgb_from_linear(black).sum() + linear_from_srgb(black).sum()).backward()
    torch.testing.assert_close(black.grad, torch.full((3,), 12.92 + 1 / 12.92))


@settings(deadline=None)
@given(st.floats(0, 1))
def test_srgb_round_trip(value: float):
    assert linear_from_srgb(srgb_from_linear(torch.tensor(value, dtype=torch.float64))).item() == pytest.approx(
        value, abs=1e-6
    )


def test_harmonics_are_orthonormal():
    basis = spherical_harmonics(directions(), 16)
    gram = 4 * math.pi * basis.T @ basis / len(basis)
    torch.testing.assert_close(gram, torch.eye(16, dtype=torch.float64), atol=2e-3, rtol=0)


def test_harmonic_light_is_near_the_clamped_cosine():
    """Degree 2 keeps 99 % of a directional light's diffuse energy; an even light comes out exactly."""
    light = distant_light((0.3, -0.5, -0.8), (1.0, 0.5, 0.25), (0.1, 0.1, 0.1))
    normals = directions(2000).float()
    shaded = shade_textured(torch.ones_like(normals), normals, -normals, light)
    cosine = (normals @ normalize(torch.tensor([0.3, -0.5, -0.8]), dim=-1)).clamp(min=0)
    expected = 0.1 + cosine[:, None] * torch.tensor([1.0, 0.5, 0.25])
    assert (shaded - expected).square().mean().sqrt() < 0.03
    assert (shaded[:, 0] - expected[:, 0]).abs().max() < 0.1
    even = distant_light((0, 0, -1), (0.0, 0.0, 0.0), (0.3, 0.2, 0.1))
    torch.testing.assert_close(
        shade_textured(torch.ones_like(normals), normals, -normals, even),
        torch.tensor([0.3, 0.2, 0.1]).expand(2000, 3),
    )


def test_the_highlight_sits_where_the_mirror_sees_the_light():
    light = distant_light((0.0, 0.0, -1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    normals = normalize(torch.tensor([[0, 0, -1.0], [0.1, 0, -1], [0.4, 0, -1], [0, 0, 1]]), dim=-1)
    view = torch.tensor([0, 0, -1.0]).expand(4, 3)
    black = torch.zeros(4, 3)
    shine = shade_textured(black, normals, view, light, specular=1.0, roughness=0.3)[:, 0]
    assert shine[0] > shine[1] > shine[2]
    assert shine[3] == 0
    # At the mirror direction: 4 % times (n + 2) / 8 with n = 2 / 0.3^4 - 2.
    assert shine[0].item() == pytest.approx(0.04 * 2 / 0.3**4 / 8, rel=1e-4)
    dull = shade_textured(black, normals, view, light, specular=1.0, roughness=0.9)[:, 0]
    assert dull[0] < shine[0]


def test_the_highlight_gives_back_no_more_than_it_gets():
    """Seen head-on under light from everywhere, rough or polished, about the 4 % of Fresnel come back."""
    towards = directions(4000).float()
    towards = towards[towards[:, 2] < 0]
    normal = torch.tensor([[0, 0, -1.0]])
    for roughness in (0.2, 0.5, 0.8):
        total = 0.0
        for direction in towards[::8].tolist():
            light = distant_light(tuple(direction), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
            total += shade_textured(torch.zeros(1, 3), normal, normal, light, 1.0, roughness)[0, 0].item()
        # A light of strength 1 is an irradiance of pi; the lights stand for the hemisphere's 2 pi.
        assert 0.01 < total * 2 * math.pi / math.pi / len(towards[::8]) < 0.06


def test_clay_is_grey_and_lit_from_the_upper_left():
    normals = normalize(torch.tensor([[0, 0, -1.0], [-1, -1, -1], [1, 1, -1]]), dim=-1)
    shade = shade_clay(normals, torch.tensor([0, 0, -1.0]).expand(3, 3), torch.zeros(3, 1))
    assert (shade == shade[:, :1]).all()
    assert 0.2 < shade[0, 0] < 0.6
    assert shade[1, 0] > shade[0, 0] > shade[2, 0] > 0
    crease = shade_clay(normals, torch.tensor([0, 0, -1.0]).expand(3, 3), torch.full((3, 1), 0.3))
    assert (crease < shade).all()


def test_over():
    front, alpha = torch.tensor([[0.2, 0.1, 0.0]]), torch.tensor([[0.25]])
    torch.testing.assert_close(over(front, alpha, torch.ones(1, 3)), torch.tensor([[0.95, 0.85, 0.75]]))


def test_texture_coordinates_start_at_the_lower_left():
    """A map of 2 x 2 texels, its centres at quarters; half-way between them the mean; beyond the border no change."""
    texture = torch.tensor([[1.0, 2.0], [3.0, 4.0]])[None, ..., None]
    uv = torch.tensor([[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.5, 0.25], [0.5, 0.5], [0, 0], [-3, 0.25]])
    values = sample_texture(texture, uv[None, None])[0, 0, :, 0]
    torch.testing.assert_close(values, torch.tensor([3.0, 4.0, 1.0, 3.5, 2.5, 3.0, 3.0]))


def test_texture_gradients():
    texture = torch.rand(1, 5, 4, 2, dtype=torch.float64, requires_grad=True)
    uv = (0.2 + 0.6 * torch.rand(2, 1, 3, 2, dtype=torch.float64)).requires_grad_()
    assert torch.autograd.gradcheck(sample_texture, (texture, uv))


def test_a_map_seen_from_afar_is_its_mean():
    """A chequerboard of single texels, at footprints of one texel, of two and of everything."""
    board = torch.from_numpy(np.indices((16, 16)).sum(0) % 2).float()[..., None]
    pyramid = mip_pyramid(board)
    assert [len(level) for level in pyramid] == [16, 8, 4, 2, 1]
    uv = (torch.arange(8) + 0.5)[:, None].expand(8, 2) / 16
    assert torch.equal(sample_pyramid(pyramid, uv), sample_pyramid(pyramid, uv, torch.full((8,), 1 / 16)))
    assert sample_pyramid(pyramid, uv)[:, 0].tolist() == [1.0] * 8
    for width in (2 / 16, 1.0, 50.0):
        torch.testing.assert_close(sample_pyramid(pyramid, uv, torch.full((8,), width)), torch.full((8, 1), 0.5))
    between = sample_pyramid(pyramid, uv, torch.full((8,), math.sqrt(2) / 16))
    torch.testing.assert_close(between, torch.full((8, 1), 0.75))
    assert len(mip_pyramid(torch.rand(6, 5, 3))) == 1


def test_footprint():
    pixels, uv = torch.tensor([[0.0, 0], [8, 0], [0, 8]]), torch.tensor([[0.0, 0], [0.5, 0], [0, 0.5]])
    face = torch.tensor([[0, 1, 2]])
    torch.testing.assert_close(pixel_footprint(pixels, face, uv, face), torch.tensor([0.5 / 8]))
    assert torch.isfinite(pixel_footprint(torch.full((3, 2), torch.nan), face, uv, face)).all()


def openness(points: torch.Tensor, faces: torch.Tensor) -> torch.Tensor:
    """Of each vertex."""
    return sky_of(points, faces, WarpRasterizer()).openness(points, vertex_normals(points, faces))


def bowl(depth: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A square plate before the camera with a square pit in its middle; the last vertex is the middle of its floor."""
    ring = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
    corners = [(4 * x, 4 * y, 0.0) for x, y in ring] + [(x, y, z) for z in (0.0, depth) for x, y in ring]
    corners.append((0, 0, depth))
    quads = [(b + k, b + (k + 1) % 4, b + 4 + (k + 1) % 4, b + 4 + k) for b in (0, 4) for k in range(4)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, d, c), (a, c, b))]
    faces += [(8 + k, 12, 8 + (k + 1) % 4) for k in range(4)]
    return 0.02 * torch.tensor(corners) + torch.tensor([0.0, 0, 0.5]), torch.tensor(faces)


def test_hollows_are_dark_and_plains_are_open():
    """From the middle of a pit as deep as its half width a quarter of the directions is free, nearly half of the light;
    four times as deep, next to nothing."""
    plate = openness(*bowl(0.0))
    torch.testing.assert_close(plate, torch.ones(13), atol=1e-3, rtol=0)
    shallow, deep = (openness(*bowl(depth))[-1].item() for depth in (1.0, 4.0))
    assert deep < 0.2
    assert 0.35 < shallow < 0.6
    assert openness(*bowl(4.0))[:4].min() > 0.9


def test_what_lies_deep_takes_the_colour_of_flesh():
    """A white plate with a deep pit in even light: the rim stays white, the floor is red and dark but not black."""
    points, faces = bowl(4.0)
    white = one_material(np.zeros((13, 2), np.float32), np.zeros_like(faces), np.ones((2, 2, 3), np.float32))
    K, even = np.array([[600.0, 0, 64], [0, 600, 64], [0, 0, 1]]), distant_light((0, 0, -1), (0, 0, 0), (1, 1, 1))
    picture, _ = render_linear(points, faces, K, (128, 128), surface=white, light=even)
    floor, plate = picture[62:66, 62:66].mean((0, 1)), picture[60:68, 4:12].mean((0, 1))
    assert plate.max() < 1.02 * plate.min()
    assert 2 < floor[0] / floor[1] < 3
    assert 0.1 < floor[0] / plate[0] < 0.5


def test_what_shows_through_a_gap_is_lit_through_it():
    """White teeth of two triangles behind a gap between lips: dark in their corners, not where one sees them."""
    box = torch.tensor([(-1.0, -1), (1, -1), (1, 1), (-1, 1)])
    wide = torch.cat([box * torch.tensor([4.0, 1.5]), torch.zeros(4, 1)], 1)
    upper, lower = (wide + torch.tensor([0.0, y, 0]) for y in (-2, 2))
    teeth = torch.cat([2 * box, torch.full((4, 1), 0.3)], 1)
    points = 0.02 * torch.cat([upper, lower, teeth]) + torch.tensor([0.0, 0, 0.5])
    faces = torch.tensor([face for k in (0, 4, 8) for face in ((k, k + 2, k + 1), (k, k + 3, k + 2))])
    K, even = np.array([[600.0, 0, 64], [0, 600, 64], [0, 0, 1]]), distant_light((0, 0, -1), (0, 0, 0), (1, 1, 1))

    def green(coarse: bool) -> float:
        white = Material(torch.ones(3), coarse=coarse)
        surface = Surface(torch.zeros(12, 2), faces, torch.zeros(len(faces), dtype=torch.long), (white,))
        return render_linear(points, faces, K, (128, 128), surface=surface, light=even)[0][64, 64, 1].item()

    assert green(coarse=False) < 0.15
    assert 0.5 < green(coarse=True) < 1.0


def test_openness_moves_smoothly():
    """From frame to frame of a slow turn no vertex of a head's size flickers."""
    avatar = toy_avatar()
    rest = torch.tensor(avatar.neutral)
    rest = (rest - rest.mean(0))[:, [0, 2, 1]] * torch.tensor([1.0, -1, 1])
    angles = torch.arange(10) * math.radians(0.5)
    frames = [
        openness(
            rest @ matrix_from_vector(torch.tensor([0, angle, 0])).T + torch.tensor([0, 0, 0.7]),
            torch.tensor(avatar.faces),
        )
        for angle in angles
    ]
    assert (torch.stack(frames).diff(dim=0)).abs().max() < 0.1
