"""A painted appearance for any head of a model: a made-up person, and what lies under a texture from clips.

Everything is a function of the place on the head at rest, so that the map has no seams. Colours are linear albedo.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8

from ..protocol.avatar import Avatar
from ..render.colour import srgb_from_linear
from .anatomy import Anatomy, read_anatomy
from .fields import bump, fractal, mix, noise, ramp
from .hair import beard_cover, brow_cover, lash_cover, scalp_cover, scalp_strands
from .occlusion import Surroundings, look_around
from .organs import paint_eyes, paint_teeth, paint_tongue
from .texels import TexelMap, avatar_texels

Colour = tuple[float, float, float]

# Linear albedo of skin, light to dark, after the spectra of Cooksey et al. 2017 seen as sRGB.
SKIN_TONES: tuple[Colour, ...] = (
    *((0.60, 0.39, 0.29), (0.52, 0.32, 0.225), (0.44, 0.26, 0.17)),
    *((0.33, 0.185, 0.115), (0.20, 0.108, 0.068), (0.115, 0.064, 0.043)),
)
HAIR_COLOURS: tuple[Colour, ...] = (
    *((0.010, 0.0085, 0.008), (0.020, 0.014, 0.010), (0.045, 0.026, 0.015)),
    *((0.11, 0.062, 0.030), (0.20, 0.13, 0.065), (0.10, 0.040, 0.016)),
)
IRIS_COLOURS: tuple[Colour, ...] = (
    *((0.040, 0.018, 0.008), (0.085, 0.040, 0.014), (0.12, 0.075, 0.028)),
    *((0.080, 0.088, 0.042), (0.080, 0.120, 0.155), (0.13, 0.150, 0.155)),
)
MOUTH: Colour = (0.16, 0.035, 0.032)
"""The inside of the cheeks and the palate."""


@dataclass(frozen=True)
class Paint:
    """The colours of one person, linear albedo, and how they are laid on."""

    skin: Colour = SKIN_TONES[1]
    lips: Colour = (0.42, 0.155, 0.125)
    hair: Colour = HAIR_COLOURS[2]
    """Of the scalp, brows, lashes and beard."""
    iris: Colour = IRIS_COLOURS[1]
    sclera: Colour = (0.54, 0.48, 0.44)
    """The white of the eye."""
    blush: float = 0.6
    """How much redder cheeks, nose and ears are, 0 to 1."""
    mottling: float = 0.6
    """How uneven the skin is, 0 to 1."""
    freckles: float = 0.0
    brow_density: float = 0.8
    brow_width: float = 1.0
    """In a usual brow's widths."""
    stubble: float = 0.0
    """0 none, 1 a beard of some days."""
    scalp_hair: float = 1.0
    """0 bald, 1 short hair."""
    seed: int = 0


def lip_colour(skin: Colour) -> Colour:
    """The lips that go with a skin: thinner skin over more blood, closer to it the darker it is."""
    red, green, blue = skin
    return 0.86 * red, 0.50 * green, 0.56 * blue


def random_paint(generator: np.random.Generator) -> Paint:
    """A made-up person; darker skin goes with darker hair and eyes."""
    tone = float(generator.uniform(0, len(SKIN_TONES) - 1))
    skin = between(SKIN_TONES, tone)
    dark = tone > 2.5
    hair = between(HAIR_COLOURS[:2], generator.uniform(0, 1)) if dark else pick(generator, HAIR_COLOURS)
    iris = between(IRIS_COLOURS[:2], generator.uniform(0, 0.6)) if dark else pick(generator, IRIS_COLOURS)
    return Paint(
        skin=skin,
        lips=lip_colour(skin),
        hair=hair,
        iris=iris,
        blush=float(generator.uniform(0.3, 1.0)) * (0.5 if dark else 1.0),
        mottling=float(generator.uniform(0.3, 1.0)),
        freckles=float(generator.choice([0.0, 0.0, 0.0, 0.6])) * (not dark),
        brow_density=float(generator.uniform(0.6, 1.0)),
        brow_width=float(generator.uniform(0.75, 1.2)),
        stubble=float(generator.choice([0.0, 0.0, 0.4, 0.8])),
        scalp_hair=1.0,
        seed=int(generator.integers(1 << 16)),
    )


def between(colours: tuple[Colour, ...], position: float) -> Colour:
    """A colour between neighbours of a row, at a whole or broken index."""
    table = np.log(np.array(colours))
    return tuple(float(np.exp(np.interp(position, range(len(table)), table[:, k]))) for k in range(3))


