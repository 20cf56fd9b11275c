"""The face in a camera's pictures, fast: MediaPipe's landmark network in an inference engine, not in its own graph.

The crop of a picture comes from the landmarks of the one before; the detector runs only at the start and after the face
was lost. Crops are looked at as they are and mirrored, in one batch, which takes out the network's left-right bias as
reading a clip does (`video.follow`), so that both see the same face. The bias changes slowly: of pictures that come
faster than 40 a second only some are mirrored too, the others are corrected by what those told.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from ..encoders.crop import FaceCrop, crop_around, cut_crop, to_picture
from ..encoders.engines import Engine, prepared_engine
from ..encoders.mediapipe import CROP_SIZE, FromBytes, crop_examples, load_landmark_network, load_score_network
from ..models import cache_folder
from ..track.stream import crop_of_box, grown
from ..video.face import RGB, Face, box_size
from ..video.follow import DOUBT
from ..video.mirror import average, disagreement, mirror_face
from ..video.networks import FaceDetector
from ..video.search import is_outside

LEAST_PRESENCE = 0.5
LEAST_SCORE = 0.5
MIRRORED_EVERY = 1 / 40
"""Seconds between two pictures that are looked at mirrored too, at least: all of a camera of 30 a second."""
LOOKS = 3
"""At a picture in which the face is new: each crop comes from the landmarks of the look before."""


class Glance(NamedTuple):
    """What the networks say of a batch of crops; a tuple, which torch can export."""

    landmarks: Float[Tensor, "B 478 3"]
    """Crop pixels."""
    presence: Float[Tensor, "B"]
    scores: Float[Tensor, "B 52"]


class GlanceNetwork(nn.Module):
    """Both of MediaPipe's networks in one: crops to landmarks, and these to scores.

    The scores are of the landmarks in the crop, where the eyes are level. MediaPipe takes those of the picture; for a
    head that leans by 10 degrees they differ by 0.003 on average.
    """

    def __init__(self, bundle: bytes) -> None:
        super().__init__()
        self.landmarks, self.scores = load_landmark_network(bundle), load_score_network(bundle)

    def forward(self, crops: Float[Tensor, "B 256 256 3"]) -> Glance:
        """Crops are sRGB in [0, 1]."""
        reading = self.landmarks(crops)
        return Glance(reading.landmarks, reading.presence, self.scores(reading.landmarks))


@dataclass(frozen=True)
class Bias:
    """What the mirror image changed when it was last looked at."""

    landmarks: Float[np.ndarray, "478 3"]
    """Crop pixels."""
    scores: Float[np.ndarray, "52"]
    doubt: float
    seconds: float


@dataclass(frozen=True)
class SeenFace:
    """A face, and in [0, 1] how far the picture and its mirror image agree about it."""

    face: Face
    confidence: float


class FaceReader:
    """Follows the largest face."""

    def __init__(self, bundle: bytes, warn: Callable[[str], None]) -> None:
        """From the content of `face_landmarker.task`; `warn` hears of what takes long or is missing."""
        self.engine = glance_engine(bundle, warn)
        self.detector = FaceDetector(bundle, LEAST_SCORE)
        self.crop: FaceCrop | None = None
        self.bias: Bias | None = None
        for looks in (1, 2):  # a size of batch takes some tenths of a second the first time
            self.engine(np.zeros((looks, CROP_SIZE, CROP_SIZE, 3), np.uint8))

    def __call__(self, image: RGB, seconds: float) -> SeenFace | None:
        """The face in the next picture, at a time in seconds."""
        seen = None if self.crop is None else self.look(image, self.crop, seconds)
        if seen is None:
            seen = self.find(image, seconds)
        self.crop = None if seen is None else crop_around(seen.face.landmarks)
        return seen

    def forget(self) -> None:
        """The next picture is searched."""
        self.crop = self.bias = None

    def close(self) -> None:
        """Lets go of the detector."""
        self.detector.__exit__()

    def find(self, image: RGB, seconds: float) -> SeenFace | None:
        """The face anew, wherever the detector sees the largest one."""
        found = self.detector(image)
        if not found:
            return None
        crop, seen = crop_of_box(grown(max((candidate.box for candidate in found), key=box_size))), None
        for _ in range(LOOKS):
            self.bias = None
            seen = self.look(image, crop, seconds)
            if seen is None:
                return None
            crop = crop_around(seen.face.landmarks)
        return seen

    def look(self, image: RGB, crop: FaceCrop, seconds: float) -> SeenFace | None:
        """The face in a crop; None when there is none, or its middle is outside of the picture."""
        cut = cut_crop(image, crop, CROP_SIZE)
        mirrored = self.bias is None or not 0 <= seconds - self.bias.seconds < MIRRORED_EVERY
        answer = self.engine(np.stack([cut, cv2.flip(cut, 1)]) if mirrored else cut[None])
        if answer["presence"].mean() < LEAST_PRESENCE:
            return None
        looks = zip(answer["landmarks"].astype(float), answer["scores"].astype(float), strict=True)
        straight, *other = (Face(points, scores) for points, scores in looks)
        if mirrored:
            self.bias = bias_of(straight, mirror_face(other[0], CROP_SIZE), seconds)
        landmarks = to_picture(crop, straight.landmarks + self.bias.landmarks, CROP_SIZE)
        face = Face(landmarks, (straight.scores + self.bias.scores).clip(0, 1))
        confidence = float(np.exp(-((self.bias.doubt / DOUBT) ** 2)))
        return None if is_outside(face.box, image) else SeenFace(face, confidence)


def bias_of(straight: Face, other: Face, seconds: float) -> Bias:
    """What takes the first look to the mean of both."""
    both = average(straight, other)
    change = both.landmarks - straight.landmarks, both.scores - straight.scores
    return Bias(*change, float(disagreement(straight, other)), seconds)


def glance_engine(bundle: bytes, warn: Callable[[str], None]) -> Engine:
    """The networks in the fastest engine that is installed.

    They are written as an ONNX file into the cache the first time, in some ten seconds.
    """
    return prepared_engine(engine_path(bundle), FromBytes(GlanceNetwork(bundle)), crop_examples(), warn)


def engine_path(bundle: bytes) -> Path:
    """Where the cache has, or would have, the networks."""
    return cache_folder() / "engines" / f"glances-{hashlib.sha256(bundle).hexdigest()[:12]}.onnx"
