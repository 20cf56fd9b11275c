"""Whole pictures of a mesh: what is where, in which colour, over what."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar, toy_take

from spark_backend.protocol.posing import pose_vertices
from spark_backend.render.colour import bytes_from_linear
from spark_backend.render.deferred import topology
from spark_backend.render.draw import render_frame, render_linear, visible_window
from spark_backend.render.shading import distant_light
from spark_backend.render.surface import Material, Surface, linear_map, one_material

SIZE = (64, 48)
K = np.array([[80.0, 0, 32], [0, 80, 24], [0, 0, 1]])
EVEN = distant_light((0, 0, -1), (0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
"""Light from everywhere: a surface shows its albedo."""
UV = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
SQUARE = np.array([[0, 1, 2], [0, 2, 3]])


def card(left: float, top: float, right: float, bottom: float, depth: float = 1.0) -> np.ndarray:
    """Corners (4, 3) of a card seen at these pixels: lower left, lower right, upper right, upper left."""
    pixels = np.array([[left, bottom], [right, bottom], [right, top], [left, top]])
    return np.concatenate([(pixels - [32, 24]) / 80 * depth, np.full((4, 1), depth)], 1)


def test_a_map_lies_upright_on_a_card():
    albedo = np.zeros((2, 2, 3), np.uint8)
    albedo[0, 0], albedo[0, 1], albedo[1, 0] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    surface = one_material(UV, SQUARE, albedo)
    picture = render_frame(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=surface, light=EVEN, background=(0.0, 0.0, 0.0))
    assert picture.shape == (48, 64, 3)
    assert picture.dtype == np.uint8
    assert picture[10, 14].tolist() == [255, 0, 0]  # upper left of the map's array
    assert picture[10, 50].tolist() == [0, 255, 0]
    assert picture[38, 14].tolist() == [0, 0, 255]
    assert picture[38, 50].tolist() == [0, 0, 0]
    assert (picture[:4] == 0).all()


def test_supersampling_covers_by_area():
    """A card from 10.5 to 20.75: four samples across see it in quarters of a pixel."""
    _, coverage = render_linear(card(10.5, 8, 20.75, 16), SQUARE, K, SIZE, supersample=4)
    expected = torch.zeros(64)
    expected[10:21] = torch.tensor([0.5, *[1.0] * 9, 0.75])
    torch.testing.assert_close(coverage[12, :, 0], expected)
    assert coverage.sum().item() == pytest.approx(10.25 * 8)


def test_the_background_stays_byte_for_byte():
    photo = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    picture = render_frame(card(10, 8, 20, 16), SQUARE, K, SIZE, background=photo)
    changed = (picture != photo).any(-1)
    assert changed[8:16, 10:20].mean() > 0.95
    changed[8:16, 10:20] = False
    assert not changed.any()


def test_half_a_pixel_mixes_in_linear_light():
    white = one_material(UV, SQUARE, np.full((1, 1, 3), 255, np.uint8))
    picture = render_frame(
        card(10.5, 8, 20, 16), SQUARE, K, SIZE, surface=white, light=EVEN, background=(0.0, 0.0, 0.0)
    )
    assert picture[12, 10].tolist() == bytes_from_linear(torch.full((3,), 0.5)).tolist() == [188] * 3


def test_cropping_changes_nothing():
    """The picture is drawn in the window of the mesh only; that must not show."""
    avatar, take = toy_avatar(), toy_take(frames=2, size=(160, 120))
    vertices = next(pose_vertices(avatar, take))[1]
    colour, coverage = render_linear(vertices, avatar.faces, take.K, (160, 120))
    whole = bytes_from_linear(colour + (1 - coverage) * 0.25).numpy().astype(int)
    picture = render_frame(vertices, avatar.faces, take.K, (160, 120), background=(0.25, 0.25, 0.25)).astype(int)
    assert 0.02 < coverage.mean() < 0.9
    assert np.abs(whole - picture).max() <= 1
    left, top, right, bottom = visible_window(torch.tensor(vertices), torch.tensor(take.K).float(), (160, 120))
    seen = coverage[..., 0] > 0
    assert not seen[:top].any()
    assert not seen[bottom:].any()
    assert not seen[:, :left].any()
    assert not seen[:, right:].any()
    assert (right - left) * (bottom - top) < 0.9 * 160 * 120


def test_what_is_behind_or_outside_is_not_drawn_and_what_passes_the_camera_is():
    photo = np.zeros((48, 64, 3), np.uint8)
    for corners in (card(8, 8, 20, 20, -1.0), card(100, 8, 120, 20), card(8, -40, 20, -30)):
        assert (render_frame(corners, SQUARE, K, SIZE, background=photo) == 0).all()
    floor = np.array([[-2, 0.2, -1], [2, 0.2, -1], [2, 0.2, 4], [-2, 0.2, 4]])
    picture = render_frame(floor, SQUARE, K, SIZE, background=photo)
    assert (picture[40:] > 0).all()
    assert (picture[:20] == 0).all()


def test_a_surface_seen_from_behind_is_lit_as_it_is_seen():
    front, back = (
        int(render_frame(card(8, 4, 56, 44), faces, K, SIZE, background=(0.0, 0.0, 0.0))[24, 32, 0])
        for faces in (SQUARE, SQUARE[:, ::-1].copy())
    )
    assert abs(front - back) <= 2
    assert front > 60


def test_transparent_materials_show_what_is_behind():
    """A red card before a green one: opaque, half transparent, and with a map that is clear on its left half."""
    points = np.concatenate([card(8, 4, 56, 44, 0.9), card(4, 2, 60, 46, 1.1)])
    faces = np.concatenate([SQUARE, SQUARE + 4])
    green = Material(torch.tensor([0.0, 1.0, 0.0]))
    clear_left = np.array([[[255, 0, 0, 0], [255, 0, 0, 255]]], np.uint8)

    def middle_row(red: Material) -> list:
        surface = Surface(
            torch.tensor(np.concatenate([UV, UV])).float(),
            torch.tensor(faces),
            torch.tensor([0, 0, 1, 1]),
            (red, green),
        )
        colour, coverage = render_linear(points, faces, K, SIZE, surface=surface, light=EVEN, supersample=1)
        assert coverage[24, 4:60].min() == 1
        return [colour[24, column].tolist() for column in (14, 50)]

    assert middle_row(Material(torch.tensor([1.0, 0, 0]))) == [pytest.approx([1, 0, 0], abs=1e-5)] * 2
    assert middle_row(Material(torch.tensor([1.0, 0, 0]), opacity=0.25)) == [pytest.approx([0.25, 0.75, 0])] * 2
    left, right = middle_row(Material(linear_map(clear_left)))
    assert left == pytest.approx([0, 1, 0], abs=1e-5)
    assert right == pytest.approx([1, 0, 0], abs=1e-5)


def test_the_background_shows_through_by_the_vertices_opacity():
    """Of a white card clear on its left and solid on its right: what lies before other parts of the mesh too."""
    points = np.concatenate([card(8, 4, 56, 44, 0.9), card(8, 4, 56, 44, 1.1)])
    faces = np.concatenate([SQUARE, SQUARE + 4])
    _, coverage = render_linear(points, faces, K, SIZE, opacity=np.array([0.0, 1, 1, 0, 1, 1, 1, 1]))
    expected = (torch.arange(8, 56) + 0.5 - 8) / 48
    torch.testing.assert_close(coverage[24, 8:56, 0], expected, atol=1e-3, rtol=0)


def test_each_material_is_its_own():
    """The card's lower right half is red, its upper left a green map."""
    green = Material(torch.tensor([[[0.0, 1.0, 0.0]]]))
    surface = Surface(
        torch.tensor(UV).float(),
        torch.tensor(SQUARE),
        torch.tensor([1, 0]),
        (green, Material(torch.tensor([1.0, 0.0, 0.0]))),
    )
    picture = render_frame(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=surface, light=EVEN)
    assert picture[38, 50].tolist() == [255, 0, 0]
    assert picture[10, 14].tolist() == [0, 255, 0]


