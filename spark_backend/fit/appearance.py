"""The person's texture maps from frames of their clips: albedo free of light, completed where nothing was seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from ..protocol.avatar import Avatar
from .anatomy import Anatomy, read_anatomy
from .blend import Blend, blend, smooth_over_map
from .complete import Diffusion, Mirror, borrow_other_side, even_sides, even_tone, find_mirror
from .fields import mix, ramp
from .gloss import ORGANS, gloss_of_skin
from .hair import above_hairline, brow_cover
from .irises import eye_paint
from .light import Lighting, Samples, estimate_light, transfer_at
from .occlusion import Surroundings, look_around
from .paint import Paint, lip_colour, lip_cover, paint_texels, skin_masks, texel_spacing
from .scalp import Scalp, find_scalp, skin_distance
from .sightings import SKIN, Drawing, Frame, Sighting, draw_over, face_kinds, material_index, sight
from .texels import TexelMap, avatar_texels

MARGIN = 0.0035
"""Metres by which tracking errs sideways, at silhouettes."""
ORGAN_MARGIN = 0.0012
"""The same at lids and lips, which landmarks hold in place."""
GLARE = (1.35, 1.8)
"""Brightness, in the skin's, from which colours are bent back, and the most that comes out."""
PLACES = 6000
"""Texels from which the light is estimated."""


@dataclass(frozen=True)
class Texture:
    """What the clips tell about a person's looks."""

    albedo: Float[np.ndarray, "S S 4"]
    """Linear, without light; the fourth channel is opacity, below 1 on the lashes."""
    roughness: Float[np.ndarray, "S S"]
    specular: Float[np.ndarray, "S S"]
    """Both as the Principled shader takes them."""
    seen: Float[np.ndarray, "S S"]
    """How well each texel of the skin was seen, in [0, 1]."""
    lighting: Lighting
    """Of the clips, for a surface of this albedo."""


@dataclass(frozen=True)
class Subject:
    """The head whose outer skin is to be textured."""

    avatar: Avatar
    anatomy: Anatomy
    every: TexelMap
    """Of the whole atlas."""
    skin: TexelMap
    """Of the outer skin."""
    points: Float[np.ndarray, "N 3"]
    """The skin's texels at rest, metres."""
    masks: dict[str, np.ndarray]
    around: Surroundings
    lips: Float[np.ndarray, "N"]
    mouth_rim: Float[np.ndarray, "N"]
    """1 on the lips' inner edge."""
    plain: Bool[np.ndarray, "N"]
    """Bare skin in almost every face: no lips, brows, lids, nostrils, hair."""

    @property
    def rows(self) -> Int[np.ndarray, "N"]:
        """The skin's texels among those of the atlas."""
        return np.searchsorted(self.every.texel, self.skin.texel)


@dataclass(frozen=True)
class View:
    """A frame and what it shows."""

    frame: Frame
    drawing: Drawing
    sighting: Sighting
    transfer: Float[np.ndarray, "V 9"]
    sharpness: float


def fit_texture(avatar: Avatar, frames: Sequence[Frame], size: int = 1024) -> Texture:
    """Albedo, gloss and light from at least one frame in which the mesh lies on the person."""
    subject = read_subject(avatar, size)
    diffusion = Diffusion(avatar, subject.skin)
    mirror = find_mirror(avatar, subject.skin, float(subject.anatomy.eyes[:, 0].mean()))
    views = [look(subject, frame) for frame in frames]
    lighting, albedo = estimate_light(light_samples(subject, views))
    shading = [
        diffusion.smoothed(view.transfer @ lighting.harmonics[view.frame.clip] * gain).clip(0.04).astype(np.float32)
        for view, gain in zip(views, lighting.gain, strict=True)
    ]
    merged = merge(subject, views, shading, np.median(albedo, axis=0))
    merged = replace(merged, colour=even_sides(diffusion, mirror, merged.colour, merged.confidence))
    skin_colour = np.median(merged.colour[subject.plain & (merged.confidence > 0.5)], axis=0)
    seen, scalp = judge(subject, diffusion, merged, skin_colour)
    paint = person_paint(subject, views, shading, merged, skin_colour)
    painted = paint_texels(avatar, paint, subject.every)
    colour = complete(subject, diffusion, mirror, merged, seen, scalp, painted[subject.rows, :3], skin_colour)
    return assemble(subject, painted, colour, seen.confidence, scalp, lighting)


