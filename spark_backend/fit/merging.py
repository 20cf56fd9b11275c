"""From what the frames show to one albedo of the skin, as far as it was seen."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float

from .blend import Blend, blend
from .fields import ramp
from .light import Samples
from .subject import Subject, View

GLARE = (1.35, 1.8)
"""Brightness, in the skin's, from which colours are bent back, and the most that comes out."""
PLACES = 6000
"""Texels from which the light is estimated."""


def light_samples(subject: Subject, views: Sequence[View]) -> Samples:
    """Plain skin, a few thousand texels of it, in all frames."""
    total = sum(view.sighting.weight for view in views)
    usable = np.flatnonzero(subject.plain & (total > 0))
    if len(usable) < 50:
        usable = np.flatnonzero(total > 0)
    chosen = np.random.default_rng(0).permutation(usable)[:PLACES]
    places, faces = subject.skin.chosen(chosen), subject.avatar.faces
    return Samples(
        colour=np.stack([view.sighting.colour[chosen] for view in views]),
        weight=np.stack([view.sighting.weight[chosen] for view in views]),
        transfer=np.stack([places.at(view.transfer, faces) for view in views]),
        clip=np.array([view.frame.clip for view in views]),
    )


def merge(
    subject: Subject,
    views: Sequence[View],
    shading: Sequence[Float[np.ndarray, "V 3"]],
    skin_colour: Float[np.ndarray, "3"],
    told: Callable[[float], None] = lambda done: None,
) -> Blend:
    """The skin's albedo where it was seen; `told` as in `blend`."""
    colours, weights = [], []
    for number, (view, vertex_shading) in enumerate(zip(views, shading, strict=True)):
        told(0.2 * number / len(views))
        lit = subject.skin.at(vertex_shading, subject.avatar.faces)
        colour = without_glare(view.sighting.colour / lit, skin_colour)
        # In deep shade little light tells little, and a small error of the shading tells lies.
        trust = ramp(lit.mean(1) / np.quantile(lit, 0.8), 0.1, 0.45)
        colours.append(colour)
        weights.append(view.sighting.weight * trust * is_rim_skin(subject, colour, skin_colour))
    sharpness = np.array([view.sharpness for view in views])
    colour, weight = np.stack(colours), np.stack(weights, dtype=np.float32)
    return blend(subject.skin, colour, weight, sharpness / sharpness.max(), lambda done: told(0.2 + 0.8 * done))


def without_glare(colour: Float[np.ndarray, "N 3"], skin_colour: Float[np.ndarray, "3"]) -> Float[np.ndarray, "N 3"]:
    """Bends what is much brighter than the skin back towards it: highlights, and shade that the model overrates."""
    bright = colour.mean(1) / skin_colour.mean()
    knee, most = GLARE
    bent = knee + (most - knee) * np.tanh((bright - knee).clip(0) / (most - knee))
    return colour * np.where(bright > knee, bent / bright.clip(1e-6), 1.0)[:, None]


def is_rim_skin(
    subject: Subject, colour: Float[np.ndarray, "N 3"], skin_colour: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "N"]:
    """0 where a lid shows the colour of an eyeball, or a lip that of teeth or of the open mouth; else 1.

    Skin is redder than eyes and teeth are, whatever its tone.
    """
    redness = np.log((colour[:, 0] + 0.004) / (colour[:, 1] + 0.004)) - np.log(skin_colour[0] / skin_colour[1])
    is_red = ramp(redness, -0.32, -0.14)
    is_bright = ramp(colour.mean(1) / skin_colour.mean(), 0.12, 0.3)
    lids, lips = ramp(subject.masks["eyelids"], 0.05, 0.3), subject.mouth_rim
    # Lashes and the shade of a fold are dark and hardly coloured; they belong to the lid.
    pale = ramp(colour.mean(1) / skin_colour.mean(), 0.2, 0.35)
    return (1 - lids * pale * (1 - is_red)) * (1 - lips * (1 - is_red * is_bright))