def finished(strength: float, roughness: float, normal: tuple[float, float, float]) -> Surface:
    """A grey card whose finish is a map of one texel's worth."""
    plain = one_material(UV, SQUARE, np.full((4, 4, 3), 0.3, np.float32), strength, roughness)
    finish = torch.tensor([strength, roughness, *normal]).expand(4, 4, 5)
    mesh = topology(torch.as_tensor(SQUARE), torch.as_tensor(UV).float(), torch.as_tensor(SQUARE), 4)
    return replace(plain, materials=(replace(plain.materials[0], finish=finish),), mesh=mesh)


def test_a_flat_finish_is_what_its_numbers_are():
    light = distant_light((-0.3, -0.2, -1), (0.8, 0.7, 0.6), (0.1, 0.1, 0.1))
    flat = finished(0.8, 0.4, (0.0, 0.0, 1.0))
    numbers = replace(flat, materials=(replace(flat.materials[0], finish=None),), mesh=None)
    mirrored = render_linear(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=flat, light=light)[0]
    torch.testing.assert_close(
        mirrored, render_linear(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=numbers, light=light)[0]
    )
    dull = finished(0.0, 0.4, (0.0, 0.0, 1.0))
    assert (mirrored - render_linear(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=dull, light=light)[0]).max() > 0.005


def test_a_normal_map_turns_a_card_to_the_light_on_its_right():
    light = distant_light((1, 0, -0.3), (1.0, 1.0, 1.0), (0.1, 0.1, 0.1))
    left, flat, right = (
        render_linear(card(8, 4, 56, 44), SQUARE, K, SIZE, surface=finished(0.0, 0.5, (lean, 0.0, 1.0)), light=light)
        for lean in (-0.4, 0.0, 0.4)  # along u, which grows to the right
    )
    assert left[0][24, 32, 0] < 0.8 * flat[0][24, 32, 0]
    assert flat[0][24, 32, 0] < 0.8 * right[0][24, 32, 0]


def test_a_background_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"\(3, 5\) for a picture of \(64, 48\)"):
        render_frame(card(8, 4, 56, 44), SQUARE, K, SIZE, background=np.zeros((5, 3, 3), np.uint8))


def test_nothing_is_written_to_the_terminal():
    """Warp's banner, its remark about the missing GPU and its compile messages would spoil progress bars and --json."""
    program = (
        "import numpy as np\nfrom spark_backend.render.draw import render_frame\n"
        "render_frame(np.eye(3) + [0, 0, 2], np.array([[0, 1, 2]]), np.diag([9.0, 9, 1]), (8, 8))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    assert done.stderr == ""
