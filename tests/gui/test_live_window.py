"""The panel Live in a real Blender window, with a backend that plays a take: the timer moves the head, the corner shows
the camera, a recording is baked.
"""

import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from studio import MODULE, Studio

pytestmark = [pytest.mark.blender, pytest.mark.slow]

LIVE = f"__import__('sys').modules['{MODULE}.live.state'].live()"
VALUES = "[block.value for block in bpy.data.objects['{name} head'].data.shape_keys.key_blocks[1:]]"


def tell_live(studio: Studio, **settings: object) -> None:
    """Settings of the panel."""
    for name, value in settings.items():
        studio.window.call(f"bpy.context.scene.spark_live.{name} = {value!r}")


def test_the_head_follows_in_the_window_and_the_corner_is_drawn(studio: Studio, tmp_path: Path) -> None:
    window, folder = studio.window, studio.work / "Anna.spark"
    package = next(
        Path(studio.window.value(f"bpy.context.preferences.addons[{MODULE!r}].preferences.backend")).rglob(
            "spark_backend"
        )
    )
    shutil.copytree(package / "avatar", folder / "avatar")
    window.call("bpy.ops.spark.refresh_project()")
    window.call("bpy.ops.spark.live_start()")
    window.wait_for(f"{LIVE}.view.state == 'tracking'")
    window.wait_for("'SPARK Live Camera' in bpy.data.images")
    seen = [np.array(window.value(VALUES.format(name="Anna"))) for _ in range(12) if not time.sleep(0.15)]
    assert np.ptp(np.stack(seen), axis=0).max() > 0.2
    pictures = [Image.open(window.screenshot(tmp_path / f"{i}.png")) for i in range(2) if not time.sleep(0.4)]
    assert ImageChops.difference(*(picture.convert("RGB") for picture in pictures)).getbbox()
    tell_live(studio, take="rehearsal", count_in=0)
    window.call("bpy.ops.spark.live_record()")
    window.wait_for(f"{LIVE}.view.recording == 'recording'")
    time.sleep(1.0)
    window.call("bpy.ops.spark.live_record()")
    window.wait_for(f"{LIVE}.view.saved is not None")
    window.call("bpy.ops.spark.live_stop()")
    window.wait_for(f"{LIVE}.process is None", 10)
    assert window.value("bpy.data.objects['Anna'].animation_data.action.name") == "rehearsal"
