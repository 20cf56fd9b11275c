"""The contact sheet: telling frames of a take as source, head over source, and clay from the front and from 45°."""

from pathlib import Path

import cv2
import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.storage import write_atomic
from ..protocol.take import Take
from ..render.draw import render_frame
from ..video.decode import read_selected
from .look import avatar_surface, backdrop, part_of_surface, write_words
from .views import head_faces, head_panel, intrinsics_at, posed_frames, studio_take, take_frames

COLUMNS = ("Source", "Head over source", "Clay, front", "Clay, 45°")
CELL_HEIGHT = 360
GAP = 6
PAPER = 24


def contact_sheet(avatar: Avatar, take: Take, video: Path, rows: int = 5) -> np.ndarray:
    """(H, W, 3) uint8 sRGB picture with at most `rows` frames."""
    chosen = telling_frames(take, rows)
    panel = head_panel(avatar, take, CELL_HEIGHT)
    size = (panel.width, panel.height)
    part = take_frames(take, chosen)
    above = head_faces(avatar)
    faces, surface, studio = avatar.faces[above], part_of_surface(avatar_surface(avatar), above), backdrop(size)
    posed = posed_frames(avatar, part)
    front, turned = (posed_frames(avatar, studio_take(avatar, part, np.radians(a), size)) for a in (0.0, 45.0))
    camera = studio_take(avatar, part, 0.0, size).K
    lines = []
    pictures = (frame.image for _, frame in read_selected(video, chosen.tolist()))
    for row, (picture, seen, ahead, aside) in enumerate(zip(pictures, posed, front, turned, strict=True)):
        source = panel.crop(picture)
        K = panel.intrinsics(intrinsics_at(part, row))
        cells = [
            source,
            render_frame(seen, faces, K, size, surface=surface, background=source),
            render_frame(ahead, avatar.faces, camera, size, background=studio),
            render_frame(aside, avatar.faces, camera, size, background=studio),
        ]
        cells[0] = write_words(cells[0], f"{part.pts[row]:.2f} s", 13, 10, 22)
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


def telling_frames(take: Take, count: int) -> np.ndarray:
    """Frames that differ most from each other in expression and head pose, in time's order; at most `count`.

    Starts with the calmest face and goes on with what is farthest from all chosen ones. Frames without a face are left
    out unless there are no others.
    """
    candidates = np.flatnonzero(take.valid) if take.valid.any() else np.arange(len(take.pts))
    # Quaternions of two frames differ by half the angle between them: 2 makes it radians, and a turn of half a radian
    # counts as much as an expression at full weight.
    aligned = take.head_rotation * np.where(take.head_rotation @ take.head_rotation[candidates[0]] < 0, -1, 1)[:, None]
    features = np.concatenate([take.weights, 4 * aligned], 1)[candidates]
    chosen = [int(np.argmin(take.weights[candidates].sum(1)))]
    while len(chosen) < min(count, len(candidates)):
        distance = np.linalg.norm(features[:, None] - features[chosen], axis=-1).min(1)
        chosen.append(int(distance.argmax()))
    return candidates[np.sort(chosen)]


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
