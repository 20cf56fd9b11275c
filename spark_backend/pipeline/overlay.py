"""`spark overlay`: a video with the source, the textured head over it and the head in clay, side by side."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..protocol.avatar import Avatar, load_avatar
from ..protocol.job import Progress, Report, Warning
from ..protocol.project import Project, load_clip, open_project
from ..protocol.take import Take, load_take
from .options import OverlayOptions
from .views import Panel, head_panel, intrinsics_at, posed_frames

PANEL_HEIGHT = 512


def overlay(options: OverlayOptions, report: Report) -> Mapping[str, Any]:
    """Writes the video; `overlay` of the result is its path."""
    project = open_project(options.project)
    avatar, take, video = load_performance(project, options.clip, options.take)
    output = options.output or project.folder / "exports" / f"{options.clip}_overlay.mp4"
    frames = overlay_frames(avatar, take, video, options.texture, report)
    from .encode import write_video

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
    from ..video.decode import read_frames
    from .look import avatar_surface, backdrop, write_words

    surface = avatar_surface(avatar, texture)
    panel = head_panel(avatar, take, PANEL_HEIGHT)
    studio = backdrop((panel.width, panel.height))
    labels = ("Source", "Head over source", "Clay")
    decoded = read_frames(video, lambda message: report(Warning(message)))
    for index, (frame, vertices) in enumerate(zip(decoded, posed_frames(avatar, take), strict=False)):
        source = panel.crop(frame.image)
        panels = [source, source, studio]
        if take.valid[index]:
            K = panel.intrinsics(intrinsics_at(take, index))
            panels = draw_panels(avatar, vertices, K, panel, surface, source, studio)
        size = max(11, panel.height // 32)
        named = (
            write_words(picture, label, size, size, panel.height - size)
            for picture, label in zip(panels, labels, strict=True)
        )
        yield float(take.pts[index]), np.concatenate(list(named), axis=1)
        report(Progress("Drawing the overlay video", (index + 1) / len(take.pts)))


def draw_panels(
    avatar: Avatar, vertices: np.ndarray, K: np.ndarray, panel: Panel, surface: Any, source: np.ndarray, studio: Any
) -> list[np.ndarray]:
    """Source, textured head over the source, clay head in the studio."""
    from ..render.draw import render_frame

    size = (panel.width, panel.height)
    textured = render_frame(vertices, avatar.faces, K, size, surface=surface, background=source)
    clay = render_frame(vertices, avatar.faces, K, size, background=studio)
    return [source, textured, clay]
