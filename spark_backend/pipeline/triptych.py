"""A film of the source, the textured face over it and the head in clay, side by side."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.job import Progress, Report
from ..protocol.take import Take
from ..render.draw import render_frame
from ..video.decode import VideoFrame, read_frames
from .look import backdrop, face_layer, write_words
from .parallel import in_order
from .relight import clip_light
from .views import head_panels, intrinsics_at, posed_frames

PANEL = (416, 520)
"""Width and height."""
LABELS = ("Source", "Face over source", "Clay")


def triptych_frames(avatar: Avatar, take: Take, video: Path, report: Report) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and picture of every frame of the clip; in frames without a face the source stands alone."""
    face, solid, light = face_layer(avatar), avatar.faces[avatar.face_solid], clip_light(avatar, take, video)
    panels, studio = head_panels(avatar, take, PANEL), backdrop(PANEL)
    # What is damaged in the video has been told when it was ingested.
    decoded = read_frames(video, lambda message: None)

    def draw(item: tuple[int, tuple[VideoFrame, np.ndarray]]) -> np.ndarray:
        index, (frame, vertices) = item
        source = panels[index].crop(frame.image)
        if not take.valid[index]:
            return side_by_side([source, source, studio])
        K = panels[index].intrinsics(intrinsics_at(take, index))
        textured = face.over(source, vertices, K, PANEL, light)
        clay = render_frame(vertices, solid, K, PANEL, background=studio)
        return side_by_side([source, textured, clay])

    pairs = enumerate(zip(decoded, posed_frames(avatar, take), strict=False))
    for index, picture in enumerate(in_order(draw, pairs)):
        yield float(take.pts[index]), picture
        report(Progress("Drawing the overlay video", (index + 1) / len(take.pts)))


def side_by_side(panels: list[np.ndarray]) -> np.ndarray:
    """The three panels with their names."""
    size = max(11, panels[0].shape[0] // 32)
    named = (
        write_words(picture, label, size, size, picture.shape[0] - size)
        for picture, label in zip(panels, LABELS, strict=True)
    )
    return np.concatenate(list(named), axis=1)
