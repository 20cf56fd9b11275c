"""The solver for one frame after the other, in numpy: landmarks and priors as in `solver`, a few steps a frame.

The same cost as for a whole clip, but for time: instead of second differences over all frames, each variable is held
to where it was in the frame before, as loosely as it may have moved since.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.linalg import cho_factor, cho_solve

from ..encoders.alignment import STEADY
from .evidence import Evidence
from .frame_model import FrameModel, FrameState
from .landmark_model import FREE, GAZE, LandmarkModel, gaze_limit
from .options import SolveOptions
from .prior_term import prior_term
from .start import rigid_pose
from .state import FRAME_SIZE, GAZES, PLACE, ROTATION, WEIGHTS, Observations, State

STEPS = 2
"""A frame. On two clips of 30 frames a second the weights' deviations correlate to 0.996 with those of eight steps, of
three to 0.988 and 0.997."""
FIRST_ROUNDS = 5
"""How often the landmarks' precision is renewed where there is no frame before; once is enough from then on."""
DAMPING = 1e-3
# How far a variable moves in a frame at 30 frames a second, standard deviations; as in a random walk they grow with the
# root of the time.
RATE = 30.0
TURN_MOTION, PLACE_MOTION, DEPTH_MOTION = 0.05, 0.02, 0.02
WEIGHT_MOTION, LID_MOTION, GAZE_MOTION = 0.2, 0.5, 0.2
EXPRESSIONS = np.arange(FRAME_SIZE)[WEIGHTS], np.arange(FRAME_SIZE)[WEIGHTS]
"""On the diagonal of a normal matrix."""
LONGEST_GAP = 0.25
"""Seconds after which the frame before says nothing any more."""


@dataclass(frozen=True)
class Seen:
    """What one frame shows."""

    landmarks: Float[np.ndarray, "478 2"]
    precision: Float[np.ndarray, "R"]
    """Of landmarks and openings."""
    expected: Float[np.ndarray, "E"]
    trust: Float[np.ndarray, "E"]
    """See `Evidence`."""


class StreamingSolver:
    """Solves the frames of one camera in their order, each from where the last one ended."""

    def __init__(self, model: LandmarkModel, focal: float, options: SolveOptions) -> None:
        self.model = FrameModel(model, focal, options)
        self.limit = gaze_limit(model.rig)
        self.prior, self.pull = quadratic_prior(options)
        self.motion = motion_deviation()
        self.state: FrameState | None = None
        self.seconds = 0.0

    def forget(self) -> None:
        """The next frame starts anew."""
        self.state = None

    def __call__(self, landmarks: Float[np.ndarray, "478 2"], evidence: Evidence, seconds: float) -> FrameState:
        """The state of the next frame. Landmarks are pixels from the principal point, `evidence` is of one frame."""
        elapsed = seconds - self.seconds
        before = self.state if 0 < elapsed < LONGEST_GAP else None
        self.seconds = seconds
        expected, trust = evidence.expected[0], evidence.trust[0]
        start = self.first_state(landmarks, expected) if before is None else before
        hold = np.zeros(FRAME_SIZE) if before is None else 1 / (self.motion**2 * max(elapsed * RATE, 0.1))
        state = start
        for _ in range(FIRST_ROUNDS if before is None else 1):
            precision = self.model.precision(state, landmarks)
            for _ in range(STEPS):
                state = self.step(state, start, hold, Seen(landmarks, precision, expected, trust))
        self.state = state
        return state

    def first_state(self, landmarks: np.ndarray, expected: np.ndarray) -> FrameState:
        """A state to start from: the rigid pose and half of the weights that are expected."""
        steady = list(STEADY)
        rotation, translation = rigid_pose(self.model.rest[steady], landmarks[steady].astype(float), self.model.focal)
        place = np.append(translation[:2] / translation[2], np.log(translation[2]))
        return FrameState(rotation, place, np.clip(0.5 * expected, 0, 1), np.zeros(len(GAZE)))

    def step(self, state: FrameState, start: FrameState, hold: np.ndarray, seen: "Seen") -> FrameState:
        """One step of Gauss and Newton's, variables that would leave their range held on its bound."""
        hessian, gradient = self.model.equations(state, seen.landmarks, seen.precision)
        values = np.concatenate([np.zeros(6), state.weights, state.gaze])
        gradient += self.prior @ values + self.pull
        gradient[WEIGHTS] += seen.trust * (state.weights - seen.expected)
        hessian += self.prior
        hessian[EXPRESSIONS] += seen.trust
        gradient += hold * difference(state, start)
        hessian[np.diag_indices(FRAME_SIZE)] += hold
        hessian[np.diag_indices(FRAME_SIZE)] *= 1 + DAMPING
        free = ~self.bound(state, gradient)
        step = np.zeros(FRAME_SIZE)
        step[free] = cho_solve(cho_factor(hessian[np.ix_(free, free)], check_finite=False), -gradient[free])
        return FrameState(
            cv2.Rodrigues(step[ROTATION])[0] @ state.rotation,
            state.place + step[PLACE],
            np.clip(state.weights + step[WEIGHTS], 0, 1),
            np.clip(state.gaze + step[GAZES], *self.limit),
        )

    def bound(self, state: FrameState, gradient: np.ndarray) -> Bool[np.ndarray, "D"]:
        """Variables on a bound that descent would push across it."""
        fixed = np.zeros(FRAME_SIZE, bool)
        for part, values, (low, high) in ((WEIGHTS, state.weights, (0.0, 1.0)), (GAZES, state.gaze, self.limit)):
            pull = gradient[part]
            fixed[part] = ((values <= low) & (pull > 0)) | ((values >= high) & (pull < 0))
        return fixed


def quadratic_prior(options: SolveOptions) -> tuple[np.ndarray, np.ndarray]:
    """The priors without evidence as `0.5 x P x + q x`: P (D, D), q (D,)."""
    zero = torch.zeros(1, len(FREE), dtype=torch.float64)
    still = State(
        torch.eye(3, dtype=torch.float64)[None], zero[:, :3], zero, zero[:, : len(GAZE)], zero[0, :0], zero[0, :1]
    )
    nowhere = torch.zeros(1, 478, 2).double()
    seen = Observations(nowhere, zero[0, :1], zero, zero, torch.zeros(1).long(), zero[0, :1])
    _, gradient, hessian = prior_term(still, seen, options)
    return hessian[0].numpy(), gradient[0].numpy()


def motion_deviation() -> Float[np.ndarray, "D"]:
    """Of each variable, for a frame at `RATE`."""
    result = np.empty(FRAME_SIZE)
    result[ROTATION] = TURN_MOTION
    result[PLACE] = (PLACE_MOTION, PLACE_MOTION, DEPTH_MOTION)
    result[WEIGHTS] = [LID_MOTION if name.startswith("eyeBlink") else WEIGHT_MOTION for name in FREE]
    result[GAZES] = GAZE_MOTION
    return result


def difference(state: FrameState, start: FrameState) -> Float[np.ndarray, "D"]:
    """What has changed since `start`, in the solver's variables."""
    turn = cv2.Rodrigues(state.rotation @ start.rotation.T)[0][:, 0]
    parts = (state.place - start.place, state.weights - start.weights, state.gaze - start.gaze)
    return np.concatenate([turn, *parts])
