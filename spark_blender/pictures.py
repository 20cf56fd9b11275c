"""Pictures in panels: what a running job shows of its work, and the clips' thumbnails.

They live in a collection of Blender's own for icons, outside of the .blend.
"""

from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np

from .job_state import JobState

LARGEST = 512
"""Pixels on the longer side of what is kept of a picture."""

LARGEST_GRID = 4
"""Rows into which a picture is cut at most."""

_collection: bpy.utils.previews.ImagePreviewCollection | None = None
_shown: tuple[str, int] = ("", 0)
_grid = (0, 0)
"""Rows and columns of the parts that are shown."""


def open_pictures() -> None:
    """Makes the collection."""
    global _collection, _shown, _grid
    _collection, _shown, _grid = bpy.utils.previews.new(), ("", 0), (0, 0)


def close_pictures() -> None:
    """Lets go of all pictures."""
    global _collection
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
    _collection = None


def thumbnail(video: Path) -> int:
    """The icon of a video; Blender reads its picture in the background, the first time it is drawn."""
    name = f"clip {video}"
    if name not in _collection:
        _collection.load(name, str(video), "MOVIE")
    return _collection[name].icon_id


def portrait(path: Path, made: float) -> int:
    """The icon of a head's picture as it was `made`; read as a thumbnail is."""
    name = f"head {made} {path}"
    if name not in _collection:
        _collection.load(name, str(path), "IMAGE")
    return _collection[name].icon_id


def tiles() -> list[list[int]]:
    """The icons of a job's latest picture: rows from the top, each from left to right; none before the first."""
    rows, columns = _grid
    return [
        [_collection[tile_name(row * columns + column)].icon_id for column in range(columns)] for row in range(rows)
    ]


def tile_name(index: int) -> str:
    """The name under which one part of the picture is kept."""
    return f"job {index}"


def take_picture(state: JobState) -> None:
    """Reads a job's latest picture unless it has been read. One that is not there or half written is passed over."""
    global _shown, _grid
    if (state.preview, state.previews) == _shown:
        return
    _shown = (state.preview, state.previews)
    pixels = read_picture(state.folder / state.preview)
    if pixels is None:
        return
    parts = split(shrink(pixels))
    for index, part in enumerate(part for row in parts for part in row):
        preview = _collection.get(tile_name(index)) or _collection.new(tile_name(index))
        preview.image_size = (part.shape[1], part.shape[0])
        preview.image_pixels_float.foreach_set(np.ascontiguousarray(part).ravel())
    _grid = (len(parts), len(parts[0]))


def forget_picture() -> None:
    """Shows no picture until a job has a new one."""
    global _shown, _grid
    _shown, _grid = ("", 0), (0, 0)


def read_picture(path: Path) -> np.ndarray | None:
    """(H, W, 4) floats with the lowest row first; None for no picture."""
    if not path.is_file():
        return None
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError:
        return None
    try:
        width, height = image.size
        if not width or not height:
            return None
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        return pixels.reshape(height, width, 4)
    finally:
        bpy.data.images.remove(image)


def shrink(pixels: np.ndarray) -> np.ndarray:
    """Every n-th pixel of a picture whose parts are larger than what is kept."""
    step = max(1, -(-pixels.shape[0] // LARGEST))
    return pixels[::step, ::step]


def split(pixels: np.ndarray) -> list[list[np.ndarray]]:
    """The picture as rows, from the top, of square parts where few will do: Blender draws icons in squares."""
    ratio = pixels.shape[1] / pixels.shape[0]
    rows = next((rows for rows in range(1, LARGEST_GRID + 1) if abs(ratio * rows - round(ratio * rows)) < 0.02), 1)
    bands = reversed(np.array_split(pixels, rows, axis=0))  # the lowest row of pixels is the first
    return [np.array_split(band, max(1, round(ratio * rows)), axis=1) for band in bands]
