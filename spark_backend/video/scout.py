"""First pass over a video: who is in it, when and where, from a few frames a second."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from .appearance import appearance_of
from .decode import LazyFrame
from .face import RGB, Box, Face, Points, box_size
from .networks import FaceDetector, Landmarker
from .people import Linker, Person, Sighting, people_of
from .search import MOST_CANDIDATES, SAME_FACE, TILE_SIDES, confirm, confirm_detection, find_in_tiles, overlap

INTERVAL = 0.25  # seconds between looked-at frames
SWEEP_PAUSE, LONGEST_PAUSE = 0.5, 2.0  # seconds between searches of all tiles; doubled each time one finds nothing
LARGE = 1 / 6  # of the shorter side: smaller faces may have larger neighbours that only tiles show
LEAST_SCORE = 0.5
CUT_CHANGE, CUT_RATIO = 18.0, 3.5  # mean change of brightness (of 255), and against the changes just before


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


class CutDetector:
    """Tells a new shot by a change of the whole picture that the frames before do not explain."""

    def __init__(self) -> None:
        self.last: np.ndarray | None = None
        self.usual = float("inf")  # until two frames of a shot have been seen

    def is_cut(self, thumbnail: np.ndarray) -> bool:
        """Whether this frame starts a new shot; to be asked for every frame in order."""
        thumbnail = thumbnail.astype(np.float32)
        last, self.last = self.last, thumbnail
        if last is None or last.shape != thumbnail.shape:
            return False
        change = float(np.abs(thumbnail - last).mean())
        is_cut = change > max(CUT_CHANGE, CUT_RATIO * self.usual)
        if is_cut:
            self.usual = float("inf")
        elif self.usual == float("inf"):
            self.usual = change
        else:
            self.usual += 0.2 * (change - self.usual)
        return is_cut


class Scout:
    """Looks for faces in sampled frames; tiles are searched while only small faces are known, or, more rarely, none."""

    def __init__(self, detector: FaceDetector, landmarker: Landmarker) -> None:
        self.detector, self.landmarker = detector, landmarker
        self.linker = Linker()
        self.reference: Points | None = None
        self.next_sweep, self.pause = 0.0, SWEEP_PAUSE

    def survey(self, frames: Iterable[LazyFrame]) -> Survey:
        """Goes through all frames of a video once."""
        cuts, detector, due, count = [], CutDetector(), 0.0, 0
        for index, frame in enumerate(frames):
            count = index + 1
            if detector.is_cut(frame.thumbnail()):
                cuts.append(index)
                due = self.next_sweep = frame.pts
                self.pause = SWEEP_PAUSE
            if frame.pts >= due:
                self.look(frame.pts, len(cuts), frame.picture())
                due = frame.pts + INTERVAL
        return Survey(count, tuple(people_of(self.linker.tracklets)), tuple(cuts))

    def look(self, pts: float, shot: int, image: RGB) -> None:
        """Finds the faces of one frame and says who they may be."""
        expected = self.linker.expected(pts, shot)
        faces: list[Face] = []
        for box in expected:
            faces = with_face(faces, confirm(image, box, self.landmarker))
        faces = self.with_new(image, faces, [c.box for c in self.detector(image)])
        if pts >= self.next_sweep and not has_large(faces, image):
            faces = self.sweep(image, faces)
            self.pause = SWEEP_PAUSE if faces else min(2 * self.pause, LONGEST_PAUSE)
            self.next_sweep = pts + self.pause
        if faces and self.reference is None:
            self.reference = faces[0].landmarks
        self.linker.add([(Sighting(pts, shot, face.box), appearance_of(image, face, self.reference)) for face in faces])

    def sweep(self, image: RGB, faces: list[Face]) -> list[Face]:
        """`faces` and those in tiles of decreasing size, until one size shows faces and the next their neighbours."""
        done = False
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
