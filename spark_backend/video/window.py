"""The part of a frame that the landmarker gets to see: a square around the face.

The square stays where it is until the face leaves its middle, because each move changes the sampling: landmarks from a
window that moves with the head jitter a fifth more. Enlarging a small face beforehand changes nothing, the network's
own sampling does as well; halving a large one saves time at the same accuracy.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from .face import RGB, Box, Face, box_centre, box_size

MARGIN = 2.6  # side of the window to the face's larger side; the detector fails on tighter ones
TIGHTEST, LOOSEST = 2.0, 3.8
ENOUGH = 480  # pixels of side that lose nothing: the landmark network sees the face at 256


@dataclass(frozen=True)
class Window:
    """A square of whole pixels of the frame; it may reach over the frame's edges but not lie beyond them."""

    left: int
    top: int
    side: int

    @property
    def reduction(self) -> int:
        """Pixels of the frame to one of the cut, along a side."""
        return max(1, self.side // ENOUGH)

    def cut(self, image: RGB) -> RGB:
        """This part of the frame; beyond the edges their pixels go on."""
        height, width = image.shape[:2]
        right, bottom = self.left + self.side, self.top + self.side
        part = image[max(self.top, 0) : bottom, max(self.left, 0) : right]
        over = (max(-self.top, 0), max(bottom - height, 0), max(-self.left, 0), max(right - width, 0))
        if any(over):
            part = cv2.copyMakeBorder(part, *over, cv2.BORDER_REPLICATE)
        if self.reduction > 1:
            size = self.side // self.reduction
            part = cv2.resize(part, (size, size), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(part)

    def to_frame(self, face: Face) -> Face:
        """A face found in the cut, in the frame's pixels."""
        landmarks = face.landmarks * self.reduction
        landmarks[:, :2] += (self.left, self.top)
        return replace(face, landmarks=landmarks)

    def suits(self, box: Box) -> bool:
        """Whether a face fills a good part of the window and lies well inside."""
        size = box_size(box)
        off = np.abs(box_centre(box) - (self.left + self.side / 2, self.top + self.side / 2)).max()
        return bool(TIGHTEST * size <= self.side <= LOOSEST * size and off <= self.side / 2 - 0.6 * size)


def window_around(box: Box, margin: float = MARGIN) -> Window:
    """A window with the face in its middle."""
    side = max(16, round(margin * box_size(box)))
    side -= side % max(1, side // ENOUGH)  # so that whole pixels are averaged
    x, y = box_centre(box)
    return Window(round(x - side / 2), round(y - side / 2), side)
