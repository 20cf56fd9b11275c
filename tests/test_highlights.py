"""Roughness and specular level of rendered skin, found again from its highlights."""

import numpy as np
import pytest
import torch
from photographs import photographed

from spark_backend.fit.gloss import ZONES, zones_of
from spark_backend.fit.highlights import measure_gloss
from spark_backend.fit.light import estimate_light
from spark_backend.fit.merging import light_samples, merge
from spark_backend.fit.sightings import Frame
from spark_backend.fit.subject import Subject, look, read_subject
from spark_backend.heads.anny import load_anny
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import distant_light

SIZE, PICTURE = 192, 256
LIGHTS = (
    distant_light((-0.5, -0.5, -0.7), (0.60, 0.58, 0.56), (0.25, 0.26, 0.28)),
    distant_light((0.5, -0.4, -0.75), (0.50, 0.49, 0.47), (0.30, 0.30, 0.32)),
)
SKIN = (0.36, 0.21, 0.14)


def filmed(subject: Subject, gloss: np.ndarray) -> list[Frame]:
    """The head from some sides in two lights; `gloss` (K, 2) roughness and specular level of the zones."""
    avatar = subject.avatar
    zones = zones_of(subject.points, subject.anatomy, subject.lips)
    values = np.zeros((len(subject.every.texel), 8), np.float32)
    values[:, :3], values[:, 4], values[:, 7] = SKIN, 0.5, 1
    values[subject.rows, 3], values[subject.rows, 4] = 2 * (zones @ gloss[:, 1]), zones @ gloss[:, 0]
    maps = Maps(torch.as_tensor(subject.every.picture(values)))
    return photographed(avatar, maps, LIGHTS, PICTURE)


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
