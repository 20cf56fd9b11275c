"""Roughness and specular level of a person's skin from the highlights in the frames.

What a matt skin does not explain is a highlight where it sits where one lamp is mirrored: it moves with the head while
colour moves with the skin, it is narrow while errors of the light are wide, and it is the lamp's colour, not the
skin's. Each zone of the skin has one roughness and one level. The lamp's strength is what the clip's light is brighter
from its side, so that levels have the albedo's scale. Both start from anatomy and leave it as far as the frames tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..render.shading import Light, highlight
from .fields import ramp
from .gloss import ZONES
from .light import Lighting
from .occlusion import sphere_directions
from .paint import texel_spacing
from .relief import unit
from .subject import Subject, View

ROUGHNESSES = np.geomspace(0.18, 0.75, 12)
ROUGHNESS_SPREAD, LEVEL_SPREAD = 0.25, 0.35
"""Of people about the zones' usual roughness (logarithm) and specular level (in parts of it)."""
MOTTLED = 0.10
"""Usual difference of the skin's own colour from its zone's mean, in parts."""
NOISE = 0.10
"""Of a texel's colour in a frame, in parts: compression, tracking."""
CORRELATED = 0.008
"""Metres over which errors are alike: so far apart are places that tell something new."""
LEAN = 0.2
"""Usual error of the clip's light, in parts, by the normal's direction."""
DARK_OUTLIER = 0.3
"""Parts by which a colour lies under the model from where on it is shadow or hair."""
SHARED_RANGE = (0.5, 1.6)
"""By how much all of a person's skin may be less or more shiny than usual."""
PLACES = 400
"""Texels looked at in a zone."""
LAMPS = 120
"""Directions in which a clip's lamp is looked for."""
DIRECTIONAL = np.pi * 0.48860251
"""First-degree coefficient of the radiance of a lamp of strength 1, times its direction."""
BEHIND = 0.2
"""Part of a direction that may point away from the camera: what a lamp behind the head does is no mirror image."""
SIDELONG = 0.3
"""Least part of the directed light that a lamp gets from any direction in which it is looked for."""


@dataclass(frozen=True)
class Glints:
    """One zone in one clip: `S` texels in `M` frames, colours in parts of what the zone would have if it were matt."""

    colour: Float[np.ndarray, "S M 3"]
    weight: Float[np.ndarray, "S M"]
    normal: Float[np.ndarray, "S M 3"]
    """Camera axes."""
    view: Float[np.ndarray, "S M 3"]
    """Towards the camera."""
    matt: Float[np.ndarray, "S M 3"]
    """The colours' unit, linear."""
    worth: float
    """Independent places in one texel."""


@dataclass(frozen=True)
class Heard:
    """Normal equation of a specular level (1 is that of an index of refraction of 1.5), all else eliminated."""

    information: float
    right: float


def measure_gloss(
    subject: Subject,
    views: Sequence[View],
    shading: Sequence[Float[np.ndarray, "V 3"]],
    lighting: Lighting,
    colour: Float[np.ndarray, "N 3"],
    bare: Float[np.ndarray, "N"],
    zones: Float[np.ndarray, "N K"],
    told: Callable[[float], None] = lambda done: None,
) -> Float[np.ndarray, "K 2"]:
    """Roughness and specular level of each zone, as the Principled shader takes them.

    `shading` is what the light makes of white skin at the vertices in each view, `colour` the skin's albedo, `bare` in
    [0, 1] how far a place is skin without hair, `zones` as `zones_of` says. `told` hears how much is done.
    """
    clips = sorted({view.frame.clip for view in views})
    seen = [
        [glints(subject, views, shading, colour, bare * zones[:, k], clip) for clip in clips] for k in range(len(ZONES))
    ]
    lamps = []
    for number, clip in enumerate(clips):
        told(0.8 * number / len(clips))
        lamps.append(find_lamp([row[number] for row in seen], lighting.harmonics[clip]))
    told(0.8)
    usual = np.array(list(ZONES.values())) * (1, 2)
    heard = [
        [summed([listen(g, lamp, r) for g, lamp in zip(row, lamps, strict=True)]) for r in ROUGHNESSES] for row in seen
    ]
    # A skin that is oilier than others is so everywhere: what a zone cannot tell, the others do.
    common = shared_factor(heard, usual)
    found = np.array([zone_gloss(row, rough, level * common) for row, (rough, level) in zip(heard, usual, strict=True)])
    return (found * (1, 0.5)).clip(0, 1)


def glints(
    subject: Subject,
    views: Sequence[View],
    shading: Sequence[Float[np.ndarray, "V 3"]],
    colour: Float[np.ndarray, "N 3"],
    share: Float[np.ndarray, "N"],
    clip: int,
) -> Glints:
    """What a clip shows of one zone, of which the texels have `share`."""
    every = np.flatnonzero(share > 0.5)
    rows = np.random.default_rng(0).permutation(every)[:PLACES]
    texels, faces = subject.skin.chosen(rows), subject.avatar.faces
    mean = np.median(colour[rows], axis=0).clip(0.01) if len(rows) else np.ones(3)
    parts = {name: [] for name in ("colour", "weight", "normal", "view", "matt")}
    for seen, lit in zip(views, shading, strict=True):
        if seen.frame.clip != clip:
            continue
        light = texels.at(lit, faces)
        matt = (light * mean).clip(1e-3)
        parts["matt"].append(matt)
        parts["colour"].append((seen.sighting.colour[rows] / matt).clip(0, 4))
        parts["weight"].append(seen.sighting.weight[rows] * ramp(light.mean(1) / np.quantile(lit, 0.8), 0.1, 0.4))
        parts["normal"].append(unit(texels.at(seen.sighting.normals, faces)))
        parts["view"].append(-unit(texels.at(seen.frame.vertices, faces)))
    stacked = {name: np.stack(values, 1).astype(float) for name, values in parts.items()}
    area = len(every) * texel_spacing(subject.avatar, subject.every) ** 2
    return Glints(**stacked, worth=min(1.0, area / CORRELATED**2 / max(len(rows), 1)))


