"""A head that is imported again takes the new shape and keeps what an artist has made of it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from blenders import blender_parameters, run_probe
from PIL import Image
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.protocol.avatar import Avatar, save_avatar
from spark_backend.protocol.take import save_take

pytestmark = pytest.mark.blender
SHIFT = np.array([0.0, 0.02, 0.01])


def grown(avatar: Avatar) -> Avatar:
    """Another fit of the same topology."""
    return replace(
        avatar,
        neutral=(avatar.neutral * [1.1, 1.0, 1.0] + SHIFT).astype(np.float32),
        joints=avatar.joints + SHIFT,
        expressions=1.5 * avatar.expressions,
        uv=avatar.uv * 0.5,
    )


@pytest.fixture(scope="module", params=blender_parameters())
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("renewal")
    save_avatar(folder / "avatar", with_maps(toy_avatar(), folder / "avatar"))
    save_avatar(folder / "newer", with_maps(grown(toy_avatar()), folder / "newer"))
    Image.new("RGB", (32, 32), (0, 255, 0)).save(folder / "newer" / "albedo.png")
    save_take(folder / "one.npz", toy_take())
    question = {"avatar": folder / "avatar", "newer": folder / "newer", "take": folder / "one.npz"}
    answer = run_probe(request.param, "probe_renewal.py", question, folder)
    assert "error" not in answer, answer["error"]
    return answer


def test_the_artists_work_is_kept(seen: dict[str, Any]) -> None:
    before, after = seen["before"], seen["after"]
    assert before["groups"].pop("jaw") == after["groups"].pop("jaw") > 0
    assert after == before
    assert after["materials"][-1] == "Freckles"
    assert after["modifiers"] == ["Armature", "Smooth"]
    assert seen["warnings"] == []


def test_nothing_else_is_left_behind(seen: dict[str, Any]) -> None:
    assert seen["objects"] == ["Anna", "Anna head", "Other"]
    assert seen["active"] == ["Other", "Other"]


def test_it_moves_as_a_head_that_is_imported_anew(seen: dict[str, Any]) -> None:
    renewed, fresh = np.array(seen["renewed"]), np.array(seen["fresh"])
    assert np.ptp(fresh, axis=0).min() > 0.1
    np.testing.assert_allclose(renewed, fresh, atol=1e-6)
    assert seen["uv"] == [0.0, 0.5]


def test_own_shape_keys_move_along(seen: dict[str, Any]) -> None:
    for name in ("own_key", "own_on_smile"):
        where, largest, second = seen[name]
        assert where == 5
        assert largest == pytest.approx(0.03, abs=1e-6)
        assert second < 1e-6


def test_what_was_deleted_is_there_again_and_own_bones_move_along(seen: dict[str, Any]) -> None:
    assert seen["key_added"]
    assert seen["bone_added"]
    assert seen["parent"] == "head"
    head = toy_avatar().joints[toy_avatar().joint_names.index("head")]
    np.testing.assert_allclose(seen["own_bone"], head + SHIFT, atol=1e-6)


def test_maps_are_the_new_ones_also_when_they_are_packed(seen: dict[str, Any]) -> None:
    np.testing.assert_allclose(seen["albedo"], [0, 1, 0], atol=1e-6)
    assert seen["packed"]


def test_paint_is_not_lost_and_other_polygons_are_refused(seen: dict[str, Any]) -> None:
    warnings, painted = seen["paint"]
    assert painted == pytest.approx(0.25, abs=0.01)
    [warning] = warnings
    assert "Anna_albedo.png: kept, because it holds paint that is not saved" in warning
    assert "polygons are not those of the new head; press the plus" in seen["refused"]
