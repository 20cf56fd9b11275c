"""What the add-on does to the scene and to the file, in real Blenders without a window."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stand_in import build_zip, make_environments, run_scenario, step
from test_addon import PYTHONS

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module", params=PYTHONS or [None], ids=lambda path: path.parts[-3] if path else "none")
def seen(request, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the scenario saw in one Blender."""
    if request.param is None:
        pytest.skip("no environment with bpy: make .venv-bpy or name its Python in SPARK_BPY_PYTHONS")
    addon_zip = build_zip(tmp_path_factory.mktemp("dist"))
    environments = make_environments(tmp_path_factory.mktemp("environments"))
    folder = tmp_path_factory.mktemp("scenario")
    return {**run_scenario("scene_scenario.py", request.param, addon_zip, environments, folder), "folder": folder}


def test_dropped_videos_make_their_project(seen) -> None:
    assert step(seen, "install") == ["SPARK_FH_videos"]
    drop = step(seen, "drop")
    assert Path(drop["project"]).name == "Bob 1.spark"
    assert drop["clips"] == ["Bob 1.mp4"]
    assert drop["operator"] == "spark.add_clips"
    assert {".mp4", ".mov", ".mkv"} <= set(drop["endings"])


def test_a_scene_holds_several_people(seen) -> None:
    people = step(seen, "people")
    assert people["names"] == ["Anna", "Berta"]
    assert people["recent"] == ["Anna", "Berta", "Bob 1"]
    assert len(set(people["actions"])) == 2


def test_undo_changes_the_scene_and_not_what_is_known_of_the_disk(seen) -> None:
    undo = step(seen, "undo")
    assert undo["undone"] == [1, 1, 0.0]
    assert undo["redone"] == [1, 1, 0.1]


def test_the_head_takes_the_shape_of_one_trained_anew_and_stays_what_it_is(seen) -> None:
    again = step(seen, "import_again")
    assert again["stale"][:2] == ["(stale)", "The head was trained anew; import it again"]
    assert again["done"][0] == "(done)"
    assert again["x"] == 0.5
    assert again["colour"] == 0.125
    assert again["modifiers"] == ["Armature", "Smooth"]
    before, imported, undone, redone = again["widths"]
    assert imported == redone == pytest.approx(2 * before, abs=1e-3)
    assert undone == before > 0.1
    assert again["groups"] == ["People", "Scene Collection"]
    assert again["same"]
    assert again["takes"] == "(stale)"
    assert again["heads"] == 2


BUTTONS = ("import", "bake", "asset", "clip", "project", "move")
BUTTONS += ("rest", "reset", "keep", "retime", "guess", "retarget", "capture", "light")


@pytest.mark.parametrize("button", BUTTONS)
def test_one_undo_takes_back_what_a_button_did(seen, button: str) -> None:
    left, changed = step(seen, "undo_each")[button]
    assert changed
    assert left == {}


def test_a_take_is_put_into_the_action_or_laid_over_it(seen) -> None:
    bake = step(seen, "bake_targets")
    assert bake["moves"]
    assert bake["inserted"] == [True] * 4
    assert bake["layered"] == [True] * 4
    assert bake["twice"] == [True] * 4
    assert bake["again"] == [True] * 4  # on a head that was imported anew
    assert len(bake["strips"]) == 1
    assert bake["adjustable"]


def test_smoothing_is_the_slider_of_the_panel_adjust(seen) -> None:
    smoothing = step(seen, "smoothing")
    before, after = smoothing["roughness"]
    assert smoothing["slider"] == pytest.approx(0.2)
    assert after < 0.8 * before


def test_a_moved_file_finds_its_project(seen) -> None:
    moved = step(seen, "moved")
    assert moved["here"]["kept"].startswith("//..")
    assert moved["here"]["found"]
    assert moved["here"]["clip"].startswith("//..")
    assert moved["copied"] == {"kept": moved["here"]["kept"], "found": True}
    assert moved["together"] == [moved["moved"], True]
    assert Path(moved["alone"][0]) == seen["folder"] / "work" / "Anna.spark"
    assert moved["alone"][1]


def test_the_head_is_lit_as_its_clip_was(seen) -> None:
    light = step(seen, "light")
    assert light["names"] == ["Anna light Key"]  # the fill has no light, and the second time took the first's place
    assert light["energy"] == pytest.approx(np.pi**2, rel=1e-5)
    np.testing.assert_allclose(light["colour"], (1.0, 0.8, 0.5), atol=1e-6)
    towards = np.array(light["turn"]) @ (-0.6, -0.8, 0.0)
    np.testing.assert_allclose(light["away"], towards, atol=1e-3)
    np.testing.assert_allclose(light["axis"], towards, atol=1e-3)  # a lamp shines along its own -Z, so to the head
    np.testing.assert_allclose(light["world"], (0.5, 0.5, 1.0, 0.2), atol=1e-6)


def test_the_head_is_an_asset_in_a_catalogue(seen) -> None:
    asset = step(seen, "asset")
    assert asset["early"] == "00000000-0000-0000-0000-000000000000"
    assert asset["objects"] == ["Anna", "Anna head"]
    assert asset["assets"] == ["Anna"]
    assert min(asset["preview"]) > 0
    assert asset["catalogues"][2:] == [
        "00000000-0000-4000-8000-000000000001:Mine:Mine",
        f"{asset['id']}:Characters/SPARK Heads:Characters-SPARK Heads",
    ]


def test_models_are_listed_with_licence_and_size_and_got(seen) -> None:
    models = step(seen, "models")
    assert {"face", "Finds faces. Apache-2.0, 3.8 MB", "[Download]"} <= set(models["before"])
    assert "Blender may not go online; allow it in Preferences > System > Network" in models["refused"]
    assert Path(models["chosen"]["file"]).name == "face.task"
    assert "[Download]" not in models["after"]


def test_the_diagnostic_report_names_nobody(seen) -> None:
    report, private = (step(seen, "report")[name] for name in ("report", "private"))
    assert "Job work: train, failed" in report
    assert "CUDA error: device-side assert triggered" in report
    for secret in (*private, str(seen["folder"])):
        assert secret.lower() not in report.lower(), report
