"""What is observed and what is solved for."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.rotation import matrix_from_vector
from .landmark_model import FREE

ROTATION, PLACE, WEIGHTS, GAZES = (
    slice(0, 3),
    slice(3, 6),
    slice(6, 6 + len(FREE)),
    slice(6 + len(FREE), 10 + len(FREE)),
)
FRAME_SIZE = 10 + len(FREE)
"""Variables of a frame: a turn, a place, the weights of `FREE`, the gaze."""
BLOCK = 48
"""Frames whose Jacobians are held at a time."""


def blocks(count: int) -> list[slice]:
    """Rows in pieces that fit in memory."""
    return [slice(start, start + BLOCK) for start in range(0, count, BLOCK)]


@dataclass(frozen=True)
class Observations:
    """Landmarks of `T` frames of one or several clips, in order of clip and time; float64."""

    landmarks: Float[Tensor, "T L 2"]
    """Pixels from the principal point."""
    scale: Float[Tensor, "T"]
    """Interocular distance in pixels as if seen without foreshortening; errors are measured in it."""
    expected: Float[Tensor, "T E"]
    """See `Evidence`."""
    trust: Float[Tensor, "T E"]
    clip: Int[Tensor, "T"]
    pts: Float[Tensor, "T"]
    """Seconds."""

    def select(self, rows: np.ndarray | Tensor | slice) -> "Observations":
        """Some of the frames."""
        return Observations(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class State:
    """Values of all variables, float64."""

    rotation: Float[Tensor, "T 3 3"]
    """Avatar axes to camera axes."""
    place: Float[Tensor, "T 3"]
    """x / z, y / z and log z of the avatar's origin in camera axes (metres)."""
    weights: Float[Tensor, "T E"]
    """Of `FREE`, in [0, 1]."""
    gaze: Float[Tensor, "T 4"]
    """Radians, see `GAZE`."""
    identity: Float[Tensor, "I"]
    log_focal: Float[Tensor, "C"]
    """Of each clip, focal length in pixels."""

    @property
    def translation(self) -> Float[Tensor, "T 3"]:
        """Metres, camera axes."""
        depth = self.place[:, 2:].exp()
        return torch.cat([self.place[:, :2] * depth, depth], -1)

    def select(self, rows: np.ndarray | Tensor | slice) -> "State":
        """Some of the frames."""
        names = ("rotation", "place", "weights", "gaze")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def moved(self, frame_step: Float[Tensor, "T D"], global_step: Float[Tensor, "G"], gaze_limit: Tensor) -> "State":
        """The state after a step of the solver, weights and gaze kept within their bounds."""
        count = len(self.identity)
        identity = self.identity + global_step[:count] if len(global_step) else self.identity
        log_focal = self.log_focal + global_step[count:] if len(global_step) else self.log_focal
        return State(
            rotation=matrix_from_vector(frame_step[:, ROTATION]) @ self.rotation,
            place=self.place + frame_step[:, PLACE],
            weights=(self.weights + frame_step[:, WEIGHTS]).clamp(0, 1),
            gaze=torch.minimum(torch.maximum(self.gaze + frame_step[:, GAZES], gaze_limit[0]), gaze_limit[1]),
            identity=identity,
            log_focal=log_focal,
        )
