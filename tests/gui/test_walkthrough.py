"""From the zip to an exported animation in a real Blender window, with the real backend: docs/walkthrough.md shows it.

The person is rendered and does not exist. Pictures of every step go to the folder of SPARK_GUI_PICTURES (else to a
temporary one); with SPARK_WRITE_DOCS=1 those of the page, and the page itself, are written anew. The backend is the
environment that runs this test; with SPARK_GUI_FULL=1 it is set up by the add-on from a folder of wheels that are
downloaded first (about 0.8 GB and some minutes).
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page import Page
from studio import ENVIRONMENT, JOB, SESSION, SHOWN, Studio, real_backend
from window import HOME, Window, missing

from spark_backend.heads.anny import load_anny
from spark_backend.pipeline.footage import make_footage

pytestmark = [pytest.mark.blender, pytest.mark.slow]

CHECKOUT = Path(__file__).resolve().parents[2]
SECONDS, SEED = 2.0, 3
PATIENCE = 1500.0
"""Seconds for a training or a capture: two seconds of film on two cores, one or two minutes where nothing else runs."""
FULL = os.environ.get("SPARK_GUI_FULL") == "1"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """The pictures and the words to them."""
    place = os.environ.get("SPARK_GUI_PICTURES")
    page = Page(Path(place) if place else tmp_path_factory.mktemp("pictures"))
    yield page
    if os.environ.get("SPARK_WRITE_DOCS") == "1":
        page.write(CHECKOUT / "docs")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A window as Blender opens it for the first time."""
    if missing():
        pytest.skip(missing())
    with Window(tmp_path_factory.mktemp("walk"), real_backend()) as window:
        studio = Studio(window, HOME / "SPARK")
        window.outside(studio.work).mkdir()
        yield studio
        studio.assert_quiet()


@pytest.fixture(scope="module")
def film(studio: Studio) -> Path:
    """Two seconds of a person who does not exist, in the user's folder."""
    folder = studio.window.outside(HOME / "Videos")
    folder.mkdir()
    video = make_footage(load_anny(), folder / "made", SEED, SECONDS, lambda event: None).video
    video.rename(folder / "morning.mp4")
    return HOME / "Videos" / "morning.mp4"


def test_install(studio: Studio, page: Page, addon_zip: Path) -> None:
    studio.window.run("blender", "--command", "extension", "validate", addon_zip)
    studio.install(addon_zip)
    studio.set_preference("projects", studio.work)
    studio.show_preferences()
    page.picture("install", studio.window)
    studio.close_preferences()


def test_set_up(studio: Studio, page: Page) -> None:
    if FULL:
        wheels = gather_wheels(studio.window.outside(HOME / "wheels"))
        studio.set_preference("device", "cpu")
        studio.set_preference("python", f"{sys.base_prefix}/bin/python3")
        studio.set_preference("wheels", HOME / wheels.name)
        studio.click("spark.set_up_backend")
        studio.window.wait_for(f"{SESSION}.state('set-up').fraction > 0.2", PATIENCE)
        page.picture("set-up", studio.window)
        assert studio.window.value(f"{SESSION}.log_lines"), "what pip prints"
        studio.window.wait_for(f"not {SESSION}.is_busy('set-up')", PATIENCE)
    else:
        studio.set_preference("backend", ENVIRONMENT)
        studio.click("spark.check_backend")
    studio.window.wait_for(f"{SESSION}.backend.status not in ('checking', 'unchecked')", 120)
    assert studio.window.value(f"{SESSION}.backend.status") == "ready", studio.window.value(f"{SESSION}.backend")
    studio.settle()
    page.picture("ready", studio.window)
    studio.set_preference("python", "")  # pictures show no path of this machine
    studio.window.call("bpy.ops.spark.list_models()")
    studio.window.wait_for(f"not {SESSION}.is_busy('models')", 120)
    assert [model["name"] for model in studio.window.value(f"{SESSION}.models")] == ["face_landmarker", "anny"]
    studio.show_preferences()
    page.picture("models", studio.window)
    studio.close_preferences()


def gather_wheels(folder: Path) -> Path:
    """Everything that the backend and its extras need for the Python that runs this test."""
    words = (sys.executable, "-m", "pip", "wheel", "--quiet", "--wheel-dir", folder)
    subprocess.run((*words, "-c", CHECKOUT / "constraints.txt", f"{CHECKOUT}[demo,live,track]"), check=True)
    return folder


def test_project(studio: Studio, page: Page) -> None:
    studio.click("spark.new_project")
    studio.settle()
    page.picture("new-project", studio.window)
    studio.window.type("key Escape")
    studio.new_project("Anna")
    assert studio.window.outside(studio.work / "Anna.spark" / "project.json").exists()