def pick(generator: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of the colours."""
    return colours[int(generator.integers(len(colours)))]


def paint_albedo(avatar: Avatar, paint: Paint, size: int = 1024) -> Float[np.ndarray, "S S 4"]:
    """The whole albedo map, float32, linear; the fourth channel is opacity, below 1 on the lashes only.

    A few seconds at 1024.
    """
    texels = avatar_texels(avatar, size)
    return texels.picture(paint_texels(avatar, paint, texels))


def paint_texels(avatar: Avatar, paint: Paint, texels: TexelMap) -> Float[np.ndarray, "N 4"]:
    """Linear colour and opacity of each texel."""
    anatomy = read_anatomy(avatar)
    points = texels.at(avatar.neutral, avatar.faces)
    material = avatar.face_material[texels.face]
    result = np.ones((len(points), 4), np.float32)
    for index, name in enumerate(avatar.material_names):
        here = np.flatnonzero(material == index)
        if not len(here):
            continue
        if name == "eye":
            result[here, :3] = paint_eyes(points[here], anatomy, paint.iris, paint.sclera, paint.seed)
        elif name == "teeth":
            result[here, :3] = paint_teeth(points[here], anatomy, paint.seed)
        elif name == "tongue":
            result[here, :3] = paint_tongue(points[here], paint.seed)
        elif name == "lashes":
            result[here, :3] = np.array(paint.hair) * 0.5
            result[here, 3] = lash_cover(points[here], anatomy, paint.seed)
        else:
            result[here, :3] = paint_skin(avatar, anatomy, paint, texels.chosen(here))
    return result


def texel_spacing(avatar: Avatar, texels: TexelMap) -> float:
    """Metres between neighbouring texels on the face, the median."""
    face = texels.face[avatar.regions["face"][avatar.faces[texels.face]].all(1)]
    triangles = np.unique(face) if len(face) else np.unique(texels.face)
    a, b, c = np.moveaxis(avatar.neutral[avatar.faces[triangles]], 1, 0)
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    u, v, w = np.moveaxis(avatar.uv[avatar.uv_faces[triangles]], 1, 0)
    (x0, y0), (x1, y1) = (v - u).T, (w - u).T
    covered = np.abs(x0 * y1 - y0 * x1)
    return float(np.median(np.sqrt(area / covered.clip(1e-12)))) / texels.size


def skin_masks(avatar: Avatar, texels: TexelMap, around: Surroundings) -> dict[str, np.ndarray]:
    """(N,) at each texel: soft region masks, `sky` (the part of the sky that is seen), `slope` (1 on a wall)."""
    names = list(avatar.regions)
    slope = np.hypot(around.normals[:, 0], around.normals[:, 1])
    columns = np.stack([*(avatar.regions[name] for name in names), around.sky(), slope], 1)
    return dict(zip([*names, "sky", "slope"], texels.at(columns, avatar.faces).T, strict=True))


def paint_skin(avatar: Avatar, anatomy: Anatomy, paint: Paint, texels: TexelMap) -> Float[np.ndarray, "N 3"]:
    """Skin, lips, the inside of the mouth, brows, beard and short hair."""
    points = texels.at(avatar.neutral, avatar.faces)
    masks = skin_masks(avatar, texels, look_around(avatar.neutral, avatar.faces))
    colour = bare_skin(anatomy, paint, masks, points)
    lips = np.array(paint.lips) * (1 + 0.12 * noise(points * (4, 1, 1), 0.0016, paint.seed + 20)[:, None])
    colour = mix(colour, lips, 0.9 * lip_cover(points, anatomy))
    hair = np.array(paint.hair)
    beard = paint.stubble * beard_cover(points, anatomy, masks, paint.seed)
    colour = mix(colour, hair * 0.9 + 0.06 * np.array(paint.skin), 0.5 * beard)
    scalp = paint.scalp_hair * scalp_cover(points, anatomy, masks, paint.seed)
    colour = mix(colour, hair * scalp_strands(points, anatomy, paint.seed)[:, None], scalp)
    brows = brow_cover(points, anatomy, paint.brow_width, texel_spacing(avatar, texels), paint.seed)
    colour = mix(colour, hair * 0.9, paint.brow_density * brows)
    inside = ramp(masks["mouth_interior"], 0.3, 0.9)
    colour = mix(colour, np.array(MOUTH), inside)
    return colour * (1 - cavities(points, anatomy, masks))


def cavities(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, masks: dict[str, np.ndarray]
) -> Float[np.ndarray, "N 3"]:
    """What is missing of the colour where skin faces skin: much in the nostrils, little in ears and eye sockets.

    Light in a cavity has met the skin several times and has come out red.
    """
    hidden = ramp(masks["sky"], 0.45, 0.1)
    behind_tip = anatomy.nose_tip + np.array([0, 0.012, -0.006]) * anatomy.unit
    nostril = ramp(np.linalg.norm(points - behind_tip, axis=1), 0.021 * anatomy.unit, 0.015 * anatomy.unit)
    # Nostrils are modelled as shallow pits: they count as deep where they hide half of the sky.
    hidden = np.maximum(hidden, nostril * ramp(masks["sky"], 0.66, 0.40))
    depth = 0.30 + 0.45 * nostril
    socket = np.linalg.norm(points - anatomy.eyes[:, None], axis=2).min(0) < 0.3 * anatomy.interocular
    depth = np.where(socket, 0.15, depth)
    return (hidden * depth)[:, None] * np.array([0.75, 1.0, 1.0])


def bare_skin(
    anatomy: Anatomy, paint: Paint, masks: dict[str, np.ndarray], points: Float[np.ndarray, "N 3"]
) -> Float[np.ndarray, "N 3"]:
    """The skin's own colour: mottled, redder where the blood is near, darker around the eyes."""
    seed, unit = paint.seed, anatomy.unit
    colour = np.tile(np.array(paint.skin, np.float32), (len(points), 1))
    tone = 0.06 * fractal(points, 0.022 * unit, seed) + 0.05 * fractal(points, 0.0022 * unit, seed + 5, 2)
    colour *= 1 + paint.mottling * tone[:, None]
    patches = 0.5 * fractal(points, 0.012 * unit, seed + 8)
    blood = np.clip(flush(anatomy, masks, points) * (1 + patches) + 0.15 * patches, -0.3, 1.2) * paint.blush
    colour *= 1 + blood[:, None] * np.array([0.02, -0.22, -0.20])
    around = np.linalg.norm((points - anatomy.eyes[:, None] - (0, -0.012 * unit, 0)) / (1.3, 1, 1), axis=2).min(0)
    colour *= 1 - bump(around, 0.016 * unit)[:, None] * np.array([0.10, 0.15, 0.13])
    if paint.freckles:
        spots = ramp(noise(points, 0.0028 * unit, seed + 13), 0.45, 0.75) * flush(anatomy, masks, points)
        colour *= 1 - paint.freckles * spots[:, None] * np.array([0.28, 0.42, 0.5])
    return colour


def lip_cover(points: Float[np.ndarray, "N 3"], anatomy: Anatomy) -> Float[np.ndarray, "N"]:
    """How red the skin is as a lip, soft along its border."""
    across = np.abs(points[:, 0] - anatomy.eyes[:, 0].mean()) / anatomy.lip_border.half_width
    upper, lower = anatomy.lip_border.heights(across)
    inside = np.minimum(upper - points[:, 2], points[:, 2] - lower)
    front = points[:, 1] < anatomy.lips[1, 1] + 0.012 * anatomy.unit
    return ramp(inside, -0.0007 * anatomy.unit, 0.0013 * anatomy.unit) * front * (across < 1.02)


def flush(anatomy: Anatomy, masks: dict[str, np.ndarray], points: Float[np.ndarray, "N 3"]) -> Float[np.ndarray, "N"]:
    """Where the blood shows through: cheeks, tip of the nose, chin, ears."""
    unit = anatomy.unit
    outward = np.array([[1.0], [-1.0]]) * np.array([0.010, 0, 0])
    cheeks = anatomy.eyes + outward * unit + np.array([0, 0, -0.034]) * unit
    cheek = bump(
        np.hypot(*(points[None][..., [0, 2]] - cheeks[:, None][..., [0, 2]]).transpose(2, 0, 1)).min(0), 0.019 * unit
    )
    cheek *= ramp(points[:, 1], anatomy.ears[:, 0, 1].min(), anatomy.eyes[:, 1].mean())
    nose = bump(np.linalg.norm(points - anatomy.nose_tip, axis=1), 0.017 * unit)
    chin = bump(np.linalg.norm(points - anatomy.chin, axis=1), 0.013 * unit)
    return np.clip(0.75 * cheek + 0.8 * nose + 0.4 * chin + 0.55 * masks["ears"], 0, 1)


def bytes_from_albedo(albedo: Float[np.ndarray, "... C"]) -> UInt8[np.ndarray, "... C"]:
    """Linear colours to 8-bit sRGB; a fourth channel, opacity, is kept linear."""
    coded = srgb_from_linear(torch.as_tensor(np.ascontiguousarray(albedo[..., :3]))).numpy()
    return (np.concatenate([coded, albedo[..., 3:].clip(0, 1)], -1) * 255 + 0.5).astype(np.uint8)
