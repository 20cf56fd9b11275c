"""The generic encoder as a live tracker: one look at each picture gives expression and pose at once."""

from collections.abc import Callable

import numpy as np
from scipy.spatial.transform import Rotation

from ..protocol.avatar import Avatar
from ..protocol.livelink import LiveLinkPacket
from ..track.network import Encoder
from ..track.pose import PoseHead
from ..track.read import read_faces
from ..track.stream import FaceStream
from ..track.take import Sightings, poses
from ..video.face import RGB
from ..video.networks import FaceDetector
from .tracker import Tracked

DETECTOR_SCORE = 0.5


class EncoderTracker:
    """An encoder that knows whose face it is, and the head's pose refined on its landmarks."""

    def __init__(self, encoder: Encoder, bundle: bytes, avatar: Avatar, focal: Callable[[int, int], float]) -> None:
        """`encoder` is `track.network.open_encoder`'s for this person; `focal` gives pixels for a picture's size."""
        self.detector = FaceDetector(bundle, DETECTOR_SCORE)
        self.encoder, self.head, self.focal = encoder, PoseHead(avatar), focal
        self.size = (0, 0)
        self.forget()

    def __call__(self, content: RGB | LiveLinkPacket | None, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        self.size = content.shape[1], content.shape[0]
        sight = self.stream(content)
        if sight is None:
            return None
        (seen,) = read_faces([sight], self.encoder.heads)
        focal = self.focal(*self.size)
        K = np.array([[focal, 0, self.size[0] / 2], [0, focal, self.size[1] / 2], [0, 0, 1.0]])
        pose = poses(self.head, Sightings(np.array([seconds]), [seen], self.size), K)
        return Tracked(
            seen.weights.astype(float),
            Rotation.from_matrix(pose.rotation[0]).as_quat(scalar_first=True),
            pose.translation[0],
            seen.confidence,
            seen.landmarks[:, :2],
        )

    def forget(self) -> None:
        """See `LiveTracker`."""
        self.stream = FaceStream(self.encoder.cues, self.detector)

    def close(self) -> None:
        """See `LiveTracker`."""
        self.detector.__exit__()
