"""The guide that one paints over: the avatar's own map, paled, with the mesh and the names of its parts on it."""

from pathlib import Path

import cv2
import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.storage import write_atomic
from .look import PLAIN_COLOURS, read_picture, write_words
from .sheet import encode_picture

SIZE = 2048
LINE = (40, 90, 160)
PALE = 0.35
"""How much of white is mixed in."""


def write_template(path: Path, avatar: Avatar) -> None:
    """Writes the guide as a PNG, 2048 pixels square, whatever the file's ending."""
    data = encode_picture(".png", uv_template(avatar))
    write_atomic(path, lambda file: file.write(data))


def uv_template(avatar: Avatar, size: int = SIZE) -> np.ndarray:
    """(size, size, 3) uint8 sRGB: the albedo with the edges of the mesh's polygons, each part named at its top."""
    if "albedo" in avatar.maps:
        own = read_picture(avatar.maps["albedo"])[..., :3]
    else:
        own = np.full((1, 1, 3), [round(255 * c ** (1 / 2.2)) for c in PLAIN_COLOURS["skin"]], np.uint8)
    own = cv2.resize(own, (size, size), interpolation=cv2.INTER_CUBIC)
    guide = (own * (1 - PALE) + 255 * PALE).astype(np.uint8)
    # Sixteenths of a pixel, counted from pixel centres; (0, 0) of the map is its lower left corner.
    places = np.round(((avatar.uv * (1, -1) + (0, 1)) * size - 0.5) * 16).astype(np.int32)
    outlines = [places[polygon[polygon >= 0]] for polygon in avatar.uv_polygons]
    lines = np.zeros((size, size), np.uint8)
    cv2.polylines(lines, outlines, True, 150, 1, cv2.LINE_AA, 4)
    cover = lines[..., None] / np.float32(255)
    guide = (guide * (1 - cover) + np.array(LINE, np.float32) * cover).astype(np.uint8)
    for number, name in enumerate(avatar.material_names):
        used = np.unique(avatar.uv_polygons[avatar.polygon_material == number])
        part = places[used[used >= 0]] / 16
        guide = write_words(guide, name, size // 64, int(np.median(part[:, 0])), int(part[:, 1].min()) + 8, "mt")
    return guide
