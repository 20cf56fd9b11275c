"""Second pass over a video: one person's landmarks and scores in every frame.

Each frame is looked at twice, as it is and mirrored, and the two answers are averaged. That takes out the network's
left-right bias and a fifth of the jitter, and how far the two disagree is the measure of confidence that MediaPipe does
not give. On rendered heads of known motion the error falls from 2.2 to 2.1 % and the jitter from 0.66 to 0.53 % of the
interocular distance. The filter of MediaPipe's video mode is told that ten times as much time has passed, which halves
its delay.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Self

import cv2
import numpy as np

from .face import RGB, Box, Face, box_centre, box_size
from .mirror import average, disagreement, mirror_face
from .networks import Landmarker
from .people import Sighting
from .search import is_near, is_outside
from .window import LOOSEST, MARGIN, Window, window_around

TIME_STRETCH = 10.0  # how much more time the filter believes to pass: error and delay fall, jitter hardly rises
SETTLING = 60_000  # milliseconds after which it forgets
REACH = 0.6  # seconds from a sighting within which the person is looked for there
NEAR = 0.8  # of the face's size that a face may be away from where the person is expected
INTRUDED = 0.5  # of the face's size within which a face at somebody else's place is somebody else's
MARGINS = (MARGIN, 2.1, LOOSEST)
DOUBT = 0.03  # disagreement, as part of the face's size, at which confidence has fallen to 1/e
ONE_EYED = 0.3  # confidence when only the picture or only its mirror image shows a face


@dataclass(frozen=True)
class Observation:
    """The followed face in one frame."""

    face: Face
    confidence: float
    """exp(-(d / DOUBT)^2), where d is the disagreement between the picture and its mirror image."""


class Follower:
    """Follows one person through the frames of a video, in order."""

    def __init__(self, bundle: bytes, own: Sequence[Sighting], others: Sequence[Sequence[Sighting]]) -> None:
        self.straight, self.mirrored = Landmarker(bundle, follow=True), Landmarker(bundle, follow=True)
        self.pool = ThreadPoolExecutor(1, "mirrored")
        self.own, self.others = Sightings(own), [Sightings(other) for other in others]
        self.window: Window | None = None
        self.unsettled = False
        self.last_pts, self.shot = 0.0, 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.pool.shutdown()
        self.straight.__exit__()
        self.mirrored.__exit__()

    def __call__(self, pts: float, shot: int, image: RGB) -> Observation | None:
        """The person in the next frame; None when they are not seen there."""
        elapsed = max(1, round(1000 * TIME_STRETCH * (pts - self.last_pts)))
        if shot != self.shot:
            self.window = None
        self.last_pts, self.shot = pts, shot
        seen = self.keep(pts, image, elapsed) if self.window is not None else None
        if seen is None:
            seen = self.take_up(pts, image)
        if seen is None:
            self.window = None
        elif not self.window.suits(seen.face.box):
            self.window = None if is_outside(seen.face.box, image) else window_around(seen.face.box)
            self.unsettled = True
        return seen

    def keep(self, pts: float, image: RGB, elapsed: int) -> Observation | None:
        """The face in the present window, if it is still theirs."""
        seen = self.settle(image) if self.unsettled else self.look(image, elapsed) or self.look(image, 1)
        if seen is None or is_outside(seen.face.box, image) or not self.is_theirs(seen, pts):
            return None
        return seen

    def take_up(self, pts: float, image: RGB) -> Observation | None:
        """The face where the first pass has seen the person at about this time."""
        expected = self.own.at(pts, self.shot)
        if expected is None:
            return None
        for margin in MARGINS:
            self.window = window_around(expected, margin)
            seen = self.settle(image)
            if seen is not None and is_near(seen.face.box, expected, NEAR) and self.is_theirs(seen, pts):
                return seen
        return None

    def is_theirs(self, seen: Observation, pts: float) -> bool:
        """Whether a face is this person's and not somebody else's."""
        return belongs(seen.face.box, pts, self.shot, self.own, self.others)

    def settle(self, image: RGB) -> Observation | None:
        """Three looks at a frame in a new window: one may miss, one finds the face, one centres the network's crop."""
        self.unsettled = False
        first, second = self.look(image, SETTLING), self.look(image, SETTLING)
        return None if first is None and second is None else self.look(image, SETTLING)

    def look(self, image: RGB, elapsed: int) -> Observation | None:
        """One look at the window and its mirror image, at the same time."""
        cut = self.window.cut(image)
        mirrored = self.pool.submit(self.mirrored, cv2.flip(cut, 1), elapsed)
        one, other = self.straight(cut, elapsed), mirrored.result()
        if other is not None:
            other = mirror_face(other, cut.shape[1])
        if one is None or other is None:
            single = one or other
            return None if single is None else Observation(self.window.to_frame(single), ONE_EYED)
        doubt = disagreement(one, other)
        return Observation(self.window.to_frame(average(one, other)), float(np.exp(-((doubt / DOUBT) ** 2))))


class Sightings:
    """Where somebody was at the times of the first pass."""

    def __init__(self, sightings: Sequence[Sighting]) -> None:
        self.sightings = sorted(sightings, key=lambda sighting: sighting.pts)
        self.times = np.array([sighting.pts for sighting in self.sightings])

    def at(self, pts: float, shot: int) -> Box | None:
        """The best guess: between two sightings, else the nearest one."""
        box = self.between(pts, shot)
        return self.nearest(pts, shot) if box is None else box

    def nearest(self, pts: float, shot: int) -> Box | None:
        """The box of the nearest sighting of this shot, at most `REACH` seconds away."""
        close = np.flatnonzero(np.abs(self.times - pts) <= REACH)
        close = [index for index in close if self.sightings[index].shot == shot]
        if not close:
            return None
        return self.sightings[min(close, key=lambda index: abs(self.times[index] - pts))].box

    def between(self, pts: float, shot: int) -> Box | None:
        """The box between the sightings before and after, when both are of this shot and near."""
        after = int(np.searchsorted(self.times, pts))
        if after < len(self.times) and self.times[after] == pts and self.sightings[after].shot == shot:
            return self.sightings[after].box
        if not 0 < after < len(self.times) or self.times[after] - self.times[after - 1] > REACH:
            return None
        a, b = self.sightings[after - 1], self.sightings[after]
        if a.shot != shot or b.shot != shot:
            return None
        share = (pts - a.pts) / (b.pts - a.pts)
        return a.box + share * (b.box - a.box)


def belongs(box: Box, pts: float, shot: int, own: Sightings, others: Sequence[Sightings]) -> bool:
    """Whether a face is where its person is expected, and not nearer to where somebody else is."""
    expected, between = own.at(pts, shot), own.between(pts, shot)
    if between is not None and not is_near(box, between, NEAR):
        return False
    ways = [way(box, other) for sightings in others if (other := sightings.at(pts, shot)) is not None]
    limit = INTRUDED if expected is None else min(way(box, expected), INTRUDED)
    return min(ways, default=np.inf) > limit


def way(box: Box, other: Box) -> float:
    """Distance between two faces' middles by their size."""
    return float(np.linalg.norm(box_centre(box) - box_centre(other))) / max(box_size(box), box_size(other))
