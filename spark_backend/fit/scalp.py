"""Hair on the head: what of it the frames show, and how it goes on over the part of the scalp that they do not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from .anatomy import Anatomy
from .complete import Diffusion
from .fields import fractal, ramp
from .hair import above_hairline, brow_coordinates, scalp_strands
from .paint import HAIR_COLOURS

HAIR_ZONE = -0.035
"""Metres below the usual hairline from which what is not skin may be hair."""
SKIN_SPREAD = np.array([0.45, 0.11, 0.13])
"""Standard deviations of a person's skin: log brightness, log red over green, log green over blue."""


@dataclass(frozen=True)
class Scalp:
    """The head's hair at each texel of the skin."""

    cover: Float[np.ndarray, "N"]
    """How much of the skin it hides."""
    colour: Float[np.ndarray, "N 3"]
    """Linear albedo with strands."""
    foreign: Bool[np.ndarray, "N"]
    """Seen, but neither skin nor hair: clothes, background, hands."""


def skin_distance(colour: Float[np.ndarray, "N 3"], skin: Float[np.ndarray, "3"]) -> Float[np.ndarray, "N"]:
    """How far a colour is from the person's skin, in standard deviations."""
    difference = features(colour) - features(skin[None])
    return np.sqrt(((difference / SKIN_SPREAD) ** 2).sum(1))


def features(colour: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N 3"]:
    """Log brightness and two log ratios; a floor keeps the noise of black out."""
    log = np.log(colour + 0.004)
    return np.stack([log.mean(1), log[:, 0] - log[:, 1], log[:, 1] - log[:, 2]], 1)


def brow_colour(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, colour: Float[np.ndarray, "N 3"], trusted: Bool[np.ndarray, "N"]
) -> Float[np.ndarray, "3"] | None:
    """The darkest of what lies along the brows: a guess of the hair where no hair is seen."""
    dark = []
    for line in anatomy.brows:
        along, across, near = brow_coordinates(points, line, 0.005 * anatomy.unit)
        rows = near[(along > 0.1) & (along < 0.8) & (np.abs(across) < 0.004 * anatomy.unit)]
        rows = rows[trusted[rows]]
        if len(rows) > 40:
            dark.append(np.quantile(colour[rows], 0.12, axis=0))
    return np.mean(dark, axis=0) * 0.8 if dark else None


def find_scalp(
    diffusion: Diffusion,
    anatomy: Anatomy,
    masks: dict[str, np.ndarray],
    points: Float[np.ndarray, "N 3"],
    colour: Float[np.ndarray, "N 3"],
    confidence: Float[np.ndarray, "N"],
    skin: Float[np.ndarray, "3"],
) -> Scalp:
    """Tells hair from skin where the scalp is seen, and carries both on where it is not."""
    unit = anatomy.unit
    above = above_hairline(points, anatomy, masks["slope"])
    distance = skin_distance(colour, skin)
    trusted = confidence > 0.2
    zone = (above > HAIR_ZONE * unit) & (masks["ears"] < 0.3) & (masks["neck"] < 0.5)
    darker = colour.mean(1) < 0.75 * skin.mean()
    unlike = distance > 2.2
    near_ears = diffusion.spread(masks["ears"][:, None], np.ones(len(points)), 0.0, stiffness=3.0)[:, 0] > 0.06
    hair_seen = trusted & zone & unlike & (darker | (above > 0))
    inner = (masks["face"] > 0.5) & (above < -0.02 * unit)
    # Beside the model's ear the person's own may lie, which no landmark holds in place.
    foreign = trusted & near_ears & ~hair_seen & (above > -0.004 * unit)
    # Below the face cloth and collar are never far, so less is let pass there.
    foreign |= (confidence > 0.1) & (distance > np.where(masks["neck"] > 0.3, 1.5, 2.2)) & ~inner & ~zone
    hair = hair_colour(points, anatomy, colour, hair_seen & (above > -0.02 * unit), trusted & ~hair_seen, skin)
    # The boundary: what is seen, where it is seen; elsewhere the usual hairline, drawn to what is seen around.
    usual = np.where(masks["ears"] > 0.3, -2.0, np.clip(above / (0.008 * unit), -2, 2))
    seen_value = np.where(hair_seen, 2.0, -2.0)
    trust = np.where(trusted & zone & ~foreign, confidence, 0)
    bias = diffusion.spread((seen_value - usual)[:, None], trust, 0.0, 0.006)[:, 0]
    ragged = 0.25 * fractal(points, 0.005 * unit, 91)
    cover = ramp(usual + bias + ragged * (confidence < 0.5), -0.35, 0.75)
    cover *= 1 - ramp(masks["ears"], 0.05, 0.5)
    # Its tone follows what is seen of it near by.
    strands = scalp_strands(points, anatomy, 7)[:, None]
    tone = np.log(colour.clip(2e-3)) - np.log(hair)
    tone = diffusion.spread(tone.clip(-0.7, 0.7), np.where(hair_seen, confidence, 0), 0.0, 0.05)
    return Scalp(cover, hair * np.exp(tone) * strands, foreign)


def hair_colour(
    points: np.ndarray,
    anatomy: Anatomy,
    colour: np.ndarray,
    hair_seen: np.ndarray,
    others: np.ndarray,
    skin: np.ndarray,
) -> Float[np.ndarray, "3"]:
    """Of the hair that is seen, else of the brows, else brown."""
    if hair_seen.sum() > 200:
        return np.quantile(colour[hair_seen], 0.35, axis=0).clip(4e-3, 0.6)  # shine and what shows through are brighter
    guess = brow_colour(points, anatomy, colour, others)
    if guess is not None and guess.mean() < 0.7 * skin.mean():
        return guess.clip(6e-3, 0.4)
    return np.array(HAIR_COLOURS[2])
