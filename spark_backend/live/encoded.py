"""The generic encoder as a live tracker: one look at each picture gives expression and pose at once."""

from collections.abc import Callable

import numpy as np
import torch

from ..encoders.engines import Engine
from ..geometry.landmarks import LandmarkHead
from ..geometry.rotation import quaternion_from_matrix
from ..protocol.avatar import Avatar
from ..protocol.livelink import LiveLinkPacket
from ..track.stream import FaceStream
from ..track.take import Sightings, poses
from ..video.face import RGB
from ..video.networks import FaceDetector
from .tracker import Tracked

DETECTOR_SCORE = 0.5


class EncoderTracker:
    """An encoder that knows whose face it is, and the head's pose refined on its landmarks."""

    def __init__(self, engine: Engine, bundle: bytes, avatar: Avatar, focal: Callable[[int, int], float]) -> None:
        """`engine` is `track.network.open_tracker`'s for this person; `focal` gives pixels for a picture's size."""
        self.detector = FaceDetector(bundle, DETECTOR_SCORE)
        self.engine, self.head, self.focal = engine, LandmarkHead(avatar), focal
        self.size = (0, 0)
        self.forget()

    def __call__(self, content: RGB | LiveLinkPacket | None, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        self.size = content.shape[1], content.shape[0]
        seen = self.stream(content)
        if seen is None:
            return None
        focal = self.focal(*self.size)
        K = torch.tensor([[focal, 0, self.size[0] / 2], [0, focal, self.size[1] / 2], [0, 0, 1.0]])
        with torch.inference_mode():
            pose = poses(self.head, Sightings(np.array([seconds]), [seen], self.size), K)
            rotation = quaternion_from_matrix(pose.rotation.double())[0].numpy()
        return Tracked(
            seen.weights.astype(float),
            rotation,
            pose.translation[0].double().numpy(),
            seen.confidence,
            seen.landmarks[:, :2].astype(float),
        )

    def forget(self) -> None:
        """See `LiveTracker`."""
        self.stream = FaceStream(self.engine, self.detector)

    def close(self) -> None:
        """See `LiveTracker`."""
        self.detector.__exit__()
