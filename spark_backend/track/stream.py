"""One person through the frames of a video or a camera, one network call a frame.

The crop of a frame comes from the landmarks of the frame before. The detector runs only at the start and after the face
was lost.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ..encoders.crop import SCALE, FaceCrop, crop_around, cut_crop, to_picture
from ..encoders.engines import Engine
from ..encoders.mediapipe import CROP_SIZE
from ..encoders.readout import Parameters
from ..video.face import RGB, Box, box_centre, box_size, landmark_box
from ..video.search import LANDMARKS_TO_DETECTION, TILE_SIDES, Candidate, find_in_tiles, is_near, is_outside

LEAST_PRESENCE = 0.5
STEPS_TO_SETTLE = 2
"""Looks at a frame in which the face is new: each crop comes from the landmarks of the look before."""
TILES_EVERY = 15
"""Frames without a face between two searches for small ones, which take ten times as long."""
SAME = 0.5
"""Part of a face's size by which it may be away from where it is expected."""


@dataclass(frozen=True)
class Seen:
    """The face in one frame."""

    weights: Float[np.ndarray, "52"]
    rotation: Float[np.ndarray, "3 3"]
    """See `Parameters`: to the axes of a camera that looks at the head, its picture as upright as the crop."""
    middle: Float[np.ndarray, "2"]
    """Pixels of the frame."""
    scale: float
    """Pixels of the frame per metre."""
    confidence: float
    landmarks: Float[np.ndarray, "478 3"]
    """Pixels of the frame."""
    angle: float
    """Radians that the crop was turned clockwise."""


class FaceStream:
    """Follows the most prominent face, or the one that is expected."""

    def __init__(self, engine: Engine, detector: Callable[[RGB], list[Candidate]]) -> None:
        """`engine` runs a `FaceEncoder`; `detector` is `video.networks.FaceDetector`."""
        self.engine, self.detector = engine, detector
        self.crop: FaceCrop | None = None
        self.last: Box | None = None
        self.missed = 0

    def __call__(self, image: RGB, expected: Box | None = None) -> Seen | None:
        """The face in the next frame. `expected` is where its landmarks are, when that is known from elsewhere."""
        seen = None if self.crop is None else self.look(image, self.crop)
        if seen is not None and expected is not None and not is_near(landmark_box(seen.landmarks), expected, SAME):
            seen = None
        if seen is None:
            seen = self.find(image, expected)
        self.missed = 0 if seen is not None else self.missed + 1
        self.crop = None if seen is None else crop_of(seen.landmarks)
        self.last = self.last if seen is None else landmark_box(seen.landmarks)
        return seen

    def find(self, image: RGB, expected: Box | None) -> Seen | None:
        """The face anew, where it is expected or wherever the detector finds it."""
        box = self.detected(image) if expected is None else expected
        if box is None:
            return None
        crop, seen = crop_of_box(box), None
        for _ in range(STEPS_TO_SETTLE):
            seen = self.look(image, crop)
            if seen is None:
                return None
            crop = crop_of(seen.landmarks)
        return self.look(image, crop)

    def detected(self, image: RGB) -> Box | None:
        """The landmarks' box of the face that was followed, else of the largest one."""
        found = self.detector(image)
        if not found and self.missed % TILES_EVERY == 0:
            found = [face for side in TILE_SIDES[1:] for face in find_in_tiles(image, self.detector, side)]
        if not found:
            return None
        boxes = [grown(candidate.box) for candidate in found]
        near = [box for box in boxes if self.last is not None and is_near(box, self.last)]
        return max(near or boxes, key=box_size)

    def look(self, image: RGB, crop: FaceCrop) -> Seen | None:
        """What the encoder sees in a crop; None when it sees no face there or its middle is outside of the frame."""
        pixels = cut_crop(image, crop, CROP_SIZE)[None].astype(np.float32) / 255
        parameters = Parameters(**{name: value[0].copy() for name, value in self.engine(pixels).items()})
        if parameters.presence < LEAST_PRESENCE:
            return None
        seen = in_frame(parameters, crop)
        return None if is_outside(landmark_box(seen.landmarks), image) else seen


def in_frame(parameters: Parameters, crop: FaceCrop) -> Seen:
    """Numbers of one crop in the frame's pixels."""
    factor = float(crop.side) / CROP_SIZE
    points = np.concatenate([parameters.landmarks, [[*parameters.middle, 0]]])
    placed = to_picture(crop, torch.as_tensor(points)[None].float(), CROP_SIZE)[0].numpy()
    return Seen(
        weights=parameters.weights,
        rotation=parameters.rotation,
        middle=placed[-1, :2],
        scale=float(parameters.scale) * factor,
        confidence=float(parameters.confidence),
        landmarks=placed[:-1],
        angle=float(crop.angle),
    )


def crop_of(landmarks: Float[np.ndarray, "478 3"]) -> FaceCrop:
    """The crop of the next frame."""
    return crop_around(torch.as_tensor(landmarks)[None].float())


def crop_of_box(box: Box) -> FaceCrop:
    """An upright crop for landmarks that are believed to be in a box."""
    centre = torch.as_tensor(box_centre(box))[None].float()
    return FaceCrop(centre, torch.tensor([SCALE * box_size(box)]).float(), torch.zeros(1))


def grown(box: Box) -> Box:
    """From the detector's box, brows to chin, to the landmarks'."""
    half = LANDMARKS_TO_DETECTION * box_size(box) / 2
    centre = box_centre(box)
    return np.concatenate([centre - half, centre + half])
