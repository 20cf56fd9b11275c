"""Who is who: sightings of faces joined to tracklets by place, and tracklets to people by looks."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from .appearance import SAME_PERSON, Appearance, blend, difference
from .face import Box, box_centre, box_size

MEMORY = 1.0  # seconds that a tracklet waits for its next sighting
FARTHEST = 1.5  # the greatest `leap` that one face makes
ALONE = 2.5  # the same when there is only one face before and after
REUNION, REUNITED = 5.0, 1.1  # seconds after which place means nothing any more, and the greatest `leap` until then
SAME_IN_SHOT = 0.6 * SAME_PERSON  # two faces of one shot at different places look more alike than this if they are one


@dataclass(frozen=True)
class Sighting:
    """One face in one sampled frame."""

    pts: float
    shot: int
    box: Box
    """Of the landmarks, pixels."""
    setup: int = 0
    """Shots of the same setup show the same background, as after a jump cut."""


@dataclass(frozen=True)
class Person:
    """All sightings of one person, by time."""

    sightings: tuple[Sighting, ...]

    @property
    def prominence(self) -> float:
        """Large for long: the sum of the face's size over the sightings."""
        return sum(box_size(sighting.box) for sighting in self.sightings)


@dataclass
class Tracklet:
    """One face over an unbroken stretch of time; grows while the video is read."""

    sightings: list[Sighting]
    look: Appearance
    """Mean over the sightings."""
    last_look: Appearance

    def add(self, sighting: Sighting, look: Appearance) -> None:
        """Takes one more sighting."""
        self.sightings.append(sighting)
        self.look = blend(self.look, look, 1 / len(self.sightings))
        self.last_look = look


@dataclass
class Linker:
    """Joins sightings to tracklets as they come."""

    finished: list[Tracklet] = field(default_factory=list)
    open: list[Tracklet] = field(default_factory=list)

    @property
    def tracklets(self) -> list[Tracklet]:
        return [*self.finished, *self.open]

    def expected(self, pts: float, shot: int) -> list[Box]:
        """Where to look for those who were there a moment ago."""
        self.retire(pts, shot)
        return [tracklet.sightings[-1].box for tracklet in self.open]

    def retire(self, pts: float, shot: int) -> None:
        """Ends the tracklets that a cut or a long absence has ended."""
        ended = [t for t in self.open if t.sightings[-1].shot != shot or pts - t.sightings[-1].pts > MEMORY]
        self.finished += ended
        self.open = [t for t in self.open if not any(t is other for other in ended)]

    def add(self, seen: list[tuple[Sighting, Appearance]]) -> None:
        """Takes the faces of one frame."""
        if not seen:
            return
        self.retire(seen[0][0].pts, seen[0][0].shot)
        costs = [[leap(t.sightings[-1], s, difference(t.last_look, look)) for s, look in seen] for t in self.open]
        limit = ALONE if len(self.open) == len(seen) == 1 else FARTHEST
        limited = np.minimum(np.array(costs).reshape(-1, len(seen)), limit)
        rows, columns = linear_sum_assignment(limited)
        chosen = {int(c): self.open[r] for r, c in zip(rows, columns, strict=True) if limited[r, c] < limit}
        for index, (sighting, look) in enumerate(seen):
            if index in chosen:
                chosen[index].add(sighting, look)
            else:
                self.open.append(Tracklet([sighting], look, look))


def leap(last: Sighting, new: Sighting, unlike: float) -> float:
    """How unlikely it is that one face makes both sightings: way and growth by its size, time, difference of looks."""
    size = max(box_size(last.box), box_size(new.box))
    way = float(np.linalg.norm(box_centre(last.box) - box_centre(new.box))) / size
    growth = abs(float(np.log(box_size(new.box) / box_size(last.box))))
    return way / (1 + new.pts - last.pts) + growth + unlike / 2


def people_of(tracklets: list[Tracklet]) -> list[Person]:
    """Tracklets of the same looks that are never seen at once, as people; the most prominent first."""
    groups: list[list[Tracklet]] = []
    for tracklet in sorted(tracklets, key=lambda t: -Person(tuple(t.sightings)).prominence):
        free = [group for group in groups if not any(at_once(tracklet, other) for other in group)]
        scores = [min(strangeness(tracklet, other) for other in group) for group in free]
        if scores and min(scores) < 1:
            free[int(np.argmin(scores))].append(tracklet)
        else:
            groups.append([tracklet])
    ordered = (sorted((s for t in group for s in t.sightings), key=lambda s: s.pts) for group in groups)
    return sorted((Person(tuple(sightings)) for sightings in ordered), key=lambda person: -person.prominence)


def strangeness(one: Tracklet, other: Tracklet) -> float:
    """Below 1 when two tracklets are believed to show the same person.

    Faces before the same background are compared by place and time, too; across a change of scene only looks can tell.
    """
    first, second = sorted((one, other), key=lambda t: t.sightings[0].pts)
    last, new = first.sightings[-1], second.sightings[0]
    unlike = difference(one.look, other.look)
    way = leap(last, new, unlike) if last.setup == new.setup and 0 < new.pts - last.pts < REUNION else np.inf
    if last.shot == new.shot:
        return min(way / REUNITED, unlike / SAME_IN_SHOT)
    return min(way / FARTHEST, unlike / SAME_PERSON)


def at_once(one: Tracklet, other: Tracklet) -> bool:
    """Whether both were seen in a same frame."""
    return not {s.pts for s in one.sightings}.isdisjoint(s.pts for s in other.sightings)
