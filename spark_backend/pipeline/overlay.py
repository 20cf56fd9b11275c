"""`spark overlay`: a video with the source, the textured head over it and the head in clay, side by side."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..protocol.avatar import Avatar, load_avatar
from ..protocol.job import Progress, Report
from ..protocol.project import Project, load_clip, open_project
from ..protocol.take import Take, load_take
from ..render.draw import render_frame
from ..video.decode import VideoFrame, read_frames
from .encode import write_video
from .look import avatar_surface, backdrop, part_of_surface, write_words
from .options import OverlayOptions
from .parallel import in_order
from .relight import clip_light
from .views import head_faces, head_panels, intrinsics_at, posed_frames

PANEL = (416, 520)
"""Width and height."""
LABELS = ("Source", "Head over source", "Clay")


def overlay(options: OverlayOptions, report: Report) -> Mapping[str, Any]:
    """Writes the video; `overlay` of the result is its path."""
    project = open_project(options.project)
    avatar, take, video = load_performance(project, options.clip, options.take)
    output = options.output or project.folder / "exports" / f"{options.clip}_overlay.mp4"
    frames = overlay_frames(avatar, take, video, options.texture, report)
    write_video(output, frames, sound_of=video)
    return {"overlay": str(output)}


def load_performance(project: Project, clip: str, take: str | None) -> tuple[Avatar, Take, Path]:
    """The avatar, the clip's take and the clip's video."""
    info, _ = load_clip(project.clip_folder(clip))
    avatar = load_avatar(project.avatar_folder)
    return avatar, load_take(project.take_path(take or clip)), Path(info.source)


def overlay_frames(
    avatar: Avatar, take: Take, video: Path, texture: Path | None, report: Report
) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and picture of every frame of the clip; in frames without a face the source stands alone."""
    above = head_faces(avatar)
    faces, surface = avatar.faces[above], part_of_surface(avatar_surface(avatar, texture), above)
    light = clip_light(avatar, take, video)
    panels, studio = head_panels(avatar, take, PANEL), backdrop(PANEL)
    # What is damaged in the video has been told when it was ingested.
    decoded = read_frames(video, lambda message: None)

    def draw(item: tuple[int, tuple[VideoFrame, np.ndarray]]) -> np.ndarray:
        index, (frame, vertices) = item
        source = panels[index].crop(frame.image)
        if not take.valid[index]:
            return side_by_side([source, source, studio])
        K = panels[index].intrinsics(intrinsics_at(take, index))
        textured = render_frame(vertices, faces, K, PANEL, surface=surface, light=light, background=source)
        clay = render_frame(vertices, avatar.faces, K, PANEL, background=studio)
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
