"""The panel Adjust in Blender: sliders act at once, buttons do what they say, everything can be undone."""

from typing import Any

import pytest
from blenders import blender_parameters, run_toy_probe
from toy_avatar import toy_take

from spark_backend.protocol.names import ARKIT_52

pytestmark = pytest.mark.blender
JAW = float(toy_take().weight("jawOpen")[7])


@pytest.fixture(scope="module", params=blender_parameters())
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_toy_probe(request.param, "probe_adjust_panel.py", tmp_path_factory.mktemp("panel"))


def test_without_a_take_the_panel_says_what_to_do(seen):
    assert seen["empty"] == [["Bake a take first"], [], [], [], [], []]
    assert not seen["no_take"]


def test_every_part_is_drawn(seen):
    panels = seen["panels"]
    assert panels["adjust"][:6] == ["<brows>", "<eyes>", "<mouth>", "<jaw>", "<head>", "<mirror>"]
    assert panels["adjust_keys"][::2] == list(ARKIT_52)
    assert panels["adjust_head"] == ["[Bone]", "[Object]", "[Camera]"]
    assert seen["panels_after"]["retarget"][-1] == "[Retarget]"


def test_sliders_show_at_once_and_reset_puts_them_back(seen):
    assert seen["jaw"] == pytest.approx([JAW, 0.5 * JAW, 0.25 * JAW, JAW], abs=1e-5)
    assert seen["reset"] == [1.0, 52, False]


def test_the_neutral_pose_is_set_and_cleared(seen):
    neutral, has_rest, panel, cleared = seen["rest"]
    assert neutral == pytest.approx(0, abs=1e-6)
    assert has_rest
    assert panel[-2:] == ["[Set Neutral Pose]", "[]"]
    assert cleared == pytest.approx(JAW, abs=1e-6)


def test_a_loop_keeps_its_seconds_when_the_rate_changes(seen):
    first, last, frames = seen["loop"]
    assert first == pytest.approx(last, abs=1e-5)
    assert frames == [6, 19]
    assert seen["retimed"] == [11, 37, pytest.approx(first, abs=1e-5), pytest.approx(first, abs=1e-5)]


def test_baking_again_starts_anew(seen):
    assert seen["object"] == "OBJECT"
    assert seen["baked_again"] == [None, "XYZ", [], 52]
    assert seen["range"] == [1, 24]
    assert seen["again"] == pytest.approx(JAW, abs=1e-6)


def test_a_kept_result_is_what_sliders_start_from(seen):
    assert seen["kept"] == [1.0, pytest.approx(0.5 * JAW, abs=1e-5)]


def test_retarget_editor_and_presets(seen):
    retarget = seen["retarget"]
    assert "Choose the character first" in retarget["no_target"]
    assert "Choose the character first" in retarget["guess_without"]
    assert "is the captured head itself" in retarget["itself"]
    assert "not a name for a preset" in retarget["bad_name"]
    assert "no such file" in retarget["missing"]
    assert (retarget["rows"], retarget["fewer"], retarget["loaded"]) == (8, 7, [8, "Wide", 0.5])
    a, jaw, wide, eye = retarget["values"]
    assert a == pytest.approx(jaw, abs=1e-5)
    assert wide == pytest.approx(0.5 * eye, abs=1e-5)
    assert retarget["action"].startswith("talk on hero")


def test_a_slider_can_be_undone(seen):
    before, after, undone = seen["undo"]
    assert after == pytest.approx([2.0, 2 * before[1]], abs=1e-5)
    assert undone == pytest.approx(before, abs=1e-6)


def test_nothing_is_left_behind(seen):
    assert seen["left"] == []
