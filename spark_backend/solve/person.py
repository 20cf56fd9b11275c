"""Who the person is, from keyframes of all clips."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.project import ClipInfo, Frames
from .evidence import Evidence, evidence_of_scores
from .keyframes import choose_keyframes
from .landmark_model import landmark_model
from .options import SolveOptions
from .solver import Problem, solve
from .start import initial_state, observations

Tick = Callable[[float], None]


@dataclass(frozen=True)
class Person:
    """The result of the fit."""

    identity: np.ndarray
    """(I,) coefficients of the head model."""
    focal: np.ndarray
    """(C,) focal length of each clip, pixels."""


def prior_focal(info: ClipInfo, options: SolveOptions) -> float:
    """Pixels, before anything is known of the camera."""
    return options.focal_prior * max(info.size)


def centred(info: ClipInfo, frames: Frames) -> np.ndarray:
    """(T, 478, 2) pixels from the principal point, which is the picture's middle."""
    return frames.landmarks[..., :2] - np.array(info.size) / 2


def fit_person(
    head: HeadModel,
    clips: Sequence[tuple[ClipInfo, Frames]],
    keyframes: int,
    options: SolveOptions,
    tick: Tick = lambda part: None,
    avatar: Avatar | None = None,
    evidence: Sequence[Evidence] | None = None,
) -> Person:
    """Identity and focal lengths from at most `keyframes` frames of all clips together.

    With an `avatar` the person is known, and only the focal lengths are found. `evidence` of all frames of each clip;
    without any, MediaPipe's scores are taken for it.
    """
    share = max(8, keyframes // len(clips))
    parts = []
    evidence = evidence or [evidence_of_scores(frames.scores, options) for _, frames in clips]
    for number, ((info, frames), known) in enumerate(zip(clips, evidence, strict=True)):
        seen = np.flatnonzero(frames.valid)
        if len(seen) == 0:
            raise SparkError(f"{info.source}: no frame shows the face; remove the clip from the project")
        rows = seen[choose_keyframes(frames.landmarks[seen], frames.confidence[seen], share)]
        some = known.select(rows)
        parts.append((centred(info, frames)[rows], some.expected, some.trust, np.full(len(rows), number)))
    landmarks, expected, trust, clip = (np.concatenate(column) for column in zip(*parts, strict=True))
    # Keyframes are moments, not a performance: a second apart at least, they do not pull on each other.
    pts = np.arange(len(clip)) * 1e3

    focal = np.array([prior_focal(info, options) for info, _ in clips])
    model = landmark_model(head, avatar)
    state, scale = initial_state(model, landmarks, expected, clip, focal)
    seen = observations(landmarks, Evidence(expected, trust), clip, pts, scale)
    problem = Problem(model, seen, torch.as_tensor(np.log(focal)), True, options)
    state = solve(problem, state, tick)
    return Person(state.identity.numpy(), state.log_focal.exp().numpy())
