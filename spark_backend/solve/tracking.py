"""What the frames of one clip do, with the person held: from the landmarks, and then from the pictures themselves."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar
from ..protocol.project import ClipInfo, Frames
from ..video.ahead import ahead
from .appearance import Appearance, learn_appearance, sample
from .data_term import landmark_precision
from .evidence import Evidence
from .landmark_model import LandmarkModel, landmark_model
from .look import POINTS, SCALES, Look
from .options import SolveOptions
from .person import Tick, centred
from .pictures import Crops, cuts, framing, gathered, pictures
from .solver import Problem, descend, solve
from .start import initial_state, observations
from .state import State
from .surface_points import SurfacePoints, spread_points, surface_points
from .windows import faded, windows

LANDMARKS_PART = 0.4
"""How much the landmarks' places count, of what they do otherwise, beside pictures that are compared with the person's
own look: pictures then say where the head is, and the landmarks' errors would only pull it away. How wide lips and lids
are open, landmarks tell better than skin does."""
PICTURES_PART = 0.7
"""Of the time, when pictures are compared too."""
ROUGH = 1e-3
"""The part by which the cost must fall for another step, where a descent only makes the start of the next."""


@dataclass(frozen=True)
class Skin:
    """Where the skin is looked at, and the faces cut out of a window's frames."""

    points: SurfacePoints
    crops: Crops
    look: Look | None = None
    """What the person's skin looks like, when that is known."""


@dataclass(frozen=True)
class Clip:
    """All that is known of a clip before it is solved."""

    info: ClipInfo
    frames: Frames
    evidence: Evidence
    """Of all frames."""
    focal: float
    """Pixels."""


def track_clip(
    head: HeadModel,
    avatar: Avatar,
    clip: Clip,
    options: SolveOptions,
    tick: Tick = lambda part: None,
    with_pictures: bool = False,
    look: Look | None = None,
) -> State:
    """The state of the clip's valid frames, in their order.

    `with_pictures` then aligns the frames by what the skin looks like: to the person's `look` when it is known, to
    each other otherwise. That reads the clip again: `SparkError` when it has gone or changed.
    """
    rows, model = np.flatnonzero(clip.frames.valid), landmark_model(head, avatar)
    places = spread_points(avatar, POINTS) if look is None else (look.face, look.bary)
    points = surface_points(avatar, *places) if with_pictures else None
    pieces, states = windows(len(rows)), []
    for number, piece in enumerate(pieces):
        step = Step(tick, number / len(pieces), 1 / len(pieces))
        problem, state = landmark_problem(model, clip, rows[piece], options)
        if points is None:
            states.append(solve(problem, state, step))
            continue
        faces = framing(clip.frames, rows[piece], problem.seen.scale)
        # The faces are cut out meanwhile, all of them: nobody takes them before the landmarks are solved.
        with ahead(cuts(Path(clip.info.source), rows[piece], faces), len(rows[piece])) as squares:
            state = solve(roughly(problem), state, step.part(0.0, 1 - PICTURES_PART))
            crops = gathered(squares, faces, clip.info.size)
        states.append(align(problem, state, Skin(points, crops, look), step.part(1 - PICTURES_PART, PICTURES_PART)))
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
    model: LandmarkModel, clip: Clip, rows: np.ndarray, options: SolveOptions
) -> tuple[Problem, State]:
    """What the landmarks of some frames of a clip say, and where to start."""
    landmarks, number = centred(clip.info, clip.frames)[rows], np.zeros(len(rows), int)
    evidence, focal = clip.evidence.select(rows), np.array([clip.focal])
    state, scale = initial_state(model, landmarks, evidence.expected, number, focal)
    seen = observations(landmarks, evidence, number, clip.frames.pts[rows], scale)
    return Problem(model, seen, torch.as_tensor(np.log(focal)), False, options), state


def align(problem: Problem, state: State, skin: Skin, tick: Tick) -> State:
    """Every frame to the person's look, else to what the frames as they lie so far show; broad features first."""
    for number, blur in enumerate(SCALES):
        appearance = appearance_at(problem, state, skin, number, blur)
        precision = landmark_precision(problem.model, state, problem.seen, problem.options)
        if skin.look is not None:
            precision[:, : len(problem.model.sigma)] *= LANDMARKS_PART
        told, last = Step(tick, number / len(SCALES), 1 / len(SCALES)), number == len(SCALES) - 1
        problem = replace(problem, appearance=appearance)
        state = descend(problem if last else roughly(problem), precision, state, told)
    return state


def roughly(problem: Problem) -> Problem:
    """The same where another descent follows, for which a start will do."""
    return replace(problem, options=replace(problem.options, tolerance=ROUGH))


def appearance_at(problem: Problem, state: State, skin: Skin, scale: int, blur: float) -> Appearance:
    """What the points look like at one of `SCALES`: the person's own look in the clip's light, else the clip's own."""
    shown = pictures(skin.crops, blur)
    sampled = sample(skin.points, shown, state, problem.seen)
    if skin.look is not None:
        return skin.look.appearance(skin.points, shown, sampled, scale)
    albedo, known, noise, light = learn_appearance(sampled, problem.seen.clip)
    return Appearance(skin.points, shown, albedo, known, noise, light[0])
