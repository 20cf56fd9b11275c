"""Where a camera's picture goes in a viewport, parts of which are covered by the sidebar and the toolbar. No bpy."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

MARGIN = 0.03
"""Of the free width and height, left on each side."""


@dataclass(frozen=True)
class Rectangle:
    """Pixels of the window, from its lower left."""

    left: float
    bottom: float
    right: float
    top: float

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.right - self.left, self.top - self.bottom

    @property
    def centre(self) -> tuple[float, float]:
        """In the middle."""
        return (self.left + self.right) / 2, (self.bottom + self.top) / 2


@dataclass(frozen=True)
class CameraView:
    """What Blender calls the zoom and the offset of a viewport's camera view."""

    zoom: float
    offset: tuple[float, float]


def free_part(region: Rectangle, covers: Iterable[tuple[str, Rectangle]]) -> Rectangle:
    """What is left of a region by those that lie over it, given with the side that each is aligned to."""
    free = region
    for side, cover in covers:
        free = Rectangle(
            max(free.left, cover.right) if side == "LEFT" else free.left,
            max(free.bottom, cover.top) if side == "BOTTOM" else free.bottom,
            min(free.right, cover.left) if side == "RIGHT" else free.right,
            min(free.top, cover.bottom) if side == "TOP" else free.top,
        )
    return free


def camera_view(region: Rectangle, free: Rectangle, aspect: float) -> CameraView:
    """The view in which the picture of a horizontally fitted camera fills the free part of a region.

    `aspect` is the picture's width over its height. Blender draws the picture `scale` times as wide as the region, with
    scale = (sqrt(2) + zoom / 50)^2 / 4, and its centre -2 scale offset sizes of the region off the region's centre
    (BKE_camera_params_from_view3d, BKE_camera_params_compute_viewplane).
    """
    (width, height), (free_width, free_height) = region.size, free.size
    scale = (1 - 2 * MARGIN) * min(free_width, free_height * aspect) / width
    (x, y), (free_x, free_y) = region.centre, free.centre
    zoom = 50 * (2 * math.sqrt(scale) - math.sqrt(2))
    return CameraView(zoom, ((x - free_x) / (2 * scale * width), (y - free_y) / (2 * scale * height)))
