"""Finding faces anywhere in a picture, small ones too, with a detector that only knows large ones."""

from collections.abc import Callable, Iterator

import numpy as np

from .face import RGB, Box, Face, box_centre, box_size
from .networks import Candidate, Landmarker
from .window import window_around

TILE_SIDES = (1.0, 1 / 2, 1 / 3)  # of the picture's shorter side; a face is found from a sixth of its tile
SMALLEST_TILE = 96
OVERLAP = 0.5
SAME_FACE = 0.3  # intersection over union
LANDMARKS_TO_DETECTION = 1.3  # the landmarks' box reaches the forehead and the chin
MARGINS = (3.0, 2.2)
MOST_CANDIDATES = 12


def find_in_tiles(image: RGB, detector: Callable[[RGB], list[Candidate]], fraction: float) -> list[Candidate]:
    """Faces in overlapping square tiles whose side is this fraction of the shorter side."""
    side = max(SMALLEST_TILE, round(fraction * min(image.shape[:2])))
    found = []
    for left, top in tile_corners(image.shape[1], image.shape[0], side):
        offset = np.array([left, top, left, top])
        for candidate in detector(image[top : top + side, left : left + side]):
            found.append(Candidate(candidate.box + offset, candidate.score))
    return distinct(found)


def tile_corners(width: int, height: int, side: int) -> Iterator[tuple[int, int]]:
    """Left and top of tiles that cover the picture, neighbours overlapping by half or more."""
    for top in tile_starts(height, side):
        for left in tile_starts(width, side):
            yield left, top


def tile_starts(length: int, side: int) -> list[int]:
    """Evenly spread starts from 0 to the last that fits."""
    room = max(length - side, 0)
    return np.linspace(0, room, int(np.ceil(room / (OVERLAP * side))) + 1).round().astype(int).tolist()


def distinct(candidates: list[Candidate]) -> list[Candidate]:
    """The surest of those that overlap, surest first."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: -c.score):
        if all(overlap(candidate.box, other.box) < SAME_FACE for other in kept):
            kept.append(candidate)
    return kept


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    common = float(np.prod(np.maximum(sides, 0)))
    return common / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - common + 1e-9)


def confirm_detection(image: RGB, box: Box, landmarker: Landmarker) -> Face | None:
    """The face at a detector's box, which is narrower than the landmarks'; None when the landmarker sees none."""
    half = LANDMARKS_TO_DETECTION * box_size(box) / 2
    centre = box_centre(box)
    return confirm(image, np.concatenate([centre - half, centre + half]), landmarker)


def confirm(image: RGB, box: Box, landmarker: Landmarker) -> Face | None:
    """The face where its landmarks are believed to be, in the image's pixels; None when the landmarker sees none."""
    for margin in MARGINS:
        window = window_around(box, margin)
        face = landmarker(window.cut(image))
        if face is None:
            continue
        face = window.to_frame(face)
        if is_near(face.box, box) and not is_outside(face.box, image):
            return face
    return None


def is_near(box: Box, other: Box, reach: float = 0.6) -> bool:
    """Whether two boxes' centres are closer than `reach` times the larger one's size."""
    distance = np.linalg.norm(box_centre(box) - box_centre(other))
    return bool(distance < reach * max(box_size(box), box_size(other)))


def is_outside(box: Box, image: RGB) -> bool:
    """Whether a face's middle has left the picture."""
    x, y = box_centre(box)
    return not (0 <= x < image.shape[1] and 0 <= y < image.shape[0]) or box_size(box) < 8
