"""What the frames of one clip do, with the person held: from the landmarks, and then from the pictures themselves."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar
from ..protocol.project import ClipInfo, Frames
from .data_term import landmark_precision
from .landmark_model import LandmarkModel, landmark_model
from .options import SolveOptions
from .person import Tick, centred
from .photometric_term import learn_appearance
from .pictures import Crops, cut_faces, pictures
from .solver import Problem, descend, solve
from .start import initial_state, observations
from .state import State
from .surface_points import SurfacePoints, spread_points, surface_points
from .windows import faded, windows

POINTS = 1500
SCALES = ((3.0, 12.0), (1.5, 8.0))
"""Between which standard deviations pictures are compared, pixels of a crop: first broad features, then narrow ones."""
PICTURES_PART = 0.7
"""Of the time, when pictures are compared too."""


@dataclass(frozen=True)
class Skin:
    """Where the skin is looked at, and the faces cut out of a window's frames."""

    points: SurfacePoints
    crops: Crops


def track_clip(
    head: HeadModel,
    avatar: Avatar,
    info: ClipInfo,
    frames: Frames,
    focal: float,
    options: SolveOptions,
    tick: Tick = lambda part: None,
    with_pictures: bool = False,
) -> State:
    """The state of the clip's valid frames, in their order.

    `with_pictures` then aligns the frames to each other by what the skin looks like, which reads the clip again:
    `SparkError` when it has gone or changed.
    """
    rows, model = np.flatnonzero(frames.valid), landmark_model(head, avatar)
    points = surface_points(avatar, *spread_points(avatar, POINTS)) if with_pictures else None
    pieces, states = windows(len(rows)), []
    for number, piece in enumerate(pieces):
        step = Step(tick, number / len(pieces), 1 / len(pieces))
        problem, state = landmark_problem(model, info, frames, rows[piece], focal, options)
        if points is None:
            states.append(solve(problem, state, step))
            continue
        state = solve(problem, state, step.part(0.0, 1 - PICTURES_PART))
        crops = cut_faces(Path(info.source), frames, rows[piece], problem.seen.scale, info.size)
        states.append(align(problem, state, Skin(points, crops), step.part(1 - PICTURES_PART, PICTURES_PART)))
    return faded(states, pieces)


@dataclass(frozen=True)
class Step:
    """A stretch of somebody's progress as a progress of its own."""

    tick: Tick
    start: float
    share: float

    def __call__(self, part: float) -> None:
        self.tick(self.start + self.share * part)

    def part(self, start: float, share: float) -> "Step":
        """A stretch of this stretch."""
        return Step(self.tick, self.start + self.share * start, self.share * share)


def landmark_problem(
    model: LandmarkModel, info: ClipInfo, frames: Frames, rows: np.ndarray, focal: float, options: SolveOptions
) -> tuple[Problem, State]:
    """What the landmarks of some frames of a clip say, and where to start."""
    landmarks, clip = centred(info, frames)[rows], np.zeros(len(rows), int)
    state, scale = initial_state(model, landmarks, frames.scores[rows], clip, np.array([focal]))
    seen = observations(landmarks, frames.scores[rows], clip, frames.pts[rows], scale)
    return Problem(model, seen, torch.log(torch.tensor([focal]).double()), False, options), state


def align(problem: Problem, state: State, skin: Skin, tick: Tick) -> State:
    """Every frame to the mean appearance of all, which the state so far gives; broad features first."""
    for number, scales in enumerate(SCALES):
        appearance = learn_appearance(skin.points, pictures(skin.crops, *scales), state, problem.seen)
        precision = landmark_precision(problem.model, state, problem.seen, problem.options)
        told = Step(tick, number / len(SCALES), 1 / len(SCALES))
        state = descend(replace(problem, appearance=appearance), precision, state, told)
    return state
