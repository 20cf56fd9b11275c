"""From a picture to what the face does: the seam between cameras and the head, with its trackers."""

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ..protocol.livelink import LiveLinkPacket
from ..solve.options import SolveOptions
from ..video.face import RGB

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
    """Tracks one face through what one camera gives, in its order, in two steps: the next picture waits for the first
    only, which has a thread of its own."""

    def look(self, content: RGB | LiveLinkPacket | None) -> Any | None:
        """What `read` takes; None when there is no face."""

    def read(self, sight: Any | None, seconds: float) -> Tracked | None:
        """The face at a time in seconds, from what `look` has given; None when there is none."""

    def forget(self) -> None:
        """What comes next has nothing to do with what was before: another camera, a long gap. From the thread of
        `read`, maybe while `look` runs: what that gives is not read any more."""

    def close(self) -> None:
        """Lets go of what it holds."""


def usual_focal(width: int, height: int) -> float:
    """Pixels: what is assumed of a camera that nothing is known of."""
    return FOCAL_PRIOR * max(width, height)
