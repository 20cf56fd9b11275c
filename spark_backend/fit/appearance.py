"""The person's texture maps from frames of their clips: albedo free of light, completed where nothing was seen."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from .blend import Blend, smooth_over_map
from .complete import Diffusion, Mirror, borrow_other_side, even_sides, even_tone, find_mirror
from .fields import mix, ramp
from .gloss import ORGANS, gloss_of_skin, zones_of
from .highlights import measure_gloss
from .irises import eye_paint
from .light import Lighting, estimate_light
from .merging import light_samples, merge
from .paint import Paint, lip_colour, paint_texels
from .relief import bare_skin, find_slopes
from .scalp import Scalp, find_scalp, skin_distance
from .sightings import Frame, material_index
from .subject import Subject, View, look, read_subject
from .texels import avatar_texels

Item = TypeVar("Item")


@dataclass(frozen=True)
class Texture:
    """What the clips tell about a person's looks."""

    albedo: Float[np.ndarray, "S S 4"]
    """Linear, without light; the fourth channel is opacity, below 1 on the lashes."""
    roughness: Float[np.ndarray, "S S"]
    specular: Float[np.ndarray, "S S"]
    """Both as the Principled shader takes them."""
    normal: Float[np.ndarray, "S S 3"]
    """Unit normals in tangent space: along u, along v, outwards."""
    seen: Float[np.ndarray, "S S"]
    """How well each texel of the skin was seen, in [0, 1]."""
    lighting: Lighting
    """Of the clips, for a surface of this albedo."""


def fit_texture(
    avatar: Avatar, frames: Sequence[Frame], size: int = 1024, told: Callable[[float], None] = lambda done: None
) -> Texture:
    """Albedo, gloss and light from at least one frame in which the mesh lies on the person.

    `told` hears every second or two how much is done, and may raise to stop.
    """
    subject = read_subject(avatar, size)
    told(0.05)
    diffusion = Diffusion(avatar, subject.skin)
    mirror = find_mirror(avatar, subject.skin, float(subject.anatomy.eyes[:, 0].mean()))
    views = [look(subject, frame) for frame in telling(frames, told, 0.1, 0.2)]
    if not any((view.sighting.weight > 0).any() for view in views):
        raise SparkError("No frame shows the tracked face inside the picture; track the clips again")
    lighting, albedo = estimate_light(light_samples(subject, views))
    pairs = list(zip(views, lighting.gain, strict=True))
    shading = [shade(diffusion, lighting, view, gain) for view, gain in telling(pairs, told, 0.2, 0.35)]
    merged = merge(subject, views, shading, np.median(albedo, axis=0), lambda done: told(0.35 + 0.4 * done))
    merged = replace(merged, colour=even_sides(diffusion, mirror, merged.colour, merged.confidence))
    plain = subject.plain & (merged.confidence > 0.5)
    skin_colour = np.median(merged.colour[plain] if plain.any() else albedo, axis=0)
    told(0.78)
    seen, scalp = judge(subject, diffusion, merged, skin_colour)
    bare = bare_skin(subject, seen, scalp.cover, skin_colour)
    zones = zones_of(subject.points, subject.anatomy, subject.lips)
    lit = (subject, views, shading, lighting)
    gloss = measure_gloss(*lit, merged.colour, bare, zones, lambda done: told(0.8 + 0.07 * done))
    told(0.87)
    slopes, flattened = find_slopes(*lit, merged, bare, lambda done: told(0.87 + 0.06 * done))
    merged = replace(merged, colour=flattened)
    told(0.93)
    paint = person_paint(subject, views, shading, merged, skin_colour)
    painted = paint_texels(avatar, paint, subject.every)
    told(0.97)
    colour = complete(subject, diffusion, mirror, merged, seen, scalp, painted[subject.rows, :3], skin_colour)
    glossy = gloss_of_skin(subject, zones, gloss, scalp.cover)
    return assemble(subject, painted, colour, glossy, slopes, seen.confidence, lighting)


def shade(diffusion: Diffusion, lighting: Lighting, view: View, gain: np.floating) -> Float[np.ndarray, "V 3"]:
    """What the light makes of white skin at the vertices."""
    lit = diffusion.smoothed(view.transfer @ lighting.harmonics[view.frame.clip] * gain)
    return lit.clip(0.04).astype(np.float32)


def telling(items: Sequence[Item], told: Callable[[float], None], start: float, end: float) -> Iterator[Item]:
    """The items one after the other, telling before each how much of the whole is done."""
    for number, item in enumerate(items):
        told(start + (end - start) * number / len(items))
        yield item


