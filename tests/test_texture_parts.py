"""The parts of the texture fit, each against a known answer."""

import numpy as np
import pytest
import torch
from toy_avatar import toy_avatar, toy_take

from spark_backend.fit.blend import agreement, blend, smooth_over_map, weighted_median
from spark_backend.fit.choice import Observation, choose_frames, frame_merit
from spark_backend.fit.complete import Diffusion, mirror_texels
from spark_backend.fit.light import DC, Samples, estimate_light, plausible_skin, transfer_at
from spark_backend.fit.occlusion import look_around
from spark_backend.fit.texels import TexelMap, avatar_texels, texel_map
from spark_backend.render.shading import distant_light, spherical_harmonics

SQUARE = np.array([[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.1, 0.9]])
SQUARE_FACES = np.array([[0, 1, 2], [0, 2, 3]])


def sheet(size: int = 64) -> TexelMap:
    """A square that fills most of the map."""
    return texel_map(SQUARE, SQUARE_FACES, size)


def ball(rings: int = 24, segments: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """A sphere of radius 0.1: vertices and triangles, outward."""
    avatar = toy_avatar(rings, segments)
    unit = (avatar.neutral - avatar.neutral.mean(0)) / (0.08, 0.1, 0.12)
    return 0.1 * unit, avatar.faces


def test_each_texel_knows_its_place_on_the_surface():
    texels = sheet()
    row, column = texels.texel // 64, texels.texel % 64
    place = texels.at(SQUARE, SQUARE_FACES)
    assert np.allclose(place[:, 0], (column + 0.5) / 64, atol=1e-5)
    assert np.allclose(place[:, 1], 1 - (row + 0.5) / 64, atol=1e-5)
    assert abs(len(texels.texel) / 64**2 - 0.64) < 0.03


def test_the_nearest_colour_goes_on_between_the_islands():
    texels = sheet()
    picture = texels.picture(texels.at(SQUARE, SQUARE_FACES)[:, 0])
    assert np.array_equal(picture.ravel()[texels.texel], texels.at(SQUARE, SQUARE_FACES)[:, 0])
    assert picture[32, 0] == picture[32, 6]
    assert picture[0, 32] == picture[6, 32]


def test_chosen_texels_keep_their_places():
    texels = sheet()
    part = texels.chosen(texels.at(SQUARE, SQUARE_FACES)[:, 0] > 0.5)
    assert (part.texel % 64 >= 32).all()
    assert len(np.unique(part.nearest)) == len(part.texel)


def test_a_map_without_texels_is_refused():
    with pytest.raises(ValueError, match="no triangle"):
        texel_map(SQUARE * 1e-6, SQUARE_FACES, 16)


def test_nothing_hides_the_sky_from_a_ball_and_a_shell_hides_it_from_its_core():
    vertices, faces = ball()
    assert look_around(vertices, faces).sky().min() > 0.9
    both = np.concatenate([vertices, 0.3 * vertices])
    nested = look_around(both, np.concatenate([faces, faces + len(vertices)]))
    assert nested.sky()[len(vertices) :].max() < 0.1


def test_transfer_of_a_ball_is_that_of_the_renderer():
    vertices, faces = ball()
    around = look_around(vertices, faces, count=512)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    normals = (around.normals @ turn.T).astype(np.float32)
    transfer = transfer_at(around, normals, turn)
    even = np.zeros(9)
    even[0] = 1 / DC
    assert np.allclose(transfer @ even, 1, atol=0.04)
    # A directional light: its radiance's coefficients are the basis at its direction times pi for an irradiance of pi.
    light = distant_light((0.3, -0.5, -0.8), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    radiance = torch.pi * spherical_harmonics(light.direction).numpy()
    shaded = (spherical_harmonics(torch.as_tensor(normals)) @ light.harmonics)[:, 0].numpy()
    assert np.abs(transfer @ radiance - shaded).max() < 0.12


def known_samples(outliers: float = 0.0) -> tuple[Samples, np.ndarray, np.ndarray]:
    """Skin with spots on a ball that turns in two rooms; the true albedo and shading."""
    random = np.random.default_rng(3)
    normals = random.normal(size=(700, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    albedo = np.array([0.45, 0.27, 0.18]) * np.where(random.random((700, 1)) < 0.15, 0.6, 1.0)
    lights = [
        distant_light((-0.4, -0.6, -0.8), (0.7, 0.7, 0.7), (0.4, 0.4, 0.4)).harmonics.numpy(),
        distant_light((0.7, -0.2, -0.6), (0.9, 0.8, 0.6), (0.2, 0.22, 0.26)).harmonics.numpy(),
    ]
    lobe = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
    colour, weight, transfer, shadings = [], [], [], []
    clip = np.repeat([0, 1], 6)
    for number, room in enumerate(clip):
        angle = 0.15 * (number - 6)
        turned = normals @ np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        basis = spherical_harmonics(torch.as_tensor(turned)).numpy()
        shading = basis @ lights[room]
        colour.append(albedo * shading)
        shadings.append(shading)
        weight.append((turned[:, 2] < -0.15).astype(float))
        transfer.append(basis * lobe)
    colour = np.stack(colour)
    wrong = random.random(colour.shape[:2]) < outliers
    colour[wrong] = random.uniform(0, 1, (int(wrong.sum()), 3))
    samples = Samples(*(a.astype(np.float32) for a in (colour, np.stack(weight), np.stack(transfer))), clip)
    return samples, albedo, np.stack(shadings)


@pytest.mark.parametrize("outliers", [0.0, 0.08])
def test_light_and_albedo_are_told_apart(outliers):
    samples, albedo, shading = known_samples(outliers)
    lighting, found = estimate_light(samples)
    seen = samples.weight.sum(0) > 4
    scale = np.median(albedo[seen] / found[seen], axis=0)
    assert np.median(np.abs(found[seen] * scale / albedo[seen] - 1)) < (0.03 if outliers == 0 else 0.06)
    predicted = np.einsum("msn,mnc->msc", samples.transfer, lighting.harmonics[samples.clip])
    ratio = predicted[samples.weight > 0] / scale / shading[samples.weight > 0]
    assert np.abs(ratio - 1).mean() < 0.07


def test_a_frame_of_another_exposure_gets_its_own_gain():
    samples, _, _ = known_samples()
    samples.colour[3] *= 1.4
    gain = estimate_light(samples)[0].gain
    assert gain[3] / gain[2] == pytest.approx(1.4, rel=0.05)


@pytest.mark.parametrize("skin", [(0.55, 0.35, 0.25), (0.2, 0.11, 0.07)])
def test_skin_stays_skin_and_half_of_a_cast_is_the_lights(skin):
    assert np.allclose(plausible_skin(np.array(skin)), skin, rtol=0.15)
    orange = np.array(skin) * (1.25, 1.0, 0.7)
    corrected = plausible_skin(orange)
    assert corrected[0] / corrected[2] < 0.9 * orange[0] / orange[2]


def test_the_median_colour_is_one_of_the_colours():
    colours = np.random.default_rng(0).uniform(size=(5, 40, 3))
    weights = np.ones((5, 40))
    weights[0] = 0
    median = weighted_median(colours, weights)
    brightness = np.sort(colours[1:].sum(2), axis=0)
    assert np.allclose(median.sum(1), brightness[1])


def test_a_frame_with_a_hand_before_the_face_does_not_count():
    texels = sheet()
    truth = np.tile(np.array([0.4, 0.25, 0.18], np.float32), (len(texels.texel), 1))
    colours = np.stack([truth * g for g in (0.98, 1.0, 1.02, 1.01, 0.99)])
    hand = texels.at(SQUARE, SQUARE_FACES)[:, 0] > 0.5
    colours[2, hand] = (0.2, 0.05, 0.05)
    merged = blend(texels, colours, np.ones(colours.shape[:2], np.float32), np.ones(5))
    assert np.abs(merged.colour / truth - 1).max() < 0.08
    assert agreement(colours, np.ones(colours.shape[:2]))[2, hand].max() < 0.1


def test_detail_comes_from_the_sharpest_frame():
    texels = sheet(512)
    place = texels.at(SQUARE, SQUARE_FACES)
    fine = 0.02 * np.sin(place[:, 0] * 2 * np.pi * 60)[:, None]
    truth = (0.3 + fine * np.ones(3)).astype(np.float32)
    blurred = np.full_like(truth, 0.3)
    colours = np.stack([blurred, blurred, blurred, truth])
    weights = np.ones(colours.shape[:2], np.float32)
    merged = blend(texels, colours, weights, np.array([0.5, 0.5, 0.5, 1.0]))
    inner = (np.abs(place - 0.5) < 0.3).all(1)
    detail = merged.colour[inner, 0] - 0.3
    assert (detail * fine[inner, 0]).sum() / (fine[inner, 0] ** 2).sum() > 0.75


def test_unseen_texels_have_no_weight():
    texels = sheet()
    weights = np.ones((2, len(texels.texel)), np.float32)
    weights[:, ::3] = 0
    merged = blend(texels, np.full((2, len(texels.texel), 3), 0.3, np.float32), weights, np.ones(2))
    assert (merged.confidence[::3] == 0).all()
    assert merged.confidence[1::3].min() > 0.9


@pytest.mark.parametrize("sigma", [1.5, 4.0, 20.0])
def test_smoothing_keeps_a_constant_and_does_not_reach_over_unknown_texels(sigma):
    texels = sheet(128)
    values = np.full((len(texels.texel), 2), 0.7, np.float32)
    known = np.random.default_rng(0).random(len(texels.texel)) < 0.5
    values[~known] = 99
    smooth = smooth_over_map(texels, values, known, sigma)
    assert np.allclose(smooth, 0.7, atol=1e-3)


def test_every_texel_of_a_symmetric_head_finds_its_mirror_image():
    random = np.random.default_rng(1)
    half = random.uniform((0.001, -0.1, 0), (0.08, 0.1, 0.2), (900, 3))
    normals = random.normal(size=(900, 3))
    flip = np.array([-1, 1, 1])
    points, directions = np.concatenate([half, half * flip]), np.concatenate([normals, normals * flip])
    other, found = mirror_texels(points + np.array([0.02, 0, 0]), directions, 0.02)
    assert found.all()
    assert np.array_equal(other, np.r_[np.arange(900, 1800), np.arange(900)])


def test_a_tone_spreads_from_where_it_is_known():
    avatar = toy_avatar(24, 32)
    texels = avatar_texels(avatar, 96)
    points = texels.at(avatar.neutral, avatar.faces)
    diffusion = Diffusion(avatar, texels)
    known = (points[:, 2] > np.median(points[:, 2])).astype(float)
    values = np.full((len(points), 1), 0.4)
    spread = diffusion.spread(values, known, 0.0)[:, 0]
    assert np.allclose(spread[known > 0], 0.4, atol=0.02)
    assert spread.min() > 0.2
    assert (np.abs(diffusion.spread(values, 0 * known, -1.0) + 1) < 1e-6).all()


def test_frames_are_chosen_from_all_around_and_never_without_a_face(tmp_path):
    avatar = toy_avatar()
    take = toy_take(frames=120)
    chosen = choose_frames(avatar, [Observation(tmp_path / "a.mp4", take), Observation(tmp_path / "b.mp4", take)], 12)
    assert len(chosen) == 12
    assert {pick.observation for pick in chosen} == {0, 1}
    assert all(take.valid[pick.frame] for pick in chosen)
    assert len({(pick.observation, pick.frame) for pick in chosen}) == 12
    everything = frame_merit(avatar, take)
    assert everything[[pick.frame for pick in chosen]].mean() > np.quantile(everything, 0.3)
