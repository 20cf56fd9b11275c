"""What the clips do not show of a person."""

from collections.abc import Sequence

import numpy as np

from ...protocol.posing import quaternion_to_matrix
from ...protocol.take import Take

PROFILE, RAISED, LOWERED = np.radians(25), np.radians(10), np.radians(10)
"""How far a head must turn for its side, its chin's underside, its forehead to be seen well."""
SHOWN = 0.35
"""Weight from which an expression counts as shown."""
MOODS = (
    (("jawOpen",), "an open mouth"),
    (("mouthSmileLeft", "mouthSmileRight"), "a smile"),
    (("eyeBlinkLeft", "eyeBlinkRight"), "closed eyes"),
    (("browInnerUp", "browOuterUpLeft", "browOuterUpRight"), "raised brows"),
    (("mouthPucker", "mouthFunnel"), "pursed lips"),
)


def what_is_missing(takes: Sequence[Take]) -> list[str]:
    """The names of what no frame shows, views first; empty when all is there."""
    towards = np.concatenate([camera_direction(take) for take in takes])
    yaw, pitch = np.arctan2(towards[:, 0], -towards[:, 1]), np.arcsin(np.clip(towards[:, 2], -1, 1))
    views = (
        (yaw.max() < PROFILE, "the left profile"),
        (yaw.min() > -PROFILE, "the right profile"),
        (pitch.min() > -LOWERED, "the face from below"),
        (pitch.max() < RAISED, "the face from above"),
    )
    missing = [name for absent, name in views if absent]
    for names, mood in MOODS:
        strongest = max(float(take.weight(name)[take.valid].max(initial=0)) for take in takes for name in names)
        if strongest < SHOWN:
            missing.append(mood)
    return missing


def camera_direction(take: Take) -> np.ndarray:
    """(T, 3) unit vectors from the head to the camera in the avatar's axes, of the valid frames; +X is the subject's
    left, -Y ahead."""
    rotation = quaternion_to_matrix(take.head_rotation[take.valid])
    towards = -np.einsum("tba,tb->ta", rotation, take.head_translation[take.valid])
    return towards / np.linalg.norm(towards, axis=1, keepdims=True)
