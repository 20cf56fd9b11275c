"""Who is who: sightings of faces joined to tracklets by place, and tracklets to people by looks."""

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from .appearance import SAME_PERSON, Appearance, blend, difference
from .face import Box, box_centre, box_size

MEMORY = 1.0  # seconds that a tracklet waits for its next sighting
REACH = 1.2  # of the face's size that it may move between two sightings, and as much again each second
UNLIKE = 1.6 * SAME_PERSON  # two looks a fraction of a second apart that differ by more are two people


@dataclass(frozen=True)
class Sighting:
    """One face in one sampled frame."""

    pts: float
    shot: int
    box: Box
    """Of the landmarks, pixels."""


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
        costs = np.array([[link_cost(t, *one) for one in seen] for t in self.open]).reshape(-1, len(seen))
        rows, columns = linear_sum_assignment(np.where(np.isfinite(costs), costs, 1e6))
        chosen = {int(c): self.open[r] for r, c in zip(rows, columns, strict=True) if np.isfinite(costs[r, c])}
        for index, (sighting, look) in enumerate(seen):
            if index in chosen:
                chosen[index].add(sighting, look)
            else:
                self.open.append(Tracklet([sighting], look, look))


def link_cost(tracklet: Tracklet, new: Sighting, look: Appearance) -> float:
    """How unlikely it is that a sighting shows the same face as the tracklet; infinite when it cannot be."""
    last = tracklet.sightings[-1]
    size = max(box_size(last.box), box_size(new.box))
    distance = float(np.linalg.norm(box_centre(last.box) - box_centre(new.box))) / size
    growth = abs(float(np.log(box_size(new.box) / box_size(last.box))))
    unlike = difference(tracklet.last_look, look)
    if distance > REACH * (1 + new.pts - last.pts) or growth > np.log(2) or unlike > UNLIKE:
        return float("inf")
    return distance + growth + 0.5 * unlike


def people_of(tracklets: list[Tracklet]) -> list[Person]:
    """Tracklets of the same looks that are never seen at once, as people; the most prominent first."""
    groups: list[list[Tracklet]] = []
    for tracklet in sorted(tracklets, key=lambda t: -Person(tuple(t.sightings)).prominence):
        free = [group for group in groups if not any(at_once(tracklet, other) for other in group)]
        scores = [min(difference(tracklet.look, other.look) for other in group) for group in free]
        if scores and min(scores) < SAME_PERSON:
            free[int(np.argmin(scores))].append(tracklet)
        else:
            groups.append([tracklet])
    ordered = (sorted((s for t in group for s in t.sightings), key=lambda s: s.pts) for group in groups)
    return sorted((Person(tuple(sightings)) for sightings in ordered), key=lambda person: -person.prominence)


def at_once(one: Tracklet, other: Tracklet) -> bool:
    """Whether both were seen in a same frame."""
    return not {s.pts for s in one.sightings}.isdisjoint(s.pts for s in other.sightings)
