"""The face in a camera's pictures, fast: MediaPipe's landmark network in an inference engine, not in its own graph.

The crop of a picture comes from the landmarks of the one before; the detector runs only at the start and after the face
was lost. Each crop is looked at as it is and mirrored, in one batch, which takes out the network's left-right bias as
reading a clip does (`video.follow`), so that both see the same face.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..encoders.crop import SCALE, FaceCrop, crop_around, cut_crop, to_picture
from ..encoders.engines import Engine, installed_engines, open_engine
from ..encoders.export import export_onnx
from ..encoders.mediapipe import CROP_SIZE, load_landmark_network, load_score_network
from ..models import cache_folder
from ..video.face import RGB, Box, Face, box_centre, box_size
from ..video.follow import DOUBT
from ..video.mirror import average, disagreement, mirror_face
from ..video.networks import FaceDetector
from ..video.search import LANDMARKS_TO_DETECTION, is_outside

LEAST_PRESENCE = 0.5
LEAST_SCORE = 0.5
THREADS = 1
"""Of the engine: one core captures and tracks, the others are Blender's."""
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

    def __call__(self, image: RGB) -> SeenFace | None:
        """The face in the next picture."""
        seen = None if self.crop is None else self.look(image, self.crop)
        if seen is None:
            seen = self.find(image)
        self.crop = None if seen is None else crop_of(seen.face.landmarks)
        return seen

    def forget(self) -> None:
        """The next picture is searched."""
        self.crop = None

    def close(self) -> None:
        """Lets go of the detector."""
        self.detector.__exit__()

    def find(self, image: RGB) -> SeenFace | None:
        """The face anew, wherever the detector sees the largest one."""
        found = self.detector(image)
        if not found:
            return None
        crop, seen = crop_of_box(max((candidate.box for candidate in found), key=box_size)), None
        for _ in range(LOOKS):
            seen = self.look(image, crop)
            if seen is None:
                return None
            crop = crop_of(seen.face.landmarks)
        return seen

    def look(self, image: RGB, crop: FaceCrop) -> SeenFace | None:
        """The face in a crop; None when there is none, or its middle is outside of the picture."""
        cut = cut_crop(image, crop, CROP_SIZE)
        both = np.stack([cut, cv2.flip(cut, 1)]).astype(np.float32) / 255
        answer = self.engine(both)
        if answer["presence"].mean() < LEAST_PRESENCE:
            return None
        straight, mirrored = (
            Face(points, scores)
            for points, scores in zip(answer["landmarks"].astype(float), answer["scores"].astype(float), strict=True)
        )
        other = mirror_face(mirrored, CROP_SIZE)
        face, doubt = average(straight, other), disagreement(straight, other)
        face = Face(in_picture(face.landmarks, crop), face.scores)
        return None if is_outside(face.box, image) else SeenFace(face, float(np.exp(-((doubt / DOUBT) ** 2))))


def glance_engine(bundle: bytes, warn: Callable[[str], None]) -> Engine:
    """The networks in the fastest engine that is installed.

    They are written as an ONNX file into the cache the first time, in some ten seconds.
    """
    network, name = GlanceNetwork(bundle).eval(), installed_engines()[0]
    path = engine_path(bundle)
    if name != "torch" and not path.exists():
        if find_spec("onnxscript") is None:
            warn("Tracking runs on torch, three times as slowly; install spark-backend[track] for a faster engine")
            name = "torch"
        else:
            warn("Preparing the networks for this computer; this takes some ten seconds, once")
            export_onnx(network, path, CROP_SIZE)
    return open_engine(path, network, name, THREADS)


def engine_path(bundle: bytes) -> Path:
    """Where the cache has, or would have, the networks."""
    return cache_folder() / "engines" / f"glance-{hashlib.sha256(bundle).hexdigest()[:12]}.onnx"


def in_picture(points: Float[np.ndarray, "478 3"], crop: FaceCrop) -> Float[np.ndarray, "478 3"]:
    """Crop pixels to the picture's."""
    return to_picture(crop, torch.as_tensor(points)[None].float(), CROP_SIZE)[0].double().numpy()


def crop_of(landmarks: Float[np.ndarray, "478 3"]) -> FaceCrop:
    """The crop of the next picture."""
    return crop_around(torch.as_tensor(landmarks)[None].float())


def crop_of_box(box: Box) -> FaceCrop:
    """An upright crop for the detector's box, which is narrower than the landmarks'."""
    centre = torch.as_tensor(box_centre(box))[None].float()
    return FaceCrop(centre, torch.tensor([SCALE * LANDMARKS_TO_DETECTION * box_size(box)]).float(), torch.zeros(1))
