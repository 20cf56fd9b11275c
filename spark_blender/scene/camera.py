"""A camera that sees what the take's camera saw, with the clip behind the head."""

from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Matrix

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.take import Take
from spark_backend.protocol.timeline import Rate

from .action import Curve, write_curves

SENSOR_WIDTH = 36.0
# Blender's camera looks along -Z with +Y up, OpenCV's along +Z with +Y down.
OPENCV_FROM_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0, 1.0])


@dataclass(frozen=True)
class Optics:
    """What Blender calls a pinhole camera, for a horizontally fitted sensor of `SENSOR_WIDTH` mm."""

    lens: np.ndarray
    """(...,) focal length in mm."""
    shift_x: np.ndarray
    """(...,) in widths of the picture."""
    shift_y: np.ndarray
    pixel_aspect: np.ndarray
    """(...,) height of a pixel over its width."""


def optics(K: np.ndarray, size: np.ndarray) -> Optics:
    """(..., 3, 3) intrinsics in pixels, pixel (0, 0) at the picture's top-left corner, and (2,) width and height."""
    width, height = (float(x) for x in size)
    fx, fy, cx, cy = K[..., 0, 0], K[..., 1, 1], K[..., 0, 2], K[..., 1, 2]
    aspect = fx / fy
    shift_y = (cy - height / 2) * aspect / width
    return Optics(fx * SENSOR_WIDTH / width, (width / 2 - cx) / width, shift_y, aspect)


def build_camera(take: Take, world: np.ndarray, collection: bpy.types.Collection, name: str) -> bpy.types.Object:
    """A camera object at `world` (4, 4, OpenCV camera axes to world)."""
    data = bpy.data.cameras.new(name)
    camera = bpy.data.objects.new(name, data)
    collection.objects.link(camera)
    camera.matrix_world = Matrix((world @ OPENCV_FROM_BLENDER_CAMERA).tolist())
    data.sensor_fit, data.sensor_width = "HORIZONTAL", SENSOR_WIDTH
    data.clip_start, data.clip_end = 0.01, 1000.0
    data.display_size = 0.1
    first = optics(take.K if take.K.ndim == 2 else take.K[0], take.size)
    data.lens, data.shift_x, data.shift_y = float(first.lens), float(first.shift_x), float(first.shift_y)
    return camera


def animate_camera(camera: bpy.types.Object, take: Take, frames: np.ndarray) -> None:
    """Keys the lens where the take's intrinsics change over time; a fixed camera gets no curves."""
    if take.K.ndim == 2 or np.allclose(take.K, take.K[0], rtol=1e-6):
        return
    moving = optics(take.K, take.size)
    curves = [Curve(path, 0, getattr(moving, path), "Lens") for path in ("lens", "shift_x", "shift_y")]
    write_curves(camera.data, camera.data.name, frames, curves)


def fit_render_size(render: bpy.types.RenderSettings, take: Take) -> None:
    """The render gets the clip's size, and oblong pixels where its two focal lengths differ."""
    render.resolution_x, render.resolution_y = (int(x) for x in take.size)
    render.resolution_percentage = 100
    aspect = float(np.median(optics(take.K, take.size).pixel_aspect))
    aspect = 1.0 if abs(aspect - 1) < 1e-6 else aspect
    render.pixel_aspect_x, render.pixel_aspect_y = max(1 / aspect, 1.0), max(aspect, 1.0)


def add_background(camera: bpy.types.Object, video: Path, frames: tuple[int, int], rate: Rate) -> bpy.types.MovieClip:
    """Shows the clip behind the scene when looking through the camera, over scene frames first to last.

    Blender shows one picture of the clip's nominal rate per scene frame. Where that rate is not the scene's (clips of
    variable rate often claim another), the pictures are retimed. A clip that Blender cannot open is a `SparkError`.
    """
    clip = load_clip(video)
    clip.frame_start = frames[0]
    background = camera.data.background_images.new()
    background.display_depth, background.frame_method, background.alpha = "BACK", "STRETCH", 1.0
    background.source, background.clip, background.use_camera_clip = "MOVIE_CLIP", clip, False
    camera.data.show_background_images = True
    drift = (frames[1] - frames[0]) * (clip.fps / rate.per_second - 1)
    if clip.fps and abs(drift) > 0.5:
        background.source, background.image = "IMAGE", bpy.data.images.load(str(video), check_existing=True)
        retime(camera.data, background.image_user, frames, clip.fps / rate.per_second)
    return clip


def retime(camera: bpy.types.Camera, user: bpy.types.ImageUser, frames: tuple[int, int], speed: float) -> None:
    """Keys the offset from scene frame to picture: a clip's pictures are numbered, a movie clip knows no speed."""
    scene_frames = np.arange(frames[0], frames[1] + 1)
    elapsed = scene_frames - frames[0]
    pictures = np.round(elapsed * speed)
    user.frame_start, user.frame_duration = frames[0], int(max(pictures.max(), elapsed.max())) + 1
    user.use_auto_refresh = True
    path = user.path_from_id("frame_offset")
    write_curves(camera, camera.name, scene_frames, [Curve(path, 0, pictures - elapsed, "Plate")])


def load_clip(video: Path) -> bpy.types.MovieClip:
    """The clip; Blender itself takes any file for one and then shows nothing."""
    try:
        clip = bpy.data.movieclips.load(str(video))
    except RuntimeError as error:
        raise SparkError(f"{video}: no such clip; check the path") from error
    if clip.frame_duration == 0:
        bpy.data.movieclips.remove(clip)
        raise SparkError(f"{video.name}: Blender cannot show this clip; convert it to H.264 for a background")
    return clip
