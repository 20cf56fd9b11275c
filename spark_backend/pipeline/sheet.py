"""The contact sheet: telling frames of a take as source, face over source, and clay from the front and from 45°."""

from pathlib import Path

import cv2
import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.storage import write_atomic
from ..protocol.take import Take
from ..render.draw import render_frame
from ..render.shading import Light
from ..video.decode import read_selected
from .look import backdrop, face_layer, write_words
from .moments import telling_frames
from .views import head_panels, intrinsics_at, posed_frames, studio_take, take_frames

COLUMNS = ("Source", "Face over source", "Clay, front", "Clay, 45°")
CELL = (288, 360)
"""Width and height."""
GAP = 6
PAPER = 24


def contact_sheet(avatar: Avatar, take: Take, video: Path, light: Light | None = None, rows: int = 5) -> np.ndarray:
    """(H, W, 3) uint8 sRGB picture with at most `rows` frames."""
    chosen = telling_frames(take, rows)
    part, panels = take_frames(take, chosen), [head_panels(avatar, take, CELL)[frame] for frame in chosen]
    face, solid, studio = face_layer(avatar), avatar.faces[avatar.face_solid], backdrop(CELL)
    front, turned = (posed_frames(avatar, studio_take(avatar, part, np.radians(a), CELL)) for a in (0.0, 45.0))
    camera = studio_take(avatar, part, 0.0, CELL).K
    lines = []
    pictures = (frame.image for _, frame in read_selected(video, chosen.tolist()))
    posed = zip(pictures, posed_frames(avatar, part), front, turned, panels, strict=True)
    for row, (picture, seen, ahead, aside, panel) in enumerate(posed):
        source = panel.crop(picture)
        K = panel.intrinsics(intrinsics_at(part, row))
        cells = [
            write_words(source, f"{part.pts[row]:.2f} s", 13, 10, 22),
            face.over(source, seen, K, CELL, light),
            render_frame(ahead, solid, camera, CELL, background=studio),
            render_frame(aside, solid, camera, CELL, background=studio),
        ]
        lines.append(cells)
    return arrange(lines)


def arrange(lines: list[list[np.ndarray]]) -> np.ndarray:
    """Cells of equal size with gaps between them and the columns' names above."""
    height, width = lines[0][0].shape[:2]
    head = 34
    shape = (head + len(lines) * (height + GAP), GAP + len(lines[0]) * (width + GAP), 3)
    sheet = np.full(shape, PAPER, np.uint8)
    for row, cells in enumerate(lines):
        for column, cell in enumerate(cells):
            top, left = head + row * (height + GAP), GAP + column * (width + GAP)
            sheet[top : top + height, left : left + width] = cell
    for column, name in enumerate(COLUMNS[: len(lines[0])]):
        sheet = write_words(sheet, name, 15, GAP + column * (width + GAP) + 4, 23)
    return sheet


def save_picture(path: Path, image: np.ndarray) -> Path:
    """Writes (H, W, 3) uint8 sRGB, or (H, W, 4) with opacity, as PNG or JPEG, by the file's ending."""
    data = encode_picture(path.suffix, image)
    write_atomic(path, lambda file: file.write(data))
    return path


def encode_picture(ending: str, image: np.ndarray, quality: int = 92) -> bytes:
    """The content of a PNG or JPEG file; `quality` is JPEG's."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if ending in (".jpg", ".jpeg") else []
    swapped = cv2.cvtColor(image, cv2.COLOR_RGBA2BGRA if image.shape[-1] == 4 else cv2.COLOR_RGB2BGR)
    return cv2.imencode(ending, swapped, settings)[1].tobytes()
