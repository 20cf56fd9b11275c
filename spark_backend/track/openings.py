"""Lips and lids as far open as they are seen to be.

The heads read an expression from the whole face. How wide lips and lids are open, which everybody looks at first, the
landmarks tell better: lips that are seen to meet must meet. Each frame is the update of a Kalman filter: the encoder's
weights are what is expected, the gaps are what is measured, and the weights change as little as explains them.
"""

import numpy as np
from jaxtyping import Float

from ..protocol.avatar import Avatar
from ..protocol.names import ARKIT_52
from ..solve.data_term import LOWER, UPPER, opening_deviation
from ..solve.options import SolveOptions
from .pose import Pose, PoseHead

MOVED = [row for row, name in enumerate(ARKIT_52) if not name.startswith("eyeLook")]
"""Weights that may change; looks are the gaze's."""


class Openings:
    """The gaps between one person's lips and lids."""

    def __init__(self, avatar: Avatar) -> None:
        options = SolveOptions()
        self.head = PoseHead(avatar, [*UPPER, *LOWER])
        self.expected = options.encoder_sigma**2
        self.measured = np.repeat(opening_deviation(options), 2) ** 2

    def seen(
        self,
        weights: Float[np.ndarray, "T 52"],
        landmarks: Float[np.ndarray, "T 478 _"],
        pose: Pose,
        K: Float[np.ndarray, "3 3"],
    ) -> Float[np.ndarray, "T 52"]:
        """The weights with the gaps that the landmarks (pixels) show on a head in this pose."""
        flat = (landmarks[..., :2] - K[:2, 2]) / K[0, 0]
        wanted = self.across(flat[:, UPPER] - flat[:, LOWER], pose)
        result, expected = weights.astype(float), weights[:, MOVED].astype(float)
        gaps, slope = self.linearised(result, pose)
        rest = wanted - gaps
        change = np.clip(expected + self.gain(slope, rest), 0, 1) - expected
        # What a weight at its limit cannot do, the others do.
        held = (expected + change <= 0) | (expected + change >= 1)
        rest -= (slope @ (change * held)[..., None])[..., 0]
        change = np.where(held, change, self.gain(slope * ~held[:, None], rest))
        result[:, MOVED] = np.clip(expected + change, 0, 1)
        return result

    def gain(self, slope: np.ndarray, rest: np.ndarray) -> Float[np.ndarray, "T M"]:
        """The likeliest change of the weights that explains the rest (T, R) of the gaps."""
        spread = self.expected * slope @ np.swapaxes(slope, 1, 2) + np.diag(self.measured)
        return self.expected * (np.swapaxes(slope, 1, 2) @ np.linalg.solve(spread, rest[..., None]))[..., 0]

    def linearised(
        self, weights: Float[np.ndarray, "T 52"], pose: Pose
    ) -> tuple[Float[np.ndarray, "T R"], Float[np.ndarray, "T R M"]]:
        """The gaps of an expression, and how much each of the weights widens them."""
        turn = np.swapaxes(pose.rotation, 1, 2)
        camera = self.head.shaped(weights) @ turn + pose.translation[:, None]
        flat = camera[..., :2] / camera[..., 2:]
        slopes = self.head.slopes(weights)
        moves = (slopes.reshape(len(turn), -1, 3) @ turn).reshape(slopes.shape)
        slopes = (moves[..., :2] - flat[:, None] * moves[..., 2:]) / camera[:, None, :, 2:]
        return self.across(self.gaps(flat), pose), np.swapaxes(self.across(self.gaps(slopes), pose)[:, MOVED], 1, 2)

    def gaps(self, flat: Float[np.ndarray, "*B L 2"]) -> Float[np.ndarray, "*B G 2"]:
        """From the lower to the upper lip or lid."""
        return flat[..., : len(UPPER), :] - flat[..., len(UPPER) :, :]

    def across(self, flat: Float[np.ndarray, "T *B G 2"], pose: Pose) -> Float[np.ndarray, "T *B R"]:
        """Differences of x / z and y / z in interocular distances, in one row."""
        unit = (self.head.interocular / pose.translation[:, 2]).reshape(-1, *[1] * (flat.ndim - 2))
        return flat.reshape(*flat.shape[:-2], -1) / unit
