"""The camera's picture beside the sidebar."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_blender.framing import CameraView, Rectangle, camera_view, free_part

REGION = Rectangle(0, 100, 1050, 930)
SIDEBAR = ("RIGHT", Rectangle(770, 100, 1050, 930))
TOOLBAR = ("LEFT", Rectangle(0, 100, 60, 930))
HEADER = ("TOP", Rectangle(0, 900, 1050, 930))
FLOATING = ("FLOAT", Rectangle(60, 100, 300, 140))


def picture(region: Rectangle, view: CameraView, aspect: float) -> Rectangle:
    """Where Blender draws it."""
    width = region.size[0] * (math.sqrt(2) + view.zoom / 50) ** 2 / 4
    scale, height = width / region.size[0], width / aspect
    x = region.centre[0] - 2 * scale * view.offset[0] * region.size[0]
    y = region.centre[1] - 2 * scale * view.offset[1] * region.size[1]
    return Rectangle(x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def test_covered_sides_are_not_free() -> None:
    assert free_part(REGION, [SIDEBAR, TOOLBAR, HEADER, FLOATING]) == Rectangle(60, 100, 770, 900)
    assert free_part(REGION, []) == REGION


@given(aspect=st.floats(0.3, 3.0), sidebar=st.floats(300, 1040))
def test_the_picture_fills_what_is_free(aspect: float, sidebar: float) -> None:
    free = free_part(REGION, [("RIGHT", Rectangle(sidebar, 100, 1050, 930)), TOOLBAR])
    seen = picture(REGION, camera_view(REGION, free, aspect), aspect)
    assert seen.centre == pytest.approx(free.centre)
    assert max(seen.size[0] / free.size[0], seen.size[1] / free.size[1]) == pytest.approx(0.94)
