"""One person through the frames of a video or a camera, one call of the landmark network a frame.

The crop of a frame comes from the landmarks of the frame before. The detector runs only at the start and after the face
was lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..encoders.crop import SCALE, FaceCrop, crop_around, cut_crop, to_picture
from ..encoders.engines import Engine
from ..encoders.mediapipe import CROP_SIZE
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
class Sight:
    """The face in one frame, before the heads have read it."""

    crop: FaceCrop
    cues: Mapping[str, np.ndarray]
    """Of `Cues`, a batch of one."""
    landmarks: Float[np.ndarray, "478 3"]
    """Pixels of the frame."""


class FaceStream:
    """Follows the most prominent face, or the one that is expected."""

    def __init__(self, cues: Engine, detector: Callable[[RGB], list[Candidate]]) -> None:
        """`cues` is that of `track.network.Encoder`; `detector` is `video.networks.FaceDetector`."""
        self.cues, self.detector = cues, detector
        self.crop: FaceCrop | None = None
        self.last: Box | None = None
        self.missed = 0

    def __call__(self, image: RGB, expected: Box | None = None) -> Sight | None:
        """The face in the next frame. `expected` is where its landmarks are, when that is known from elsewhere."""
        seen = None if self.crop is None else self.look(image, self.crop)
        if seen is not None and expected is not None and not is_near(landmark_box(seen.landmarks), expected, SAME):
            seen = None
        if seen is None:
            seen = self.find(image, expected)
        self.missed = 0 if seen is not None else self.missed + 1
        self.crop = None if seen is None else crop_around(seen.landmarks)
        self.last = self.last if seen is None else landmark_box(seen.landmarks)
        return seen

    def find(self, image: RGB, expected: Box | None) -> Sight | None:
        """The face anew, where it is expected or wherever the detector finds it."""
        box = self.detected(image) if expected is None else expected
        if box is None:
            return None
        crop, seen = crop_of_box(box), None
        for _ in range(STEPS_TO_SETTLE):
            seen = self.look(image, crop)
            if seen is None:
                return None
            crop = crop_around(seen.landmarks)
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

    def look(self, image: RGB, crop: FaceCrop) -> Sight | None:
        """What the network sees in a crop; None when it sees no face there or its middle is outside of the frame."""
        cues = self.cues(cut_crop(image, crop, CROP_SIZE)[None])
        if cues["presence"][0] < LEAST_PRESENCE:
            return None
        landmarks = to_picture(crop, cues["landmarks"][0], CROP_SIZE)
        return None if is_outside(landmark_box(landmarks), image) else Sight(crop, cues, landmarks)


def crop_of_box(box: Box) -> FaceCrop:
    """An upright crop for landmarks that are believed to be in a box."""
    return FaceCrop(box_centre(box), SCALE * box_size(box), 0.0)


def grown(box: Box) -> Box:
    """From the detector's box, brows to chin, to the landmarks'."""
    half = LANDMARKS_TO_DETECTION * box_size(box) / 2
    centre = box_centre(box)
    return np.concatenate([centre - half, centre + half])
