"""Long takes under a slider: whatever happens while their curves are half written, they end up whole."""

from typing import Any

import pytest
from blenders import blender_parameters, run_toy_probe

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module", params=blender_parameters())
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_toy_probe(request.param, "probe_adjust_slices.py", tmp_path_factory.mktemp("slices"))


def whole(jaw: float) -> dict[str, Any]:
    """Everything is written as the slider says."""
    return {"mark": False, "jaw": jaw, "left": 0, "curves": True}


def test_a_slider_writes_a_part_and_then_the_rest(seen):
    half, all_written, both = seen["slices"]
    assert half == {"mark": True, "jaw": 2.0, "left": 1, "curves": False}
    assert all_written == whole(2.0)
    assert both == whole(0.5)


def test_what_is_kept_between_drags_is_never_stale(seen):
    mirrored, half, more = seen["every_slider"]
    assert mirrored == whole(1.0)
    assert half == whole(0.5)
    assert more == whole(1.5)


def test_undo_and_redo_in_the_middle(seen):
    undone, redone, back = seen["undo"]
    assert undone == whole(1.0)
    assert redone == whole(2.0)
    assert back == whole(0.25)


def test_a_saved_file_holds_whole_curves(seen):
    settled, saved, recovered = seen["save"]
    assert settled
    assert saved == whole(2.0)
    assert recovered == whole(0.25)


def test_what_is_gone_is_left_alone(seen):
    assert seen["gone"] == [["mesh", 0], ["armature", 0], ["action", 0], ["file", 0]]


def test_an_action_that_is_put_aside_is_finished_when_it_comes_back(seen):
    for empty, untouched, later in seen["live"]:
        assert empty
        assert untouched
        assert later == whole(2.0)


def test_buttons_find_whole_curves(seen):
    kept, as_dragged, reset = seen["buttons"]
    assert kept
    assert as_dragged
    assert reset == whole(1.0)


def test_a_fault_is_told_once(seen):
    sentence, mark, left = seen["fault"]
    assert "bake the take again" in sentence
    assert not mark
    assert left == 0
