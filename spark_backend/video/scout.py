"""First pass over a video: who is in it, when and where, from a few frames a second."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from .appearance import appearance_of
from .decode import LazyFrame
from .face import RGB, Box, Face, Points, box_size
from .networks import FaceDetector, Landmarker
from .people import Linker, Person, Sighting, people_of
from .search import MOST_CANDIDATES, SAME_FACE, TILE_SIDES, confirm, confirm_detection, find_in_tiles, overlap

INTERVAL = 0.25  # seconds between looked-at frames
# Seconds between searches of tiles with small or no faces in sight, and with a large one; a new shot has one at once.
OFTEN, SELDOM = 0.5, 2.0
LARGE = 1 / 6  # of the shorter side: smaller faces may have larger neighbours that only tiles show
LEAST_SCORE = 0.5
CUT_CHANGE, CUT_RATIO = 18.0, 3.5  # mean change of brightness (of 255), and against the changes just before
UNCHANGED, SAME_SETUP = 8.0, 0.3  # across a jump cut this part of the picture changes by no more than that


@dataclass(frozen=True)
class Survey:
    """What the first pass has found."""

    frames: int
    people: tuple[Person, ...]
    """Most prominent first."""
    cuts: tuple[int, ...]
    """Index of the first frame of each shot but the first."""

    def shot_of(self, index: int) -> int:
        """The number of the shot that a frame belongs to."""
        return int(np.searchsorted(self.cuts, index, side="right"))


class Change(Enum):
    """What happens between two frames."""

    NONE = "none"
    JUMP = "jump"
    """A cut to the same scene: the background stays."""
    CUT = "cut"


class CutDetector:
    """Tells a new shot by a change of the whole picture that the frames before do not explain."""

    def __init__(self) -> None:
        self.last: np.ndarray | None = None
        self.usual = float("inf")  # until two frames of a shot have been seen

    def __call__(self, thumbnail: np.ndarray) -> Change:
        """What this frame brings; to be asked for every frame in order."""
        last, self.last = self.last, thumbnail.astype(np.float32)
        if last is None or last.shape != thumbnail.shape:
            return Change.NONE
        changes = np.abs(self.last - last)
        change, usual = float(changes.mean()), self.usual
        if change > max(CUT_CHANGE, CUT_RATIO * usual):
            self.usual = float("inf")
            return Change.JUMP if (changes <= UNCHANGED).mean() > SAME_SETUP else Change.CUT
        self.usual = change if usual == float("inf") else usual + 0.2 * (change - usual)
        return Change.NONE


class Scout:
    """Looks for faces in sampled frames, and in tiles of some of them; knows at the end who was there."""

    def __init__(self, detector: FaceDetector, landmarker: Landmarker) -> None:
        self.detector, self.landmarker = detector, landmarker
        self.linker = Linker()
        self.reference: Points | None = None
        self.next_sweep, self.shot, self.setup = 0.0, 0, 0

    def survey(self, frames: Iterable[LazyFrame]) -> Survey:
        """Goes through all frames of a video once."""
        cuts, change_at, due, count = [], CutDetector(), 0.0, 0
        for index, frame in enumerate(frames):
            count = index + 1
            change = change_at(frame.thumbnail())
            if change is not Change.NONE:
                cuts.append(index)
                self.shot += 1
                self.setup += change is Change.CUT
                due = self.next_sweep = frame.pts
            if frame.pts >= due:
                self.look(frame.pts, frame.picture())
                due = frame.pts + INTERVAL
        return Survey(count, tuple(people_of(self.linker.tracklets)), tuple(cuts))

    def look(self, pts: float, image: RGB) -> None:
        """Finds the faces of one frame and says who they may be."""
        faces: list[Face] = []
        for box in self.linker.expected(pts, self.shot):
            faces = with_face(faces, confirm(image, box, self.landmarker))
        faces = self.with_new(image, faces, [c.box for c in self.detector(image)])
        if pts >= self.next_sweep:
            faces = self.sweep(image, faces)
            self.next_sweep = pts + (SELDOM if has_large(faces, image) else OFTEN)
        if faces and self.reference is None:
            self.reference = faces[0].landmarks
        seen = [(Sighting(pts, self.shot, face.box, self.setup), face) for face in faces]
        self.linker.add([(sighting, appearance_of(image, face, self.reference)) for sighting, face in seen])

    def sweep(self, image: RGB, faces: list[Face]) -> list[Face]:
        """`faces` and those in tiles of decreasing size, until one size shows faces and the next their neighbours."""
        done = has_large(faces, image)
        for fraction in TILE_SIDES:
            faces = self.with_new(image, faces, [c.box for c in find_in_tiles(image, self.detector, fraction)])
            if done:
                break
            done = bool(faces)
        return faces

    def with_new(self, image: RGB, faces: list[Face], boxes: list[Box]) -> list[Face]:
        """`faces` and those that the landmark network confirms at other places."""
        for box in boxes[:MOST_CANDIDATES]:
            if all(overlap(box, other.box) < SAME_FACE for other in faces):
                faces = with_face(faces, confirm_detection(image, box, self.landmarker))
        return faces


def has_large(faces: list[Face], image: RGB) -> bool:
    """Whether one of the faces is as large as those that the detector finds without tiles."""
    return any(box_size(face.box) > LARGE * min(image.shape[:2]) for face in faces)


def with_face(faces: list[Face], face: Face | None) -> list[Face]:
    """`faces` and one more, unless it is one of them."""
    if face is None or any(overlap(face.box, other.box) >= SAME_FACE for other in faces):
        return faces
    return [*faces, face]
