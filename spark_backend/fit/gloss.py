"""How rough and how shiny each part of the head is: by region, as no picture tells."""

import numpy as np
from jaxtyping import Float

from .anatomy import Anatomy
from .fields import bump, fractal, mix, ramp

# Roughness and specular level of the Principled shader (0.5 is an index of refraction of 1.5).
SKIN, OILY, LIPS, HAIR, MOUTH = (0.52, 0.38), (0.36, 0.48), (0.30, 0.50), (0.55, 0.25), (0.22, 0.55)
ORGANS = {"eye": (0.15, 0.5), "teeth": (0.22, 0.5), "tongue": (0.32, 0.5), "lashes": (0.6, 0.2)}


def gloss_of_skin(
    points: Float[np.ndarray, "N 3"],
    anatomy: Anatomy,
    masks: dict[str, np.ndarray],
    hair: Float[np.ndarray, "N"],
    lips: Float[np.ndarray, "N"],
) -> Float[np.ndarray, "N 2"]:
    """Roughness and specular level, each in [0, 1]: oilier on forehead, nose and chin, wet lips, dull hair."""
    unit = anatomy.unit
    value = np.tile(np.array(SKIN, np.float32), (len(points), 1))
    forehead = anatomy.brows[:, :, 2].mean() + 0.025 * unit
    zone = bump(points[:, 2] - forehead, 0.022 * unit) * bump(points[:, 0], 0.040 * unit) * (points[:, 1] < 0)
    nose = np.linalg.norm((points - anatomy.nose_tip) / (1, 1, 2.0), axis=1)
    chin = np.linalg.norm(points - anatomy.chin, axis=1)
    oily = np.clip(0.8 * zone + bump(nose, 0.016 * unit) + 0.6 * bump(chin, 0.013 * unit), 0, 1)
    value = mix(value, np.array(OILY), oily)
    value[:, 0] *= 1 + 0.08 * fractal(points, 0.0022 * unit, 3, 2)
    value = mix(value, np.array(LIPS), lips)
    value = mix(value, np.array(HAIR), hair)
    return mix(value, np.array(MOUTH), ramp(masks["mouth_interior"], 0.3, 0.9)).clip(0, 1)
