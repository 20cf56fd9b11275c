"""What the user looks at after a capture."""

import contextlib
from collections.abc import Iterator

import bpy

from .framing import Rectangle, camera_view, free_part
from .scene.scene import HeadObjects


def show_head(window: bpy.types.Window, head: HeadObjects, through_camera: bool = False) -> None:
    """Shows the head with its colours and alone in the window's largest viewport, or where it was filmed.

    Alone, in Blender's local view, because a captured head stands at the world's origin: Blender's own cube, or
    whatever else is there, would hide it.
    """
    areas = [area for area in window.screen.areas if area.type == "VIEW_3D"]
    if not areas:
        return
    area = max(areas, key=lambda area: area.width * area.height)
    space = area.spaces.active
    if space.shading.type == "SOLID":
        space.shading.color_type = "TEXTURE"
    shown = [head.armature, head.mesh, *([window.scene.camera] if through_camera else [])]
    region = next(region for region in area.regions if region.type == "WINDOW")
    if space.local_view is None:
        with bpy.context.temp_override(window=window, area=area, region=region):
            select(shown)
            bpy.ops.view3d.localview(frame_selected=not through_camera)
            select([head.armature])
    else:
        for item in shown:
            item.local_view_set(space, True)
    if through_camera:
        space.camera = window.scene.camera  # a local view that was there before keeps a camera of its own
        space.region_3d.view_perspective = "CAMERA"
        frame_camera(window.scene.render, area, region)


def frame_camera(render: bpy.types.RenderSettings, area: bpy.types.Area, region: bpy.types.Region) -> None:
    """Puts the camera's picture where neither sidebar nor toolbar covers it."""
    covers = [(other.alignment, rectangle(other)) for other in area.regions if other != region and is_open(other)]
    width, height = render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y
    view = camera_view(rectangle(region), free_part(rectangle(region), covers), width / height)
    seen = area.spaces.active.region_3d
    seen.view_camera_zoom, seen.view_camera_offset = view.zoom, view.offset


def rectangle(region: bpy.types.Region) -> Rectangle:
    """Where a region of the window is."""
    return Rectangle(region.x, region.y, region.x + region.width, region.y + region.height)


def is_open(region: bpy.types.Region) -> bool:
    """A hidden region is one pixel wide or high."""
    return region.width > 1 and region.height > 1


@contextlib.contextmanager
def waiting() -> Iterator[None]:
    """Shows the waiting cursor while Blender is held up: by an import, a bake, an export."""
    window = bpy.context.window
    if window is None:  # a script without a window
        yield
        return
    window.cursor_set("WAIT")
    try:
        yield
    finally:
        window.cursor_set("DEFAULT")


def select(chosen: list[bpy.types.Object]) -> None:
    """Selects these objects and no others."""
    for item in list(bpy.context.selected_objects):
        item.select_set(False)
    for item in chosen:
        item.select_set(True)
