"""What is known of the expressions of frames besides their landmarks, from networks that have read the pictures.

Landmarks alone leave expressions open: many mixtures of them put the landmarks at nearly the same places. An encoder
that has learnt from made-up people which of them a face shows says more than any prior; MediaPipe's scores say
something before there is a head that an encoder could be told of.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .landmark_model import FREE, FREE_INDEX
from .options import SolveOptions

# Expressions that MediaPipe's scores follow on footage of other people with known weights; the rest are ignored.
TRUSTED = [
    FREE.index(name)
    for name in FREE
    if name.startswith(("mouthSmile", "mouthUpperUp", "mouthLowerDown", "browDown"))
    or name in ("jawOpen", "mouthLeft", "mouthRight", "mouthPucker")
]
BLINKS = [FREE.index(name) for name in ("eyeBlinkLeft", "eyeBlinkRight")]
# MediaPipe's blink score on renders of blinks of known weight (tools/blink_scores.py): a closed eye scores 0.76.
BLINK_SCORES, BLINK_WEIGHTS = (0.06, 0.13, 0.28, 0.55, 0.72, 0.76), (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)


@dataclass(frozen=True)
class Evidence:
    """Of `T` frames."""

    expected: Float[np.ndarray, "T E"]
    """Weights of `FREE`, in [0, 1]."""
    trust: Float[np.ndarray, "T E"]
    """Inverse variances; 0 where nothing is known."""

    def select(self, rows: np.ndarray) -> "Evidence":
        """Some of the frames."""
        return Evidence(self.expected[rows], self.trust[rows])


def evidence_of_scores(scores: Float[np.ndarray, "T 52"], options: SolveOptions) -> Evidence:
    """From MediaPipe's expression scores."""
    expected = scores[:, FREE_INDEX].astype(float)
    expected[:, BLINKS] = np.interp(expected[:, BLINKS], BLINK_SCORES, BLINK_WEIGHTS)
    trust = np.zeros_like(expected)
    trust[:, TRUSTED], trust[:, BLINKS] = options.score_sigma**-2, options.blink_sigma**-2
    return Evidence(expected, trust)


def evidence_of_encoder(
    weights: Float[np.ndarray, "T 52"], confidence: Float[np.ndarray, "T"], options: SolveOptions
) -> Evidence:
    """From an encoder's answers; `confidence`, in [0, 1], is 0 in frames where it sees no face."""
    expected = weights[:, FREE_INDEX].astype(float)
    trust = options.encoder_sigma**-2 * confidence[:, None]
    return Evidence(expected, trust.repeat(len(FREE), 1))
