"""The camera's picture with its landmarks in a corner of the viewport; also an image for the image editor."""

import bpy
import gpu
import numpy as np
from gpu_extras.presets import draw_texture_2d

NAME = "SPARK Live Camera"
MARGIN = 12
"""Pixels to the viewport's edges, at an interface scale of 1."""
LARGEST_PART = 0.35
"""Of the viewport's width."""

_handle: object | None = None


def show_picture(picture: np.ndarray) -> None:
    """Puts a picture (H, W, 3) uint8 into the image and, from the first on, into the corner."""
    height, width = picture.shape[:2]
    image = bpy.data.images.get(NAME)
    if image is not None and tuple(image.size) != (width, height):
        bpy.data.images.remove(image)
        image = None
    image = image or bpy.data.images.new(NAME, width, height)
    pixels = np.ones((height, width, 4), np.float32)
    np.multiply(picture[::-1], np.float32(1 / 255), out=pixels[..., :3])
    image.pixels.foreach_set(pixels.ravel())
    image.update()
    global _handle
    if _handle is None and not bpy.app.background:
        _handle = bpy.types.SpaceView3D.draw_handler_add(draw, (), "WINDOW", "POST_PIXEL")


def hide() -> None:
    """No picture any more."""
    global _handle
    if _handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_handle, "WINDOW")
    _handle = None
    image = bpy.data.images.get(NAME)
    if image is not None:
        bpy.data.images.remove(image)


def draw() -> None:
    """Called by Blender with each drawing of a viewport."""
    image, region = bpy.data.images.get(NAME), bpy.context.region
    if image is None or not image.size[0]:
        return
    scale = bpy.context.preferences.system.ui_scale
    width = min(image.size[0] * scale, LARGEST_PART * region.width)
    size = width, width * image.size[1] / image.size[0]
    texture = gpu.texture.from_image(image)
    draw_texture_2d(texture, (MARGIN * scale, MARGIN * scale), *size)
