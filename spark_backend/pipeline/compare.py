"""`spark compare`: a film of trackers side by side, half of each head over the clip and the whole of it in clay."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from ..evaluate.landmarks import MEDIAPIPE_105
from ..geometry.camera import clip_points
from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.project import Frames, load_clip, load_clip_info, open_project
from ..protocol.take import Take
from ..render.draw import render_frame
from ..render.warp import WarpRasterizer
from ..video.decode import VideoFrame, read_frames
from .encode import write_video
from .look import backdrop, write_words
from .options import CompareOptions
from .parallel import in_order
from .progress import section, shares
from .trackers import Contender, check_names, contenders
from .views import Panel, head_faces, head_panels, intrinsics_at, posed_frames

CELL = (384, 480)
"""Width and height."""
TRACKING = 0.6
"""Part of the time that tracking takes, when it is needed."""
FINE = 3
"""The line between the halves is drawn as many times larger."""
INK = (255, 236, 214)


def compare(options: CompareOptions, report: Report) -> Mapping[str, Any]:
    """Writes a film of every clip; `films` of the result maps the clips' names to their paths."""
    project = open_project(options.project)
    if not options.clips:
        raise SparkError("No clip named; name at least one, as in `spark compare anna.spark interview`")
    for clip in options.clips:
        load_clip_info(project.clip_folder(clip))
    avatar = load_avatar(project.avatar_folder)
    check_names(project, options.trackers)
    films = {}
    for clip, part in zip(options.clips, shares(report, len(options.clips)), strict=True):
        rivals = contenders(project, clip, options.trackers, section(part, 0, TRACKING))
        info, frames = load_clip(project.clip_folder(clip))
        film = (options.output or project.folder / "exports") / f"{clip}_compare.mp4"
        pictures = compare_frames(avatar, rivals, frames, Path(info.source), section(part, TRACKING, 1))
        write_video(film, pictures, sound_of=Path(info.source))
        films[clip] = str(film)
    return {"films": films}


def compare_frames(
    avatar: Avatar, rivals: Sequence[Contender], frames: Frames, video: Path, report: Report
) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and picture of every frame: above the clip and the half heads, below the landmarks and the clay."""
    takes = [rival.take for rival in rivals]
    # One camera for all, so that what differs between the cells is the head.
    panels, studio = head_panels(avatar, takes[0], CELL), backdrop(CELL)
    labels = ["Clip", *(rival.name for rival in rivals)]
    decoded = read_frames(video, lambda message: None)

    def draw(item: tuple[int, tuple[VideoFrame, tuple[np.ndarray, ...]]]) -> np.ndarray:
        index, (frame, meshes) = item
        panel = panels[index]
        source = panel.crop(frame.image)
        columns = [(source, with_landmarks(source, panel, frames, index))]
        for take, vertices in zip(takes, meshes, strict=True):
            columns.append(head_column(avatar, take, index, vertices, panel, source, studio))
        return grid(columns, labels)

    meshes = zip(*(posed_frames(avatar, take) for take in takes), strict=True)
    pairs = enumerate(zip(decoded, meshes, strict=False))
    for index, picture in enumerate(in_order(draw, pairs)):
        yield float(frames.pts[index]), picture
        report(Progress("Drawing the comparison", (index + 1) / len(frames.pts)))


def head_column(
    avatar: Avatar, take: Take, index: int, vertices: np.ndarray, panel: Panel, source: np.ndarray, studio: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Half of the head over the source, and the head in clay; without a face the source and nothing."""
    if not take.valid[index]:
        return source, studio
    K = panel.intrinsics(intrinsics_at(take, index))
    clay = render_frame(vertices, avatar.faces[avatar.face_solid], K, CELL, background=studio)
    half = left_half(avatar, vertices, K)[..., None]
    return np.round(source + half * (clay.astype(np.float32) - source)).astype(np.uint8), clay


def left_half(avatar: Avatar, vertices: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1]: where the subject's left half of the head above the neck is what one sees."""
    solid = avatar.face_solid
    faces = torch.as_tensor(avatar.faces[solid]).long()
    left = (head_faces(avatar) & (avatar.neutral[avatar.faces, 0].mean(1) > 0))[solid]
    size = (CELL[0] * FINE, CELL[1] * FINE)
    fine = torch.as_tensor(np.diag([FINE, FINE, 1.0]) @ K).float()
    clip = clip_points(torch.as_tensor(vertices).float(), fine, size)
    seen = WarpRasterizer().rasterize(clip[None], faces, size)
    inside = (seen.mask[0] & torch.as_tensor(left)[seen.face[0].clamp(min=0).long()]).numpy()
    return cv2.resize(inside.astype(np.float32), CELL, interpolation=cv2.INTER_AREA)


def with_landmarks(source: np.ndarray, panel: Panel, frames: Frames, index: int) -> np.ndarray:
    """MediaPipe's landmarks on a darkened picture: what the trackers had to go by."""
    drawn = (0.35 * source).astype(np.uint8)
    if not frames.valid[index]:
        return drawn
    places = (frames.landmarks[index, list(MEDIAPIPE_105), :2] - (panel.left, panel.top)) * panel.scale
    for place in places:
        # Sixteenths of a pixel, counted from pixel centres.
        centre = tuple(int(v) for v in np.round((place - 0.5) * 16))
        cv2.circle(drawn, centre, 22, INK, -1, cv2.LINE_AA, 4)
    return drawn


def grid(columns: Sequence[tuple[np.ndarray, np.ndarray]], labels: Sequence[str]) -> np.ndarray:
    """Columns of two cells, the name of each below."""
    size = CELL[1] // 28
    cells = []
    for (above, below), label in zip(columns, labels, strict=True):
        cells.append(np.concatenate([above, write_words(below, label, size, size, CELL[1] - size)]))
    return np.concatenate(cells, axis=1)