def test_clips(studio: Studio, page: Page, film: Path) -> None:
    studio.add_clip(film)
    studio.settle(1.0)
    page.picture("clips", studio.window)


def test_training_is_seen_cancelled_and_resumed(studio: Studio, page: Page) -> None:
    studio.click("spark.train")
    studio.wait_for_job("job.preview or not job.busy", PATIENCE)
    assert studio.window.value(f"{JOB}.preview"), "a picture of the fit"
    studio.settle(1.0)
    page.picture("training", studio.window)
    studio.click("spark.cancel")
    studio.wait_for_job("job.status == 'cancelled'", 120)
    studio.settle()
    page.picture("cancelled", studio.window)
    studio.click("spark.resume")
    studio.wait_for_job("not job.busy", PATIENCE)
    assert studio.job()["status"] == "done", studio.job()
    studio.settle(1.0)
    studio.scroll(180)  # the whole panel Avatar
    page.picture("trained", studio.window)
    assert studio.window.value("len(bpy.data.objects['Anna head'].data.shape_keys.key_blocks)") == 53


def test_import(studio: Studio, page: Page) -> None:
    studio.click("spark.import_avatar")
    assert studio.window.value("[item.name for item in bpy.data.objects if item.type == 'ARMATURE']") == ["Anna"]


def test_capture(studio: Studio, page: Page) -> None:
    studio.click("spark.capture")
    studio.wait_for_job("job.command != 'train'", 60)
    studio.wait_for_job("not job.busy", PATIENCE)
    assert studio.job()["status"] == "done", studio.job()
    studio.settle(1.0)
    page.picture("captured", studio.window)
    assert studio.window.call(SHOWN) == ["Anna", "Anna head", "morning camera"]
    assert studio.window.value("view3d()[1].spaces.active.camera.name") == "morning camera"
    assert studio.window.value("bpy.context.scene.frame_end") == round(SECONDS * 30)


def test_scrub(studio: Studio, page: Page) -> None:
    window = studio.window
    shown = []
    for _ in range(3):
        window.type("mousemove 400 400", *["key Right"] * 5)
        shown.append(window.call(WEIGHTS))
    assert window.value("bpy.context.scene.frame_current") == 16
    assert shown[0] != shown[1] != shown[2]
    page.picture("scrubbed", window)


def test_adjust(studio: Studio, page: Page) -> None:
    window, sliders = studio.window, "bpy.data.objects['Anna'].animation_data.action.spark_adjust"
    studio.show_open(("SPARK_PT_adjust", "SPARK_PT_adjust_clean"))
    before = window.call(WEIGHTS)
    window.call(f"{sliders}.mouth, {sliders}.smoothing = 1.5, 0.05")
    window.wait_for("'spark_unfinished' not in bpy.data.objects['Anna'].animation_data.action")
    window.turns()
    assert window.call(WEIGHTS) != before
    assert window.value(f"{sliders}.fault") == ""
    window.find("spark.reset_adjustments")
    page.picture("adjusted", window)
    window.call("bpy.ops.spark.reset_adjustments()")


WEIGHTS = """
graph = bpy.context.evaluated_depsgraph_get()
keys = bpy.data.objects['Anna head'].data.shape_keys.evaluated_get(graph)
result = [round(key.value, 4) for key in keys.key_blocks]
"""


def test_export(studio: Studio, page: Page) -> None:
    target = studio.work / "morning.fbx"
    studio.window.call("bpy.context.scene.spark_capture.export_format = '.fbx'")
    studio.window.call(f"bpy.ops.spark.export(filepath={str(target)!r})")
    studio.window.wait_for(f"bpy.context.scene.spark_capture.exported == {str(target)!r}", patience=240)
    assert studio.window.outside(target).stat().st_size > 100_000
    studio.settle(1.0)
    studio.window.find("spark.export")
    studio.scroll(400)  # the whole panel, below Adjust
    page.picture("exported", studio.window)


def test_reopened(studio: Studio, page: Page) -> None:
    place = str(studio.work / "anna.blend")
    studio.window.call(f"bpy.ops.wm.save_as_mainfile(filepath={place!r})")
    studio.window.call(f"bpy.ops.wm.open_mainfile(filepath={place!r})")
    studio.settle(1.0)
    assert studio.window.call("result = open_sidebar('SPARK')") == "SPARK"
    studio.settle(1.0)
    page.picture("reopened", studio.window)
    assert studio.window.value("[item.name for item in bpy.context.scene.spark_capture.takes]") == ["morning"]
