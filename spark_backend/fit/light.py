"""The light of each clip and the skin's albedo, told apart by alternating least squares.

Light is distant, in spherical harmonics to degree 2 about the camera's axes, and includes the shadow of the head on
itself through what each vertex sees of its surroundings. Colours are linear.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from jaxtyping import Float, Int

from ..render.shading import spherical_harmonics
from .occlusion import Surroundings, sphere_directions

DC = 0.28209479
"""The first harmonic: an even light of radiance 1 has the coefficient 1 / DC."""
TONE_CURVE = np.array([[0.60, 0.39, 0.29], [0.44, 0.26, 0.17], [0.20, 0.108, 0.068], [0.10, 0.056, 0.040]])
"""Skin from light to dark under white light."""
CAST_KEPT = 0.35
"""Part of what takes a skin's colour away from other skins' that is taken for the person's; the rest is light."""
BOUNCE = 0.6
"""Part of the hidden light that reaches a place all the same, from skin to skin."""
DARKEST = 0.4
"""Least light from any side, in parts of the even light."""
IRRADIANCE = np.array([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
"""Radiance to what a white surface reflects, by harmonic: the clamped cosine's factors (Ramamoorthi, Hanrahan 2001)."""
RIDGE = 0.004
"""Strength of the prior for an even light, in parts of the data."""


@dataclass(frozen=True)
class Lighting:
    """What was found: reflected radiance of a white surface is the transfer times these."""

    harmonics: Float[np.ndarray, "C 9 3"]
    """Of each clip."""
    gain: Float[np.ndarray, "M"]
    """Exposure of each frame against its clip's mean."""


@dataclass(frozen=True)
class Samples:
    """`S` places on the skin as seen in `M` frames."""

    colour: Float[np.ndarray, "M S 3"]
    weight: Float[np.ndarray, "M S"]
    transfer: Float[np.ndarray, "M S 9"]
    clip: Int[np.ndarray, "M"]


def transfer_at(
    around: Surroundings, normals: Float[np.ndarray, "V 3"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "V 9"]:
    """What each harmonic of the light, in camera axes, becomes at each vertex of a posed head.

    `normals` are the posed ones in camera axes, `rotation` the skull's (3, 3). Shadows are those of the head at rest.
    """
    towards = around.directions @ rotation.T
    # Light that the head hides comes back in part from the skin that hides it.
    cosine = (normals @ towards.T).clip(min=0) * (BOUNCE + (1 - BOUNCE) * around.visible)
    basis = spherical_harmonics(torch.as_tensor(towards).float(), 9).numpy()
    return (cosine @ basis * (4 / len(towards))).astype(np.float32)


def estimate_light(samples: Samples, rounds: int = 6) -> tuple[Lighting, Float[np.ndarray, "S 3"]]:
    """Light of each clip and albedo of the places.

    The skin starts as one even colour, so that all that a smooth light can explain is light. Absolute scale and cast
    follow `fix_scale`.
    """
    clips = int(samples.clip.max()) + 1
    gain = np.ones(len(samples.clip), np.float32)
    weight = samples.weight.copy()
    albedo = np.ones((samples.colour.shape[1], 3), np.float32) * mean_colour(samples)
    even = 1.0
    for _ in range(rounds):
        harmonics = np.stack([solve_clip(samples, weight, albedo, gain, clip) for clip in range(clips)])
        shading = np.einsum("msn,mnc->msc", samples.transfer, harmonics[samples.clip]).clip(0.02)
        gain = frame_gain(samples, weight, albedo, shading)
        predicted = shading * gain[:, None, None]
        albedo = solve_albedo(samples, weight, predicted, albedo, even)
        even *= 0.5
        error = np.abs(samples.colour - predicted * albedo).sum(2) / (samples.colour.sum(2) + 0.05)
        weight = samples.weight / (1 + (error / 0.15) ** 2)
    harmonics, albedo = fix_scale(samples, harmonics, albedo)
    return Lighting(harmonics, gain), albedo


def mean_colour(samples: Samples) -> Float[np.ndarray, "3"]:
    """Weighted median over everything, as a first guess of the skin under a light of 1."""
    seen = samples.weight > 0.2 * samples.weight.max()
    return np.median(samples.colour[seen], axis=0).clip(0.01)


def solve_clip(
    samples: Samples, weight: np.ndarray, albedo: np.ndarray, gain: np.ndarray, clip: int
) -> Float[np.ndarray, "9 3"]:
    """Ridge regression; colours of the directed part are drawn to the even part's, its strength to zero."""
    rows = samples.clip == clip
    if not rows.any():
        return np.zeros((9, 3))
    matrix = samples.transfer[rows] * gain[rows, None, None]
    w = weight[rows]
    grey_albedo = albedo.mean(1)
    grey = ridge(matrix * grey_albedo[:, None], samples.colour[rows].mean(2), w, np.zeros(9))
    result = np.zeros((9, 3))
    for channel in range(3):
        design = matrix * albedo[:, channel, None]
        target = samples.colour[rows][..., channel]
        cast = (w * target).sum() / max((w * (design @ grey)).sum(), 1e-9)
        result[:, channel] = ridge(design, target, w, cast * grey, 5.0)
    return result


def ridge(
    design: Float[np.ndarray, "M S 9"],
    target: Float[np.ndarray, "M S"],
    weight: Float[np.ndarray, "M S"],
    prior: Float[np.ndarray, "9"],
    strength: float = 1.0,
) -> Float[np.ndarray, "9"]:
    """Least squares drawn to `prior`; the even part is free when the prior is zero.

    No part of the sphere may be darker than `DARKEST` of the even part, or the light that no skin has seen, from
    behind, would come out below zero.
    """
    flat, w = design.reshape(-1, 9), weight.reshape(-1)
    normal = (flat * w[:, None]).T @ flat
    free = 0.0 if not prior.any() else 1.0
    pull = RIDGE * strength * normal[0, 0] * np.diag([1e-4 + free, *[1.0] * 3, *[2.0] * 5])
    right = (flat * w[:, None]).T @ target.reshape(-1) + pull @ prior
    solved = np.linalg.solve(normal + pull, right)
    sphere = irradiance_basis()
    for _ in range(4):
        least = DARKEST * sphere[0, 0] * solved[0]
        dark = sphere[sphere @ solved < least]
        if not len(dark):
            break
        bound = 0.5 * normal[0, 0] / len(sphere)
        solved = np.linalg.solve(normal + pull + bound * dark.T @ dark, right + bound * least * dark.sum(0))
    return solved


@cache
def irradiance_basis() -> Float[np.ndarray, "D 9"]:
    """Reflected radiance of a white surface for each harmonic of the radiance, for normals all around."""
    basis = spherical_harmonics(sphere_directions(96), 9).numpy()
    return basis * IRRADIANCE


def frame_gain(samples: Samples, weight: np.ndarray, albedo: np.ndarray, shading: np.ndarray) -> np.ndarray:
    """Exposure of each frame, mean 1 (geometric) within a clip."""
    predicted = (shading * albedo).sum(2)
    seen = samples.colour.sum(2)
    gain = (weight * seen * predicted).sum(1) / (weight * predicted**2).sum(1).clip(1e-9)
    gain = np.log(gain.clip(0.3, 3))
    for clip in np.unique(samples.clip):
        gain[samples.clip == clip] -= gain[samples.clip == clip].mean()
    return np.exp(gain).astype(np.float32)


def solve_albedo(
    samples: Samples, weight: np.ndarray, predicted: np.ndarray, albedo: np.ndarray, even: float
) -> Float[np.ndarray, "S 3"]:
    """Least squares for each place, drawn to the mean of all places with strength `even`."""
    top = (weight[..., None] * predicted * samples.colour).sum(0)
    bottom = (weight[..., None] * predicted**2).sum(0)
    mean = np.median(albedo, axis=0)
    pull = even * np.median(bottom, axis=0) + 1e-6
    return (top + pull * mean) / (bottom + pull)


def fix_scale(
    samples: Samples, harmonics: Float[np.ndarray, "C 9 3"], albedo: Float[np.ndarray, "S 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Chooses what pictures cannot tell: how bright and of what colour the light is.

    A well exposed picture shows a white wall near 1, so the brightly lit skin has a shading of about 1; most of
    what takes the skin's colour away from the colours that skins have is taken for the light's.
    """
    shading = np.einsum("msn,mnc->msc", samples.transfer, harmonics[samples.clip]).mean(2)
    bright = np.quantile(shading[samples.weight > 0], 0.85)
    skin = np.median(albedo, axis=0) * bright
    skin_colour = plausible_skin(skin)
    factor = skin_colour / np.median(albedo, axis=0)
    return harmonics / factor, albedo * factor


def plausible_skin(seen: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    """The albedo of a skin that shows this colour in a bright, not quite white light.

    Exposure follows the brightest channel, on skin the red one, so its level is believed before the others'.
    """
    tones = np.log(TONE_CURVE)
    fine = np.stack([np.interp(np.linspace(0, 3, 200), range(4), tones[:, k]) for k in range(3)], 1)
    log = np.log(seen.clip(1e-3))
    # Small differences of hue tell skins apart, large ones are the light's.
    hue = ((chroma_of(fine) - chroma_of(log)) ** 2).sum(1) / 0.15**2
    cost = 2 * np.log1p(hue / 2) + (fine[:, 0] - log[0]) ** 2 / 0.35**2
    best = fine[cost.argmin()]
    kept = chroma_of(best) + CAST_KEPT * (chroma_of(log) - chroma_of(best))
    red = 0.7 * log[0] + 0.3 * best[0]
    return np.exp(red + kept - kept[0]).clip(0.01, 0.8)


def chroma_of(log: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3"]:
    """Logarithms of a colour's parts against their mean."""
    return log - log.mean(-1, keepdims=True)
