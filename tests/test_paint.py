"""The painted person: every feature where anatomy has it, on any head of the model."""

from dataclasses import replace

import numpy as np
import pytest
from toy_avatar import toy_avatar

from spark_backend.fit.anatomy import read_anatomy
from spark_backend.fit.fields import fractal, noise, ramp
from spark_backend.fit.hair import above_hairline, brow_cover
from spark_backend.fit.organs import IRIS_RADIUS, iris_distance
from spark_backend.fit.paint import Paint, bytes_from_albedo, paint_albedo, paint_texels, random_paint
from spark_backend.fit.texels import avatar_texels
from spark_backend.heads.anny import load_anny
from spark_backend.protocol.avatar import Avatar

SIZE = 192


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return load_anny().avatar()


@pytest.fixture(scope="module")
def painted(avatar):
    texels = avatar_texels(avatar, SIZE)
    return texels, paint_texels(avatar, Paint(seed=3), texels)


def skin_of(avatar, texels):
    return avatar.face_material[texels.face] == avatar.material_names.index("skin")


def test_the_map_holds_linear_colours_and_only_lashes_are_transparent(avatar, painted):
    texels, colours = painted
    picture = paint_albedo(avatar, Paint(seed=3), SIZE)
    assert picture.shape == (SIZE, SIZE, 4)
    assert picture.dtype == np.float32
    assert np.array_equal(picture.reshape(-1, 4)[texels.texel], colours)
    assert picture[..., :3].min() >= 0
    assert picture[..., :3].max() < 0.9
    lashes = avatar.face_material[texels.face] == avatar.material_names.index("lashes")
    assert (colours[~lashes, 3] == 1).all()
    assert colours[lashes, 3].min() < 0.05
    assert colours[lashes, 3].max() > 0.6


def test_cheeks_have_the_colour_of_the_skin_and_lips_are_redder(avatar, painted):
    texels, colours = painted
    anatomy = read_anatomy(avatar)
    points = texels.at(avatar.neutral, avatar.faces)
    skin = skin_of(avatar, texels)
    cheek = skin & (np.linalg.norm(points - (0.045, -0.115, 0.100), axis=1) < 0.012)
    lower_lip = skin & (np.abs(points[:, 0]) < 0.008) & (np.abs(points[:, 2] - anatomy.lips.mean(0)[2] + 0.006) < 0.002)
    lower_lip &= points[:, 1] < anatomy.lips[1, 1]
    assert cheek.sum() > 20
    assert lower_lip.sum() > 3
    cheek_colour, lip = (np.median(colours[part, :3], axis=0) for part in (cheek, lower_lip))
    assert np.allclose(cheek_colour, Paint().skin, rtol=0.25)
    assert lip[0] / lip[1] > 1.3 * cheek_colour[0] / cheek_colour[1]


@pytest.mark.parametrize("seed", range(6))
def test_brows_lie_above_the_eyes_of_any_identity(seed):
    head = load_anny()
    coefficients = np.clip(np.random.default_rng(seed).normal(size=len(head.identity)), -2, 2)
    anatomy = read_anatomy(head.avatar(coefficients))
    unit = anatomy.interocular
    above = anatomy.brows[..., 2] - anatomy.eyes[:, None, 2]
    assert (above > 0.15 * unit).all()
    assert (above < 0.55 * unit).all()
    # Highest between its ends, and lower at the temple than at its inner end's side of the arch.
    assert (above.argmax(1) > 1).all()
    assert (above[:, -1] < above.max(1) - 0.02 * unit).all()


def test_brows_are_hair_on_the_brow_line_and_nowhere_else(avatar):
    anatomy = read_anatomy(avatar)
    texels = avatar_texels(avatar, 512)
    points = texels.at(avatar.neutral, avatar.faces)[skin_of(avatar, texels)]
    cover = brow_cover(points, anatomy, 1.0, 0.001, seed=0)
    lines = anatomy.brows.reshape(-1, 3)
    distance = np.sqrt(((points[:, None] - lines[None]) ** 2).sum(-1)).min(1)
    assert cover[distance < 0.002].mean() > 0.4
    assert cover[distance > 0.017].max() == 0
    left, right = cover[points[:, 0] > 0].sum(), cover[points[:, 0] < 0].sum()
    assert abs(left / right - 1) < 0.15


def test_eyes_have_a_black_pupil_a_coloured_iris_and_a_light_sclera(avatar, painted):
    paint = Paint(iris=(0.02, 0.05, 0.12))
    texels = avatar_texels(avatar, 1024).chosen(
        avatar.face_material[avatar_texels(avatar, 1024).face] == avatar.material_names.index("eye")
    )
    colours = paint_texels(avatar, paint, texels)[:, :3]
    distance, _ = iris_distance(texels.at(avatar.neutral, avatar.faces), read_anatomy(avatar))
    assert colours[distance < 0.25].max() < 0.02
    iris = np.median(colours[(distance > 0.5) & (distance < 0.9)], axis=0)
    assert iris[2] > 1.5 * iris[0]
    assert colours[(distance > 1.3) & (distance < 1.6)].mean() > 0.3


def test_an_iris_measures_twelve_millimetres_on_a_usual_face(avatar):
    anatomy = read_anatomy(avatar)
    assert 0.010 < 2 * IRIS_RADIUS * anatomy.interocular < 0.0125


