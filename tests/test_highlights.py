"""Roughness and specular level of rendered skin, found again from its highlights."""

import numpy as np
import pytest
import torch

from spark_backend.fit.gloss import ZONES, zones_of
from spark_backend.fit.highlights import measure_gloss
from spark_backend.fit.light import estimate_light
from spark_backend.fit.merging import light_samples, merge
from spark_backend.fit.sightings import Frame
from spark_backend.fit.subject import Subject, look, read_subject
from spark_backend.heads.anny import load_anny
from spark_backend.render.colour import bytes_from_linear
from spark_backend.render.decoder import avatar_topology
from spark_backend.render.deferred import render_batch
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import distant_light, over
from spark_backend.render.warp import WarpRasterizer

SIZE, PICTURE, DISTANCE = 192, 256, 0.7
FACING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
LIGHTS = (
    distant_light((-0.5, -0.5, -0.7), (0.60, 0.58, 0.56), (0.25, 0.26, 0.28)),
    distant_light((0.5, -0.4, -0.75), (0.50, 0.49, 0.47), (0.30, 0.30, 0.32)),
)
TURNS = ((-0.5, 0.0), (-0.2, 0.15), (0.2, -0.15), (0.5, 0.0))
SKIN = (0.36, 0.21, 0.14)


def filmed(subject: Subject, gloss: np.ndarray) -> list[Frame]:
    """The head from some sides in two lights; `gloss` (K, 2) roughness and specular level of the zones."""
    avatar = subject.avatar
    zones = zones_of(subject.points, subject.anatomy, subject.lips)
    values = np.zeros((len(subject.every.texel), 8), np.float32)
    values[:, :3], values[:, 4], values[:, 7] = SKIN, 0.5, 1
    values[subject.rows, 3], values[subject.rows, 4] = 2 * (zones @ gloss[:, 1]), zones @ gloss[:, 0]
    maps = Maps(torch.as_tensor(subject.every.picture(values)))
    K = np.array([[2.6 * PICTURE, 0, PICTURE / 2], [0, 2.6 * PICTURE, PICTURE / 2], [0, 0, 1.0]])
    middle, frames = avatar.neutral[avatar.regions["face"]].mean(0), []
    for clip, light in enumerate(LIGHTS):
        for yaw, pitch in TURNS:
            turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
            rotation = FACING @ nod @ turn
            points = (avatar.neutral - middle) @ rotation.T + [0, 0, DISTANCE]
            posed, camera = torch.as_tensor(points).float()[None], torch.as_tensor(K).float()[None]
            size = (PICTURE, PICTURE)
            colour, cover = render_batch(posed, camera, size, avatar_topology(avatar), maps, [light], WarpRasterizer())
            picture = bytes_from_linear(over(colour, cover, torch.full((3,), 0.1)))[0].numpy()
            frames.append(Frame(picture, points, K, clip, rotation))
    return frames


@pytest.fixture(scope="module")
def subject() -> Subject:
    return read_subject(load_anny().avatar(), SIZE)


def found(subject: Subject, gloss: np.ndarray) -> np.ndarray:
    """(K, 2) what is measured of skin of that gloss; levels as they would be if the albedo's scale were right, which
    no picture tells."""
    views = [look(subject, frame) for frame in filmed(subject, gloss)]
    lighting, albedo = estimate_light(light_samples(subject, views))
    pairs = zip(views, lighting.gain, strict=True)
    shading = [(view.transfer @ lighting.harmonics[view.frame.clip] * gain).clip(0.04) for view, gain in pairs]
    merged = merge(subject, views, shading, np.median(albedo, axis=0))
    zones = zones_of(subject.points, subject.anatomy, subject.lips)
    bare = merged.confidence * (subject.plain | (subject.lips > 0.5))
    measured = measure_gloss(subject, views, shading, lighting, merged.colour, bare, zones)
    return measured * (1, np.mean(SKIN) / np.median(merged.colour[subject.plain], axis=0).mean())


def test_oily_and_dull_skin_are_told_apart(subject: Subject) -> None:
    usual = np.array(list(ZONES.values()))
    oily, dull = usual * (0.75, 1.2), usual * (1.3, 0.7)
    found_oily, found_dull = found(subject, oily), found(subject, dull)
    # Of the cheeks most is seen.
    np.testing.assert_allclose(found_oily[0], oily[0], rtol=0.25)
    np.testing.assert_allclose(found_dull[0], dull[0], rtol=0.25)
    assert (found_oily[:, 0] < 0.95 * found_dull[:, 0]).all()
    assert (found_oily[:3, 1] > 1.2 * found_dull[:3, 1]).all()


def test_nothing_seen_leaves_anatomy(subject: Subject) -> None:
    views = [look(subject, frame) for frame in filmed(subject, np.array(list(ZONES.values())))[:1]]
    lighting, _ = estimate_light(light_samples(subject, views))
    shading = [np.ones((len(subject.avatar.neutral), 3), np.float32)]
    nothing = np.zeros(len(subject.points))
    zones, colour = zones_of(subject.points, subject.anatomy, subject.lips), np.full((len(nothing), 3), 0.3)
    np.testing.assert_allclose(
        measure_gloss(subject, views, shading, lighting, colour, nothing, zones), list(ZONES.values()), rtol=0.1
    )
