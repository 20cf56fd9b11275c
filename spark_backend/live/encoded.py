"""Live trackers on an encoder, which looks at each picture once: what it says alone, and the head solved to it."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..heads.model import HeadModel
from ..protocol.avatar import Avatar
from ..protocol.posing import matrix_to_quaternion
from ..solve.evidence import evidence_of_encoder
from ..solve.landmark_model import landmark_model
from ..solve.options import SolveOptions
from ..solve.streaming import StreamingSolver
from ..track.network import Encoder
from ..track.openings import Openings
from ..track.pose import PoseHead
from ..track.read import Seen, read_faces
from ..track.stream import FaceStream, Sight
from ..track.take import Sightings, read_out
from ..video.face import RGB
from ..video.networks import FaceDetector
from .tracker import Tracked

DETECTOR_SCORE = 0.5


@dataclass(frozen=True)
class Face:
    """The face in one picture, before the heads have read it."""

    sight: Sight
    size: tuple[int, int]
    """Width and height of the picture."""


class FaceReader:
    """What an encoder sees in one picture after the other."""

    def __init__(self, encoder: Encoder, bundle: bytes) -> None:
        """`encoder` is `track.network.open_encoder`'s for the person."""
        self.detector, self.encoder = FaceDetector(bundle, DETECTOR_SCORE), encoder
        self.forget()

    def look(self, picture: RGB) -> Face | None:
        """The face; None when there is none."""
        sight = self.stream(picture)
        return None if sight is None else Face(sight, (picture.shape[1], picture.shape[0]))

    def read(self, face: Face) -> Seen:
        """What it does."""
        return read_faces([face.sight], self.encoder.heads)[0]

    def forget(self) -> None:
        """The next picture has nothing to do with the last."""
        self.stream = FaceStream(self.encoder.cues, self.detector)

    def close(self) -> None:
        """Lets go of the detector."""
        self.detector.__exit__()


class EncoderTracker:
    """An encoder that knows whose face it is, and the head's pose refined on its landmarks."""

    def __init__(self, reader: FaceReader, avatar: Avatar, focal: Callable[[int, int], float]) -> None:
        """`focal` gives the focal length in pixels of a picture of that width and height."""
        self.reader, self.focal = reader, focal
        self.look = reader.look
        self.head, self.openings = PoseHead(avatar), Openings(avatar)
        self.size = (0, 0)

    def read(self, sight: Face | None, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        if sight is None:
            return None
        self.size, seen = sight.size, self.reader.read(sight)
        focal = self.focal(*self.size)
        K = np.array([[focal, 0, self.size[0] / 2], [0, focal, self.size[1] / 2], [0, 0, 1.0]])
        sightings = Sightings(np.array([seconds]), [seen], self.size)
        pose, weights = read_out(self.head, self.openings, sightings, K)
        return tracked(seen, weights[0], pose.rotation[0], pose.translation[0])

    def forget(self) -> None:
        """See `LiveTracker`."""
        self.reader.forget()

    def close(self) -> None:
        """See `LiveTracker`."""
        self.reader.close()


class LandmarkTracker:
    """The person's own head solved to the landmarks of each picture, with the encoder's weights as evidence.

    The cost is that of `spark track --tracker landmarks` but for its time term, so what is seen live is what tracking
    gives later.
    """

    def __init__(self, reader: FaceReader, head: HeadModel, avatar: Avatar, focal: Callable[[int, int], float]) -> None:
        """`focal` as for `EncoderTracker`."""
        self.reader, self.model, self.focal = reader, landmark_model(head, avatar), focal
        self.look = reader.look
        self.solver: StreamingSolver | None = None
        self.size = (0, 0)

    def read(self, sight: Face | None, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        if sight is None:
            self.let_go()
            return None
        seen, size = self.reader.read(sight), sight.size
        if self.solver is None or size != self.size:
            self.solver, self.size = StreamingSolver(self.model, self.focal(*size), SolveOptions()), size
        confidence = np.array([seen.confidence])
        evidence = evidence_of_encoder(seen.weights[None].astype(float), confidence, self.solver.model.options)
        state = self.solver(seen.landmarks[:, :2] - np.array(size) / 2, evidence, seconds)
        return tracked(seen, self.solver.model.full_weights(state), state.rotation, state.translation)

    def forget(self) -> None:
        """See `LiveTracker`."""
        self.reader.forget()
        self.let_go()

    def let_go(self) -> None:
        """The solver's next frame stands by itself."""
        if self.solver is not None:
            self.solver.forget()

    def close(self) -> None:
        """See `LiveTracker`."""
        self.reader.close()


def tracked(
    seen: Seen,
    weights: Float[np.ndarray, "52"],
    rotation: Float[np.ndarray, "3 3"],
    translation: Float[np.ndarray, "3"],
) -> Tracked:
    """A moment of what was seen."""
    return Tracked(weights, matrix_to_quaternion(rotation), translation, seen.confidence, seen.landmarks[:, :2])