def test_colours_agree_across_the_seams_of_the_map(avatar):
    texels = avatar_texels(avatar, 512)
    picture = paint_albedo(avatar, Paint(scalp_hair=0.0), 512)
    pairs = seam_places(avatar)
    assert len(pairs) > 30
    colours = [sample(picture, avatar.uv[pairs[:, side]]) for side in (0, 1)]
    assert np.abs(colours[0] - colours[1]).mean() < 0.02
    assert texels.size == 512


def seam_places(avatar: Avatar) -> np.ndarray:
    """(N, 2) texture coordinates that belong to the same vertex of the neck's or face's skin."""
    skin = avatar.face_material == avatar.material_names.index("skin")
    vertex, uv = avatar.faces[skin].ravel(), avatar.uv_faces[skin].ravel()
    keep = avatar.regions["neck"][vertex] | avatar.regions["scalp"][vertex]
    couples = np.unique(np.stack([vertex[keep], uv[keep]], 1), axis=0)
    same = np.flatnonzero(couples[1:, 0] == couples[:-1, 0])
    return np.stack([couples[same, 1], couples[same + 1, 1]], 1)


def sample(picture: np.ndarray, uv: np.ndarray) -> np.ndarray:
    """(N, C) colours at texture coordinates, nearest."""
    size = len(picture)
    column, row = np.clip((uv * (size, -size) + (0, size)).astype(int), 0, size - 1).T
    return picture[row, column]


def test_hair_covers_the_scalp_only_when_asked(avatar):
    texels = avatar_texels(avatar, SIZE)
    points = texels.at(avatar.neutral, avatar.faces)
    top = skin_of(avatar, texels) & (points[:, 2] > 0.23)
    with_hair, bald = (paint_texels(avatar, Paint(scalp_hair=amount), texels)[top, :3] for amount in (1.0, 0.0))
    assert with_hair.mean() < 0.06
    assert np.allclose(np.median(bald, axis=0), Paint().skin, rtol=0.2)


def test_hair_grows_behind_the_forehead_over_the_ears_and_down_to_the_nape(avatar):
    anatomy = read_anatomy(avatar)
    brow = anatomy.brows[..., 2].mean()
    ear = anatomy.ears.mean((0, 1))
    front = np.array([[0, -0.13, brow + 0.02], [0, -0.10, anatomy.crown[2] - 0.005]])
    back = np.array([[0, 0.045, ear[2]], [0, 0.04, ear[2] - 0.06]])
    side = np.array([[0.07, ear[1], ear[2] + 0.05], [0.07, ear[1] - 0.035, anatomy.nose_base]])
    for low, high in ((front[0], front[1]), (back[1], back[0]), (side[1], side[0])):
        above = above_hairline(np.stack([low, high]), anatomy, np.ones(2))
        assert above[0] < 0 < above[1]


def test_a_random_person_is_reproducible_and_no_two_are_alike():
    first, again, other = (random_paint(np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first == again
    assert first.skin != other.skin


def test_stubble_darkens_the_chin_but_not_the_forehead(avatar):
    texels = avatar_texels(avatar, SIZE)
    points = texels.at(avatar.neutral, avatar.faces)
    anatomy = read_anatomy(avatar)
    skin = skin_of(avatar, texels)
    chin = skin & (np.linalg.norm(points - anatomy.chin, axis=1) < 0.008)
    forehead = skin & (np.linalg.norm(points - (0, -0.142, 0.185), axis=1) < 0.010)
    shaven, bearded = (paint_texels(avatar, Paint(stubble=s), texels)[:, :3] for s in (0.0, 1.0))
    assert bearded[chin].mean() < 0.8 * shaven[chin].mean()
    assert np.allclose(bearded[forehead], shaven[forehead])


def test_any_head_with_the_regions_can_be_painted():
    assert np.isfinite(paint_albedo(toy_avatar(), replace(Paint(), freckles=1.0, stubble=1.0), 64)).all()


def test_bytes_are_srgb_with_linear_opacity():
    coded = bytes_from_albedo(np.array([[[0.2140, 0.0, 1.0, 0.5]]], np.float32))
    assert coded.tolist() == [[[127, 0, 255, 128]]] or coded.tolist() == [[[128, 0, 255, 128]]]


def test_noise_is_centred_smooth_and_repeatable():
    points = np.random.default_rng(0).uniform(-1, 1, (20000, 3))
    values = noise(points, 0.05, seed=1)
    assert abs(values.mean()) < 0.02
    assert 0.15 < values.std() < 0.5
    assert np.abs(values).max() <= 1
    assert np.array_equal(values, noise(points, 0.05, seed=1))
    assert abs(np.corrcoef(values, noise(points, 0.05, seed=2))[0, 1]) < 0.05
    step = noise(points + np.array([1e-4, 0, 0]), 0.05, seed=1) - values
    assert np.abs(step).max() < 0.02
    assert np.isfinite(fractal(points, 0.05, 1)).all()


def test_a_ramp_goes_either_way():
    values = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    assert ramp(values, 0, 1).tolist() == [0, 0, 0.5, 1, 1]
    assert ramp(values, 1, 0).tolist() == [1, 1, 0.5, 0, 0]
