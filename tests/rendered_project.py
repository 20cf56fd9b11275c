"""A project whose clip was rendered from its own avatar: the true take and MediaPipe-like landmarks are exact."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.encode import write_video
from spark_backend.pipeline.footage import random_person
from spark_backend.pipeline.look import avatar_surface
from spark_backend.pipeline.pairs import mesh_landmarks
from spark_backend.pipeline.performance import perform
from spark_backend.pipeline.views import posed_frames, project_points
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.posing import pose_vertices
from spark_backend.protocol.project import ClipInfo, Frames, create_project, save_clip, save_project, with_clip
from spark_backend.protocol.take import Take, save_take
from spark_backend.render.draw import render_frame
from spark_backend.render.shading import Light, distant_light

SIZE = (320, 320)
COUNT = 9
NO_FACE = 8
"""The frame in which no face was found."""
PTS = np.array([0, 1, 2, 4, 5, 6, 8, 9, 10]) / 25
"""A variable frame rate."""


def film_light() -> Light:
    """A key from the left, no highlight's worth of anything else."""
    return distant_light((-0.6, -0.5, -0.9), (0.7, 0.66, 0.6), (0.4, 0.42, 0.45))


def make_project(folder: Path) -> tuple[Path, Avatar, Take]:
    """The project's folder, its avatar and the true take of its only clip, `film`; the take `true` is in it."""
    project = with_clip(create_project(folder), "film")
    save_project(project)
    avatar = random_person(load_anny(), project.avatar_folder, 3)
    K = np.array([[560.0, 0, 160], [0, 560, 160], [0, 0, 1]])
    take = perform(avatar, 11, 1.5, 30, K, SIZE)
    rows = 8 + 4 * np.arange(COUNT)
    names = ("weights", "head_rotation", "head_translation", "neck", "jaw", "eye_left", "eye_right", "confidence")
    picked = {name: getattr(take, name)[rows] for name in names}
    valid = np.arange(COUNT) != NO_FACE
    source = {"clip": "film", "tracker": "truth"}
    take = replace(take, **picked, pts=PTS, valid=valid, source=source)
    write_clip(project.clip_folder("film"), folder / "film.mp4", avatar, take)
    save_take(project.take_path("true"), take)
    return folder, avatar, take


def write_clip(folder: Path, video: Path, avatar: Avatar, take: Take) -> None:
    """Films the take and writes what ingest would have found, exactly."""
    surface, light, room = avatar_surface(avatar), film_light(), np.full((*SIZE[::-1], 3), (70, 90, 80), np.uint8)
    pictures = (
        render_frame(vertices, avatar.faces, take.K, SIZE, surface=surface, light=light, background=room)
        for vertices in posed_frames(avatar, take)
    )
    write_video(video, zip(take.pts.tolist(), pictures, strict=True), quality=8)
    points = np.concatenate([mesh_landmarks(avatar, block) for block in pose_vertices(avatar, take)])
    pixels = project_points(points, take.K)
    landmarks = np.concatenate([pixels, np.zeros_like(pixels[..., :1])], -1).astype(np.float32)
    landmarks[~take.valid] = np.nan
    box = np.concatenate([landmarks[..., :2].min(1), landmarks[..., :2].max(1)], 1)
    frames = Frames(take.pts, take.valid, box, landmarks, np.zeros((COUNT, 52), np.float32), take.confidence)
    save_clip(folder, ClipInfo(str(video), "0" * 64, "h264", SIZE, 0, COUNT, 22.5), frames)
