"""preview.png beside an avatar: what its person looks like."""

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from ..protocol.avatar import Avatar
from ..protocol.take import Take
from ..render.draw import render_frame
from .look import avatar_surface, backdrop
from .views import posed_frames, studio_take, take_frames

SIZE = (512, 512)
"""Pixels; the largest that Blender keeps of an asset's preview are 256."""
YAW = np.radians(25)


def portrait(avatar: Avatar, take: Take) -> UInt8[np.ndarray, "H W 3"]:
    """The head at rest in a studio, turned a little to its left, in sRGB. `take` is any of the avatar's."""
    first = take_frames(take, np.array([0]))
    still = np.array([[1.0, 0.0, 0.0, 0.0]])
    rest = replace(first, weights=np.zeros_like(first.weights), jaw=still, eye_left=still, eye_right=still)
    seen = studio_take(avatar, rest, YAW, SIZE)
    [vertices] = posed_frames(avatar, seen)
    surface, room = avatar_surface(avatar), backdrop(SIZE)
    return render_frame(vertices, avatar.faces, seen.K, SIZE, surface=surface, background=room)
