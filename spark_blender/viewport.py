"""What the user looks at after a capture."""

import contextlib
from collections.abc import Iterator

import bpy

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
    if space.local_view is None:
        region = next(region for region in area.regions if region.type == "WINDOW")
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