def judge(
    subject: Subject, diffusion: Diffusion, merged: Blend, skin_colour: Float[np.ndarray, "3"]
) -> tuple[Blend, Scalp]:
    """What of the merged colours is the person's: foreign things are taken out, hair is told from skin."""
    scalp = find_scalp(
        diffusion, subject.anatomy, subject.masks, subject.points, merged.colour, merged.confidence, skin_colour
    )
    wide = 6 / 1024 * subject.skin.size
    everywhere = np.ones(len(subject.points), bool)
    foreign = scalp.foreign[:, None].astype(np.float32)
    near = smooth_over_map(subject.skin, foreign, merged.confidence > 0.1, wide)[:, 0]
    # No landmark holds the ears: what lies on them is the ear's colour, but not its shape.
    ears = smooth_over_map(subject.skin, subject.masks["ears"][:, None], everywhere, wide)[:, 0]
    return Blend(merged.colour, merged.weight * ramp(near, 0.3, 0.03) * ramp(ears, 0.45, 0.1)), scalp


def person_paint(
    subject: Subject,
    views: Sequence[View],
    shading: Sequence[Float[np.ndarray, "V 3"]],
    merged: Blend,
    skin_colour: Float[np.ndarray, "3"],
) -> Paint:
    """The person in paint: for what no frame shows, and for eyes, mouth and lashes."""
    trusted = merged.confidence > 0.5
    red = trusted & (subject.lips > 0.9)
    skin = tuple(map(float, skin_colour))
    lips = np.median(merged.colour[red], axis=0) if red.sum() > 20 else lip_colour(skin)
    front = subject.avatar.regions["face"]
    levels = [np.median(s[front], axis=0) for s in shading]
    fine = avatar_texels(subject.avatar, max(subject.every.size, 1024))  # an iris is small
    eyes = fine.chosen(subject.avatar.face_material[fine.face] == material_index(subject.avatar, "eye"))
    pairs = [(view.frame, view.drawing) for view in views]
    default = Paint()
    iris, sclera = eye_paint(subject.avatar, subject.anatomy, eyes, pairs, levels, default)
    return Paint(
        skin=skin,
        lips=tuple(map(float, lips)),
        hair=default.hair,
        iris=iris,
        sclera=sclera,
        blush=0.35,
        mottling=0.4,
        scalp_hair=0.0,
    )


def complete(
    subject: Subject,
    diffusion: Diffusion,
    mirror: Mirror,
    merged: Blend,
    seen: Blend,
    scalp: Scalp,
    painted: Float[np.ndarray, "N 3"],
    skin_colour: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "N 3"]:
    """The skin everywhere: as seen, else as on the other side, else painted in the tone of what is around."""
    alike = (skin_distance(merged.colour, skin_colour) < 2.0) & (subject.lips < 0.05) & (subject.masks["sky"] > 0.45)
    skin = merged.confidence * alike
    evened = even_tone(diffusion, merged.colour, skin, painted)
    colour, confidence = borrow_other_side(diffusion, mirror, evened, seen.confidence)
    ratio = np.log(evened.clip(2e-3)) - np.log(painted.clip(2e-3))
    tone = diffusion.spread(ratio.clip(-0.6, 0.6), skin, 0.0, 0.002, stiffness=4.0)
    filled = mix(painted * np.exp(tone), scalp.colour, scalp.cover)
    texel = subject.skin.size / 1024
    everywhere = np.ones(len(confidence), bool)
    near, around = (smooth_over_map(subject.skin, confidence[:, None], everywhere, w * texel)[:, 0] for w in (2.5, 10))
    share = ramp(np.minimum(near, around), 0.05, 0.75) * ramp(confidence, 0.0, 0.1)
    inside = ramp(subject.masks["mouth_interior"], 0.1, 0.5)
    return mix(mix(filled, colour, share), painted, inside)


def assemble(
    subject: Subject,
    painted: Float[np.ndarray, "A 4"],
    colour: Float[np.ndarray, "N 3"],
    glossy: Float[np.ndarray, "N 2"],
    slopes: Float[np.ndarray, "N 2"],
    seen: Float[np.ndarray, "N"],
    lighting: Lighting,
) -> Texture:
    """The maps of the whole atlas: the paint with the skin in its place."""
    every, rows = subject.every, subject.rows
    albedo = painted.copy()
    albedo[rows, :3] = colour
    gloss = np.tile(np.array([0.5, 0.4], np.float32), (len(every.texel), 1))
    material = subject.avatar.face_material[every.face]
    for name, values in ORGANS.items():
        gloss[material == material_index(subject.avatar, name)] = values
    gloss[rows] = glossy
    normal = np.tile(np.array([0, 0, 1], np.float32), (len(every.texel), 1))
    normal[rows, :2] = slopes
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    confidence = np.zeros(len(every.texel), np.float32)
    confidence[rows] = seen
    return Texture(
        albedo=every.picture(albedo),
        roughness=every.picture(gloss[:, 0]),
        specular=every.picture(gloss[:, 1]),
        normal=every.picture(normal),
        seen=every.picture(confidence),
        lighting=lighting,
    )