def find_lamp(zones: Sequence[Glints], harmonics: Float[np.ndarray, "9 3"]) -> Light:
    """The lamp whose mirror image explains most of a clip's highlights at the zones' usual gloss."""
    directed = harmonics[[3, 1, 2]]
    lamps = []
    for direction in sphere_directions(LAMPS).numpy():
        if direction[2] > BEHIND:
            continue
        most = np.linalg.norm(directed, axis=0)
        strength = np.maximum(directed.T @ direction, SIDELONG * most) / DIRECTIONAL
        lamps.append(Light(*(torch.as_tensor(part).float() for part in (harmonics, direction, strength))))
    usual = list(ZONES.values())

    def gain(lamp: Light) -> float:
        heard = [listen(zone, lamp, rough) for zone, (rough, _) in zip(zones, usual, strict=True)]
        levels = [posterior(one, 2 * level)[0] for one, (_, level) in zip(heard, usual, strict=True)]
        return sum(one.right * s - 0.5 * one.information * s**2 for one, s in zip(heard, levels, strict=True))

    return max(lamps, key=gain)


def listen(zone: Glints, lamp: Light, roughness: float) -> Heard:
    """What a zone says of its specular level if the lamp is the clip's.

    Generalised least squares: a texel's own colour is one unknown with a prior, the light's error another that is
    linear in the normal; both are eliminated.
    """
    if zone.colour.size == 0:
        return Heard(0.0, 0.0)
    normal, view = (torch.as_tensor(values).float() for values in (zone.normal, zone.view))
    mirrored = highlight(normal, view, lamp, roughness).double().numpy() / zone.matt
    weight = zone.weight / (1 + ((zone.colour.mean(2) - 1).clip(max=0) / DARK_OUTLIER) ** 2)
    shared = MOTTLED**2 / (NOISE**2 + MOTTLED**2 * weight.sum(1))
    information = right = 0.0
    for channel in range(3):
        columns = np.concatenate([np.ones((*weight.shape, 1)), zone.normal, mirrored[..., channel, None]], 2)
        values = np.concatenate([columns, zone.colour[..., channel, None] - 1], 2)
        sums = np.einsum("sm,smp->sp", weight, values)
        product = np.einsum("sm,smp,smq->pq", weight, values, values) - np.einsum("s,sp,sq->pq", shared, sums, sums)
        product *= zone.worth / NOISE**2
        nuisance = product[:4, :4] + np.diag([1e-6, *[1 / LEAN**2] * 3])
        cross = product[4:, :4]
        reduced = product[4:, 4:] - cross @ np.linalg.solve(nuisance, cross.T)
        information, right = information + reduced[0, 0], right + reduced[0, 1]
    # The three channels err together.
    return Heard(max(information, 0.0) / 3, right / 3)


def summed(heard: Sequence[Heard]) -> Heard:
    """Of independent clips."""
    return Heard(sum(one.information for one in heard), sum(one.right for one in heard))


def posterior(heard: Heard, usual: float) -> tuple[float, float]:
    """Specular level with the prior about the usual one, and the logarithm of the evidence."""
    trust = 1 / (LEVEL_SPREAD * usual) ** 2
    mass = heard.information + trust
    level = (heard.right + usual * trust) / mass
    return max(level, 0.0), 0.5 * (mass * level**2 - trust * usual**2 - np.log(mass / trust))


def shared_factor(heard: Sequence[Sequence[Heard]], usual: Float[np.ndarray, "K 2"]) -> float:
    """By how much the person's skin is more or less shiny than usual, from all zones at their usual roughness."""
    information = right = 1 / LEVEL_SPREAD**2
    for row, (rough, level) in zip(heard, usual, strict=True):
        one = row[int(np.abs(np.log(ROUGHNESSES / rough)).argmin())]
        # A zone that tells much still counts as one zone.
        information += one.information * level**2 / (1 + one.information * (LEVEL_SPREAD * level) ** 2)
        right += one.right * level / (1 + one.information * (LEVEL_SPREAD * level) ** 2)
    return float(np.clip(right / information, *SHARED_RANGE))


def zone_gloss(heard: Sequence[Heard], rough: float, level: float) -> tuple[float, float]:
    """Mean over the roughnesses by their evidence: roughness and specular level."""
    found = [posterior(one, level) for one in heard]
    prior = -0.5 * (np.log(ROUGHNESSES / rough) / ROUGHNESS_SPREAD) ** 2
    log = np.array([evidence for _, evidence in found]) + prior
    share = np.exp(log - log.max())
    share /= share.sum()
    return float(np.exp(share @ np.log(ROUGHNESSES))), float(share @ [level for level, _ in found])
