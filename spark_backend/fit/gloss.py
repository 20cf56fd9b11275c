"""How rough and how shiny each part of the head is before any picture is looked at: by region, from anatomy."""

import numpy as np
from jaxtyping import Float

from .anatomy import Anatomy
from .fields import bump, fractal, mix, ramp
from .subject import Subject

# Roughness and specular level of the Principled shader (0.5 is an index of refraction of 1.5).
SKIN, OILY, LIPS, HAIR, MOUTH = (0.52, 0.38), (0.36, 0.48), (0.30, 0.50), (0.55, 0.25), (0.22, 0.55)
ORGANS = {"eye": (0.15, 0.5), "teeth": (0.22, 0.5), "tongue": (0.32, 0.5), "lashes": (0.6, 0.2)}
ZONES = {"cheeks": SKIN, "forehead": OILY, "nose": OILY, "chin": OILY, "lips": LIPS}
"""Parts of bare skin whose gloss is measured, with what it usually is; `cheeks` is all that is no other."""


def zones_of(
    points: Float[np.ndarray, "N 3"], anatomy: Anatomy, lips: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N K"]:
    """How far each place belongs to each of `ZONES`; rows sum to 1."""
    unit = anatomy.unit
    forehead = anatomy.brows[:, :, 2].mean() + 0.025 * unit
    zone = bump(points[:, 2] - forehead, 0.022 * unit) * bump(points[:, 0], 0.040 * unit) * (points[:, 1] < 0)
    nose = np.linalg.norm((points - anatomy.nose_tip) / (1, 1, 2.0), axis=1)
    chin = np.linalg.norm(points - anatomy.chin, axis=1)
    oily = np.stack([0.8 * zone, bump(nose, 0.016 * unit), 0.6 * bump(chin, 0.013 * unit)], 1)
    oily /= oily.sum(1, keepdims=True).clip(1)
    oily *= 1 - lips[:, None]
    return np.concatenate([1 - oily.sum(1, keepdims=True) - lips[:, None], oily, lips[:, None]], 1)


def gloss_of_skin(
    subject: Subject, zones: Float[np.ndarray, "N K"], values: Float[np.ndarray, "K 2"], hair: Float[np.ndarray, "N"]
) -> Float[np.ndarray, "N 2"]:
    """Roughness and specular level, each in [0, 1], from those of the zones; hair and the mouth have their own."""
    value = zones @ values
    value[:, 0] *= 1 + 0.08 * fractal(subject.points, 0.0022 * subject.anatomy.unit, 3, 2)
    value = mix(value, np.array(HAIR), hair)
    inside = ramp(subject.masks["mouth_interior"], 0.3, 0.9)
    return mix(value, np.array(MOUTH), inside).clip(0, 1).astype(np.float32)
