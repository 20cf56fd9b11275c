"""`spark overlay`: paint on the person in a clip, at the clip's full size, time and sound."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ..protocol.avatar import Avatar, load_avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.project import Frames, load_clip, open_project
from ..protocol.take import Take
from ..render.draw import render_frame
from ..render.shading import Light
from ..video.decode import VideoFrame, read_frames
from .encode import write_video
from .files import find_take
from .look import avatar_surface, part_of_surface, read_picture
from .mesh_sequence import write_mesh_sequence
from .options import OverlayOptions
from .paint_over import make_paint, paint_over
from .parallel import in_order
from .progress import sections
from .relight import clip_light
from .template import write_template
from .trackers import matching_take
from .views import head_faces, intrinsics_at, posed_frames

Draw = Callable[[int, np.ndarray, np.ndarray], np.ndarray]
"""Frame number, its picture and the mesh in it to the picture with something on it."""


def overlay(options: OverlayOptions, report: Report) -> Mapping[str, Any]:
    """Writes the video, and the meshes when asked; with --template the guide alone."""
    project = open_project(options.project)
    avatar = load_avatar(project.avatar_folder)
    info, frames = load_clip(project.clip_folder(options.clip))
    if options.template is not None:
        write_template(options.template, avatar)
        return {"template": str(options.template)}
    if not 0 <= options.opacity <= 1:
        raise SparkError(f"--opacity {options.opacity:g}: choose a number from 0 to 1")
    take = tracked(find_take(project, options.take or options.clip), options.clip, frames)
    texture = None if options.texture is None else read_texture(options.texture)
    light = clip_light(avatar, take, Path(info.source))
    if light is None:
        raise SparkError(
            f"{project.avatar_folder}: no albedo map, so the clip's light is unknown; run `spark fit` again"
        )
    draw = (
        head_drawer(avatar, take, light, options) if texture is None else painter(avatar, take, texture, light, options)
    )
    step = sections(report, {"video": 10.0} | ({"meshes": 1.0} if options.mesh_sequence else {}))
    output = options.output or project.folder / "exports" / f"{options.clip}_overlay.mp4"
    result = {"overlay": str(output)}
    write_video(
        output, overlay_frames(avatar, take, Path(info.source), draw, step["video"]), sound_of=Path(info.source)
    )
    if options.mesh_sequence is not None:
        write_mesh_sequence(options.mesh_sequence, avatar, take, step["meshes"])
        result["meshes"] = str(options.mesh_sequence)
    return result


def tracked(path: Path, clip: str, frames: Frames) -> Take:
    """The take, of this very clip."""
    return matching_take(path, clip, frames)


def read_texture(path: Path) -> np.ndarray:
    """(S, S, 4) uint8 sRGB with opacity."""
    picture = read_picture(path)
    if picture.shape[-1] != 4:
        raise SparkError(f"{path}: has no opacity, so it would hide the whole face; save it as a PNG with transparency")
    height, width = picture.shape[:2]
    if height != width:
        raise SparkError(f"{path}: is {width} x {height}; the layout is square, see `--template`")
    if not picture[..., 3].any():
        raise SparkError(f"{path}: is transparent everywhere, nothing would be seen; paint something")
    return picture


def overlay_frames(
    avatar: Avatar, take: Take, video: Path, draw: Draw, report: Report
) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and picture of every frame; frames without the face are passed on as they are."""

    def work(item: tuple[int, tuple[VideoFrame, np.ndarray]]) -> np.ndarray:
        index, (frame, vertices) = item
        return draw(index, frame.image, vertices) if take.valid[index] else frame.image

    pairs = enumerate(zip(read_frames(video, lambda message: None), posed_frames(avatar, take), strict=False))
    for index, picture in enumerate(in_order(work, pairs)):
        yield float(take.pts[index]), picture
        report(Progress("Drawing the overlay", (index + 1) / len(take.pts)))


def painter(avatar: Avatar, take: Take, texture: np.ndarray, light: Light, options: OverlayOptions) -> Draw:
    """Paints a texture."""
    paint = make_paint(avatar, texture, light, options.opacity)

    def draw(index: int, picture: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        mask = None if options.holdout is None else read_mask(options.holdout / f"{index:06d}.png", picture.shape)
        return paint_over(paint, picture, vertices, intrinsics_at(take, index), mask)

    return draw


def head_drawer(avatar: Avatar, take: Take, light: Light, options: OverlayOptions) -> Draw:
    """Lays the head itself over the clip."""
    above = head_faces(avatar)
    faces, surface = avatar.faces[above], part_of_surface(avatar_surface(avatar), above)

    def draw(index: int, picture: np.ndarray, vertices: np.ndarray) -> np.ndarray:
        size, K = (picture.shape[1], picture.shape[0]), intrinsics_at(take, index)
        drawn = render_frame(vertices, faces, K, size, surface=surface, light=light, background=picture)
        part = options.opacity
        if options.holdout is not None:
            part = part * (1 - read_mask(options.holdout / f"{index:06d}.png", picture.shape))[..., None]
        return np.round(picture + part * (drawn.astype(np.float32) - picture)).astype(np.uint8)

    return draw


def read_mask(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """(H, W) float32 in [0, 1]."""
    try:
        with Image.open(path) as image:
            mask = np.asarray(image.convert("L"))
    except OSError as error:
        raise SparkError(f"{path}: no such mask; write one PNG for every frame, black where nothing is") from error
    if mask.shape != shape[:2]:
        raise SparkError(f"{path}: is not {shape[1]} x {shape[0]}, as large as the clip; write it so")
    return mask.astype(np.float32) / 255
