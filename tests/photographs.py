"""Pictures of a rendered head of known skin, for the tests of what is found of that skin."""

from collections.abc import Sequence

import numpy as np
import torch

from spark_backend.fit.sightings import Frame
from spark_backend.protocol.avatar import Avatar
from spark_backend.render.colour import bytes_from_linear
from spark_backend.render.decoder import avatar_topology
from spark_backend.render.deferred import render_batch
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import Light, over
from spark_backend.render.warp import WarpRasterizer

DISTANCE = 0.7
FACING = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
TURNS = ((-0.5, 0.0), (-0.2, 0.15), (0.2, -0.15), (0.5, 0.0))
"""Yaw and pitch of the head, radians."""


def photographed(avatar: Avatar, maps: Maps, lights: Sequence[Light], side: int) -> list[Frame]:
    """The head from some sides in each of the lights, `side` pixels wide."""
    K = np.array([[2.6 * side, 0, side / 2], [0, 2.6 * side, side / 2], [0, 0, 1.0]])
    middle, frames = avatar.neutral[avatar.regions["face"]].mean(0), []
    for clip, light in enumerate(lights):
        for yaw, pitch in TURNS:
            turn = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
            nod = np.array([[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]])
            rotation = FACING @ nod @ turn
            points = (avatar.neutral - middle) @ rotation.T + [0, 0, DISTANCE]
            posed, camera = torch.as_tensor(points).float()[None], torch.as_tensor(K).float()[None]
            mesh, size = avatar_topology(avatar), (side, side)
            colour, cover = render_batch(posed, camera, size, mesh, maps, [light], WarpRasterizer())
            picture = bytes_from_linear(over(colour, cover, torch.full((3,), 0.1)))[0].numpy()
            frames.append(Frame(picture, points, K, clip, rotation))
    return frames
