"""MediaPipe's face detector and face landmarker (Tasks API) in our pixels, names and silence.

MediaPipe's normalised coordinates times the picture's size put 0 at the centre of the first pixel, and its landmark
network (256 x 256 pixels over the face and half as much again) reports points half a network pixel too far right and
down. Measured: the points of a picture and of its mirror image disagree by -1 px plus a full network pixel, at every
size of the face. `to_our_pixels` takes both out; our (0, 0) is the corner of the first pixel.

MediaPipe is imported by whoever makes one of them: that takes most of a second, and a clip that has been ingested tells
where its face is.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from ..models.task_bundle import DETECTOR, bundle_member
from ..protocol.names import ARKIT_52
from .face import RGB, Box, Face, Points, box_size, landmark_box
from .native_noise import quiet_native_stderr

if TYPE_CHECKING:
    import mediapipe

LANDMARKS = 478
RIGHT_EYE_CORNER, LEFT_EYE_CORNER = 33, 263
NETWORK_SIZE = 256
REGION_SCALE = 1.5  # of the network's square to the larger side of the landmarks' box


@dataclass(frozen=True)
class Candidate:
    """Where the detector believes a face to be."""

    box: Box
    """Left, top, right, bottom in pixels: brows to chin, narrower than the landmarks' box."""
    score: float
    """In [0, 1]."""


def to_our_pixels(landmarks: Points, width: int, height: int) -> Points:
    """Normalised landmarks to pixels, with the two half pixels of MediaPipe taken out (see above)."""
    pixels = landmarks * np.array([width, height, width])
    across = pixels[LEFT_EYE_CORNER, :2] - pixels[RIGHT_EYE_CORNER, :2]
    right = across / max(float(np.linalg.norm(across)), 1e-6)
    down = np.array([-right[1], right[0]])
    half = 0.5 * REGION_SCALE * box_size(landmark_box(pixels)) / NETWORK_SIZE
    pixels[:, :2] += 0.5 - half * (right + down)
    return pixels


class FaceDetector:
    """The bundle's short-range detector, which the landmarker hides: finds faces above a sixth of the picture."""

    def __init__(self, bundle: bytes, least_score: float) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            base_options=BaseOptions(model_asset_buffer=bundle_member(bundle, DETECTOR)),
            running_mode=vision.RunningMode.IMAGE,
            min_detection_confidence=least_score,
        )
        with quiet_native_stderr():
            self.task = vision.FaceDetector.create_from_options(options)
            self(np.zeros((128, 128, 3), np.uint8))

    def __call__(self, image: RGB) -> list[Candidate]:
        """All faces of a picture, surest first."""
        with quiet_native_stderr():
            found = self.task.detect(as_mediapipe(image)).detections
        candidates = []
        for detection in found:
            b = detection.bounding_box
            box = np.array([b.origin_x, b.origin_y, b.origin_x + b.width, b.origin_y + b.height], float)
            candidates.append(Candidate(box, float(detection.categories[0].score or 0)))
        return sorted(candidates, key=lambda candidate: -candidate.score)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with quiet_native_stderr():
            self.task.close()


class Landmarker:
    """One face's landmarks and scores, in single pictures or along a video."""

    def __init__(self, bundle: bytes, follow: bool) -> None:
        from mediapipe.tasks.python import BaseOptions, vision

        self.follow = follow
        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=bundle),
            running_mode=vision.RunningMode.VIDEO if follow else vision.RunningMode.IMAGE,
            num_faces=1,
            output_face_blendshapes=True,
        )
        with quiet_native_stderr():
            self.task = vision.FaceLandmarker.create_from_options(options)
            self.milliseconds = -1
            self(np.zeros((128, 192, 3), np.uint8), 1)

    def __call__(self, image: RGB, elapsed: int = 1) -> Face | None:
        """The face in the picture, None without one.

        When following, it is looked for where it was in the last picture, and steadied by MediaPipe's one-euro filter,
        to which `elapsed` milliseconds have passed since then: the longer, the less it steadies and lags.
        """
        # Any look may complain of how memory happens to lie.
        with quiet_native_stderr():
            if self.follow:
                self.milliseconds += elapsed
                result = self.task.detect_for_video(as_mediapipe(image), self.milliseconds)
            else:
                result = self.task.detect(as_mediapipe(image))
        if not result.face_landmarks:
            return None
        points = np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0][:LANDMARKS]])
        by_name = {category.category_name: category.score for category in result.face_blendshapes[0]}
        scores = np.array([by_name.get(name) or 0.0 for name in ARKIT_52])
        return Face(to_our_pixels(points, image.shape[1], image.shape[0]), scores)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with quiet_native_stderr():
            self.task.close()


def as_mediapipe(image: RGB) -> "mediapipe.Image":
    """Wraps a picture; MediaPipe copies it."""
    import mediapipe

    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))
