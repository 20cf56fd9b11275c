"""From a picture to what the face does: the seam between cameras and the head, with its trackers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar
from ..protocol.livelink import LiveLinkPacket
from ..solve.evidence import evidence_of_scores
from ..solve.landmark_model import landmark_model
from ..solve.options import SolveOptions
from ..solve.streaming import StreamingSolver
from ..video.face import RGB
from .faces import FaceReader

FOCAL_PRIOR = SolveOptions().focal_prior


@dataclass(frozen=True)
class Tracked:
    """What a tracker says of one moment, before calibration and smoothing."""

    weights: Float[np.ndarray, "52"]
    """In the order of `ARKIT_52`."""
    rotation: Float[np.ndarray, "4"]
    """Unit wxyz, avatar axes to camera axes."""
    translation: Float[np.ndarray, "3"]
    """Metres, camera axes."""
    confidence: float
    landmarks: Float[np.ndarray, "478 2"] | None = None
    """Pixels of the picture, when the tracker works with any."""


@runtime_checkable
class LiveTracker(Protocol):
    """Tracks one face through what one camera gives, in its order."""

    def __call__(self, content: RGB | LiveLinkPacket | None, seconds: float) -> Tracked | None:
        """The face at a time in seconds; None when there is none."""

    def forget(self) -> None:
        """What comes next has nothing to do with what was before: another camera, a long gap."""

    def close(self) -> None:
        """Lets go of what it holds."""


class LandmarkTracker:
    """MediaPipe's landmarks, and the person's own head solved to them frame by frame.

    The solver's cost is that of `spark track` but for the time term, so what is seen live is what tracking gives later.
    """

    def __init__(
        self,
        bundle: bytes,
        head: HeadModel,
        avatar: Avatar,
        focal: Callable[[int, int], float],
        warn: Callable[[str], None],
    ) -> None:
        """`focal` gives the focal length in pixels of a picture of that width and height."""
        self.reader = FaceReader(bundle, warn)
        self.model, self.focal = landmark_model(head, avatar), focal
        self.solver: StreamingSolver | None = None
        self.size = (0, 0)

    def __call__(self, content: RGB, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        size = (content.shape[1], content.shape[0])
        if self.solver is None or size != self.size:
            self.solver, self.size = StreamingSolver(self.model, self.focal(*size), SolveOptions()), size
        seen = self.reader(content, seconds)
        if seen is None:
            self.solver.forget()
            return None
        landmarks = seen.face.landmarks[:, :2]
        evidence = evidence_of_scores(seen.face.scores[None], self.solver.model.options)
        state = self.solver(landmarks - np.array(size) / 2, evidence, seconds)
        return Tracked(
            self.solver.model.full_weights(state),
            Rotation.from_matrix(state.rotation).as_quat(scalar_first=True),
            state.translation,
            seen.confidence,
            landmarks,
        )

    def forget(self) -> None:
        """See `LiveTracker`."""
        self.reader.forget()
        if self.solver is not None:
            self.solver.forget()

    def close(self) -> None:
        """See `LiveTracker`."""
        self.reader.close()


def usual_focal(width: int, height: int) -> float:
    """Pixels: what is assumed of a camera that nothing is known of."""
    return FOCAL_PRIOR * max(width, height)