def read_subject(avatar: Avatar, size: int) -> Subject:
    """All that does not depend on the frames."""
    anatomy = read_anatomy(avatar)
    every = avatar_texels(avatar, size)
    skin = every.chosen(face_kinds(avatar)[every.face] == SKIN)
    points = skin.at(avatar.neutral, avatar.faces)
    around = look_around(avatar.neutral, avatar.faces)
    masks = skin_masks(avatar, skin, around)
    lips = lip_cover(points, anatomy)
    brows = brow_cover(points, anatomy, 1.6, texel_spacing(avatar, every), 0)
    plain = (masks["face"] > 0.9) & (masks["eyelids"] < 0.3) & (lips < 0.02) & (brows < 0.02) & (masks["sky"] > 0.45)
    plain &= above_hairline(points, anatomy, masks["slope"]) < -0.012 * anatomy.unit
    inside = avatar.neutral[avatar.regions["mouth_interior"]]
    to_mouth = cKDTree(inside).query(points)[0] if len(inside) else np.full(len(points), np.inf)
    mouth_rim = (lips > 0.02) * ramp(to_mouth, 0.005 * anatomy.unit, 0.0025 * anatomy.unit)
    return Subject(avatar, anatomy, every, skin, points, masks, around, lips, mouth_rim, plain)


def look(subject: Subject, frame: Frame) -> View:
    """Finds the skin in a frame."""
    avatar, unit = subject.avatar, subject.anatomy.unit
    spacing = texel_spacing(avatar, subject.every)
    # Irises need more pixels than a small map's skin.
    drawing = draw_over(avatar, frame, max(1, 1024 / subject.every.size) / spacing)
    sighting = sight(avatar, subject.skin, frame, drawing, MARGIN * unit, ORGAN_MARGIN * unit)
    transfer = transfer_at(subject.around, sighting.normals, frame.rotation)
    return View(frame, drawing, sighting, transfer, sharpness_of(drawing, spacing))


def sharpness_of(drawing: Drawing, spacing: float) -> float:
    """How much detail the picture has on the face, in any unit: contrast of neighbours, by pixels to a texel."""
    grey = drawing.image.mean(2)
    detail = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 1.0))
    inside = (drawing.edge_distance > 4) & (drawing.organ_distance > 4)
    if not inside.any():
        return 1e-3
    contrast = float(detail[inside].mean() / max(float(grey[inside].mean()), 1e-3))
    pixels = drawing.K[0, 0] / float(np.median(drawing.depth[inside])) * spacing
    return max(contrast, 1e-3) ** 0.5 * min(pixels, 1.25)


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
) -> Blend:
    """The skin's albedo where it was seen."""
    colours, weights = [], []
    for view, vertex_shading in zip(views, shading, strict=True):
        lit = subject.skin.at(vertex_shading, subject.avatar.faces)
        colour = without_glare(view.sighting.colour / lit, skin_colour)
        # In deep shade little light tells little, and a small error of the shading tells lies.
        trust = ramp(lit.mean(1) / np.quantile(lit, 0.8), 0.1, 0.45)
        colours.append(colour)
        weights.append(view.sighting.weight * trust * is_rim_skin(subject, colour, skin_colour))
    sharpness = np.array([view.sharpness for view in views])
    return blend(subject.skin, np.stack(colours), np.stack(weights, dtype=np.float32), sharpness / sharpness.max())


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
    seen: Float[np.ndarray, "N"],
    scalp: Scalp,
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
    gloss[rows] = gloss_of_skin(subject.points, subject.anatomy, subject.masks, scalp.cover, subject.lips)
    confidence = np.zeros(len(every.texel), np.float32)
    confidence[rows] = seen
    return Texture(
        albedo=every.picture(albedo),
        roughness=every.picture(gloss[:, 0]),
        specular=every.picture(gloss[:, 1]),
        seen=every.picture(confidence),
        lighting=lighting,
    )
