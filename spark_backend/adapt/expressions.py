"""Random expressions, as ARKit weights: moments of recorded performances, varied, and free combinations."""

import numpy as np
from jaxtyping import Float

from ..protocol.names import ARKIT_52, mirrored

Weights = Float[np.ndarray, "_ 52"]

MIRROR = np.array([ARKIT_52.index(mirrored(name)) for name in ARKIT_52])
"""Columns of the mirrored expression; `mirrored` swaps Left and Right, and so do jawLeft and mouthLeft."""
FREE_PART = 0.35
"""Part of the samples that are free combinations."""
BLINKS = tuple(ARKIT_52.index(f"eyeBlink{side}") for side in ("Left", "Right"))
LID_RIVALS = tuple(
    (blink, ARKIT_52.index(f"{name}{side}"))
    for blink, side in zip(BLINKS, ("Left", "Right"), strict=True)
    for name in ("eyeLookDown", "eyeLookUp", "eyeSquint", "eyeWide")
)
OPPOSITES = tuple(
    (ARKIT_52.index(one), ARKIT_52.index(other))
    for one, other in (
        *(
            (f"eyeLook{a}{side}", f"eyeLook{b}{side}")
            for a, b in (("In", "Out"), ("Up", "Down"))
            for side in ("Left", "Right")
        ),
        *(("jawLeft", "jawRight"), ("mouthLeft", "mouthRight")),
    )
)


def random_weights(random: np.random.Generator, pool: Weights, count: int) -> Weights:
    """`count` expressions in [0, 1]; `pool` holds moments of performances."""
    free = random.random(count) < FREE_PART
    weights = np.where(free[:, None], free_combinations(random, count), varied_moments(random, pool, count))
    mirror = random.random(count) < 0.5
    weights = np.where(mirror[:, None], weights[:, MIRROR], weights)
    return plausible(weights)


def varied_moments(random: np.random.Generator, pool: Weights, count: int) -> Weights:
    """Moments of the pool, two of them mixed at times, stronger or weaker, each channel a little off."""
    one, other = pool[random.integers(len(pool), size=(2, count))]
    share = np.where(random.random(count) < 0.3, random.random(count), 0.0)[:, None]
    gain = random.uniform(0.7, 1.3, (count, 1)) * np.exp(random.normal(0, 0.2, (count, 52)))
    lively = random.random((count, 52)) < 0.06
    return (one + share * (other - one)) * gain + lively * random.beta(1, 2.5, (count, 52))


def free_combinations(random: np.random.Generator, count: int) -> Weights:
    """A few expressions each, alike on both sides most of the time; one in eight faces is at rest."""
    busy = random.uniform(0, 0.22, (count, 1)) * (random.random((count, 1)) > 0.12)
    active = random.random((count, 52)) < busy
    strength = active * random.beta(1.1, 1.4, (count, 52))
    alike = (random.random((count, 52)) < 0.7) & (np.arange(52) != MIRROR)
    both = np.maximum(strength, strength[:, MIRROR]) * random.uniform(0.8, 1.0, (count, 52))
    return with_glance(random, np.where(alike, both, strength))


def with_glance(random: np.random.Generator, weights: Weights) -> Weights:
    """Both eyes look the same way."""
    left, up = random.normal(size=(2, len(weights))) * [[0.35], [0.3]]
    for side, outward in (("Left", left), ("Right", -left)):
        for name, value in (("Out", outward), ("In", -outward), ("Up", up), ("Down", -up)):
            weights[:, ARKIT_52.index(f"eyeLook{name}{side}")] = value.clip(0, 1)
    return weights


def plausible(weights: Weights) -> Weights:
    """Within [0, 1], and nothing that no face can do: lips closed beyond the jaw, looks both ways, lids that cross."""
    weights = np.clip(weights, 0, 1)
    column = ARKIT_52.index
    weights[:, column("mouthClose")] = np.minimum(weights[:, column("mouthClose")], weights[:, column("jawOpen")])
    weights[:, column("tongueOut")] *= weights[:, column("jawOpen")] > 0.15
    for one, other in OPPOSITES:
        smaller = np.minimum(weights[:, one], weights[:, other])
        weights[:, one] -= smaller
        weights[:, other] -= smaller
    for blink, rival in LID_RIVALS:
        weights[:, rival] *= 1 - 0.8 * weights[:, blink]
    return weights


def from_rest(recording: Weights) -> Weights:
    """A recording without the performer's resting values: 85 % of each channel's 15th percentile, looks as they are."""
    rest = 0.85 * np.percentile(recording, 15, axis=0)
    rest[[i for i, name in enumerate(ARKIT_52) if name.startswith("eyeLook")]] = 0
    return np.clip(recording - rest, 0, 1)
