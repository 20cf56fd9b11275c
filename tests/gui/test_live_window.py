"""The panel Live in a real Blender window: the timer moves the head, the corner shows the camera, takes are baked.

First with a backend that plays a take; then, slowly, with the real one, against the same clip tracked offline.
"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops
from studio import MODULE, Studio
from window import Window, missing

from spark_backend.protocol.take import Take, load_take

pytestmark = [pytest.mark.blender, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
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


@pytest.fixture(scope="module")
def captured(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of a real clip, its take tracked offline from the landmarks."""
    if missing():
        pytest.skip(missing())
    folder = tmp_path_factory.mktemp("real") / "real.spark"
    program, clip = (sys.executable, "-m", "spark_backend"), shared_data / "talking" / "abe" / "abe_1.mp4"
    words = (*program, "capture", folder, clip, "--preset", "draft", "--tracker", "landmarks")
    subprocess.run(words, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT)})
    return folder


@pytest.mark.shared
def test_live_is_what_offline_tracking_gives(
    captured: Path, addon_zip: Path, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    seen = (Path(sys.base_prefix), Path(sys.prefix), CHECKOUT, shared_data)
    with Window(tmp_path_factory.mktemp("window"), seen=seen) as window:
        studio = Studio(window, captured.parent)
        studio.install(addon_zip)
        studio.set_preference("backend", sys.prefix)
        window.call(f"bpy.ops.spark.open_project(directory={str(captured)!r})")
        clip = shared_data / "talking" / "abe" / "abe_1.mp4"
        tell_live(studio, source="FILE", file=str(clip), take="filmed", count_in=0, smoothing=0.0)
        window.call("bpy.ops.spark.live_start()")
        window.wait_for(f"{LIVE}.view.state == 'waiting'", 240)  # it has played once
        window.call("bpy.ops.spark.live_record()")
        window.call("bpy.ops.spark.live_restart()")
        window.wait_for(f"{LIVE}.view.saved is not None", 60)
        window.call("bpy.ops.spark.live_stop()")
        window.wait_for(f"{LIVE}.process is None", 20)
        assert window.value("bpy.data.objects['real'].animation_data.action.name") == "filmed"
        studio.assert_quiet()
    live, offline = load_take(captured / "takes" / "filmed.npz"), load_take(captured / "takes" / "abe_1.npz")
    assert live.pts[-1] > 4.0
    assert correlation(live, offline) > 0.95


def correlation(live: Take, offline: Take) -> float:
    """Of all weights at the live take's times."""
    there = np.stack([np.interp(live.pts, offline.pts, column) for column in offline.weights.T], axis=1)
    return float(np.corrcoef(live.weights.ravel(), there.ravel())[0, 1])
