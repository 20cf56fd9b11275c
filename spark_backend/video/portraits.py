"""A picture of each of several people, so that a user can tell whom a number means."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..protocol.project import portrait_path
from ..protocol.storage import filesystem_errors, write_atomic
from .face import RGB, Box, box_centre, box_size
from .people import Person

SIDE = 128
"""Pixels of a picture, which is square."""
AROUND = 1.7
"""Its side in the picture of the video, by the size of the landmarks' box: hair and chin are on it."""


class Portraits:
    """Cuts each person out of the frame in which the face is largest, as the frames go by."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.pictures: dict[int, RGB] = {}
        """By the person's number."""
        self._wanted: dict[float, list[tuple[int, Box]]] = {}
        for number, person in enumerate(people):
            best = max(person.sightings, key=lambda sighting: box_size(sighting.box))
            self._wanted.setdefault(best.pts, []).append((number, best.box))

    def look(self, pts: float, image: RGB) -> None:
        """Takes one frame of the video."""
        for number, box in self._wanted.pop(pts, ()):
            self.pictures[number] = portrait(image, box)

    def save(self, folder: Path) -> None:
        """Writes the pictures in place of those of an earlier reading; a single person needs none."""
        with filesystem_errors(folder):
            for old in folder.glob(portrait_path(folder, 0).name.replace("0", "*")):
                old.unlink()
        for number, picture in self.pictures.items() if len(self.pictures) > 1 else ():
            data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()
            write_atomic(portrait_path(folder, number), lambda file, data=data: file.write(data))


def portrait(image: RGB, box: Box) -> RGB:
    """(`SIDE`, `SIDE`, 3) around a face; what lies outside of the image is as its edge."""
    side = max(int(AROUND * box_size(box)), 2)
    left, top = np.round(box_centre(box) - side / 2).astype(int)
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return cv2.resize(image[rows[:, None], columns], (SIDE, SIDE), interpolation=cv2.INTER_AREA)
