"""Changes after the bake, as Blender shows them: strength, rest face, keys, time, head motion, other characters."""

from typing import Any

import numpy as np
import pytest
from blenders import blender_parameters, run_toy_probe

from spark_backend.protocol.names import ARKIT_52, mirrored
from spark_blender.scene.performance import region_of

pytestmark = pytest.mark.blender
FRAMES = (1, 8, 24)


@pytest.fixture(scope="module", params=blender_parameters())
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run_toy_probe(request.param, "probe_adjust.py", tmp_path_factory.mktemp("adjust"))


def part(seen: dict[str, Any], name: str) -> Any:
    """One probe's answer; its traceback fails the test."""
    answer = seen[f"probe_{name}"]
    assert not isinstance(answer, str), answer
    return answer


def values(shown: dict[str, Any]) -> np.ndarray:
    """(52,) shape keys at a frame."""
    return np.array([shown["keys"][name] for name in ARKIT_52])


def bone(shown: dict[str, Any], name: str) -> np.ndarray:
    """(4,) wxyz at a frame, w >= 0."""
    quaternion = np.array(shown["bones"][name])
    return quaternion if quaternion[0] >= 0 else -quaternion


def angle(a: np.ndarray, b: np.ndarray) -> float:
    """Radians between two rotations."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return float(2 * np.arctan2(min(np.linalg.norm(a - b), np.linalg.norm(a + b)) / 2, 1) * 2)


def test_strength_is_seen_at_once(seen):
    answer = part(seen, "strength")
    for before, strong in zip(answer["before"], answer["strong"], strict=True):
        factor = np.array([{"jaw": 1.5, "eyes": 0.5}.get(region_of(name), 1.0) for name in ARKIT_52])
        factor[ARKIT_52.index("browInnerUp")] = 0.25
        np.testing.assert_allclose(values(strong), factor * values(before), atol=1e-5)
        assert angle(bone(strong, "neck"), bone(answer["strong"][0], "neck")) < 1e-3, "the head stands still"
        turned = angle(bone(before, "jaw"), np.array([1.0, 0, 0, 0]))
        assert angle(bone(strong, "jaw"), np.array([1.0, 0, 0, 0])) == pytest.approx(1.5 * turned, abs=1e-3)


def test_turning_everything_back_gives_what_was_captured(seen):
    answer = part(seen, "strength")
    for before, back in zip(answer["before"], answer["back"], strict=True):
        np.testing.assert_allclose(values(back), values(before), atol=1e-6)
        for name in before["bones"]:
            np.testing.assert_allclose(bone(back, name), bone(before, name), atol=1e-6)


def test_the_chosen_frame_becomes_neutral(seen):
    answer = part(seen, "strength")
    rest = np.array([answer["rest"]["weights"][name] for name in ARKIT_52])
    np.testing.assert_allclose(rest, values(answer["before"][1]), atol=1e-6)
    for before, calm in zip(answer["before"], answer["calm"], strict=True):
        np.testing.assert_allclose(values(calm), np.maximum(values(before) - rest, 0), atol=1e-5)
    assert angle(bone(answer["calm"][1], "jaw"), np.array([1.0, 0, 0, 0])) < 1e-3


def test_mirror(seen):
    answer = part(seen, "strength")
    for before, after in zip(answer["before"], answer["mirrored"], strict=True):
        expected = [before["keys"][mirrored(name)] for name in ARKIT_52]
        np.testing.assert_allclose(values(after), expected, atol=1e-6)
        np.testing.assert_allclose(bone(after, "eye_left"), bone(before, "eye_right") * [1, 1, -1, -1], atol=1e-5)


def test_reduced_keys_stay_within_the_bound_at_frames_and_between(seen):
    answer = part(seen, "reduction")
    for before, after in zip(answer["before"], answer["after"], strict=True):
        assert np.abs(values(after) - values(before)).max() < 0.02 + 1e-5
        for name in before["bones"]:
            assert angle(bone(before, name), bone(after, name)) < 0.002 * 1.05
    assert sum(answer["fewer"].values()) < 0.8 * sum(answer["count"].values())
    assert set(answer["fewer"]) == set(answer["count"])


def test_a_loop_ends_as_it_begins_and_says_so(seen):
    answer = part(seen, "trim")
    first, last = answer["ends"]
    np.testing.assert_allclose(values(first), values(answer["before"]), atol=1e-5)
    np.testing.assert_allclose(values(last), values(first), atol=1e-5)
    assert angle(bone(first, "root"), bone(last, "root")) < 1e-3
    assert answer["range"] == [6, 19, True]


def test_a_second_stays_a_second_at_another_rate(seen):
    before, answer = part(seen, "strength")["before"], part(seen, "retime")
    for shown, expected in zip(answer["shown"], before, strict=True):
        np.testing.assert_allclose(values(shown), values(expected), atol=1e-4)
        assert angle(bone(shown, "root"), bone(expected, "root")) < 1e-3
    assert answer["later"]["keys"]["jawOpen"] == pytest.approx(0.5 * before[1]["keys"]["jawOpen"], abs=1e-4)


def test_the_camera_sees_the_same_wherever_the_motion_is(seen):
    answer = part(seen, "head_motion")
    steps = [answer[name] for name in ("0 BONE", "1 OBJECT", "2 CAMERA", "3 BONE")]
    for step in steps[1:]:
        np.testing.assert_allclose(step["seen"], steps[0]["seen"], atol=2e-5)
    moves = np.array([[np.ptp(np.array(m)[:, i], axis=0).max() for i in range(3)] for m in (s["moved"] for s in steps)])
    assert ((moves > 1e-4) == [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]]).all(), moves
    np.testing.assert_allclose(steps[3]["moved"], steps[0]["moved"], atol=1e-5)
    assert not any("camera motion" in name for name in answer["actions"])


def test_faults_are_sentences(seen):
    expected = {
        "no camera": "no camera to move",
        "no such place": "MOON: no place for head motion",
        "parent": "has a parent; clear it",
        "moving camera": "moves already",
        "uneven": "scaled unevenly",
        "keep": "put it back there first",
        "nothing mapped": "nothing is mapped",
        "old": "bake the take again",
    }
    sentences = part(seen, "faults")
    assert set(sentences) == set(expected)
    for name, words in expected.items():
        assert words in sentences[name]


def test_what_was_captured_survives_the_file_and_can_be_replaced(seen):
    before, answer = part(seen, "strength")["before"][1]["keys"]["jawOpen"], part(seen, "keep")
    assert answer["opened"] == pytest.approx(before, abs=1e-6)
    assert answer["kept"] == pytest.approx(0.25 * before, abs=1e-6)
    assert answer["actions"] == (["talk"] if seen["version"] >= [4, 4] else ["talk", "talk Key"])


def test_another_character_follows(seen):
    answer = part(seen, "retarget")
    for frame in answer["seen"]:
        ours, theirs = frame["ours"], frame["values"]
        assert theirs["A"] == pytest.approx(ours["jawOpen"], abs=1e-5)
        assert theirs["U"] == pytest.approx(ours["mouthPucker"], abs=1e-5)
        assert theirs["I"] == pytest.approx((ours["mouthStretchLeft"] + ours["mouthStretchRight"]) / 2, abs=1e-5)
        assert theirs["Blink_L"] == pytest.approx(ours["eyeBlinkLeft"], abs=1e-5)
        for theirs_turn, ours_turn in frame["turned"].values():
            np.testing.assert_allclose(theirs_turn, ours_turn, atol=1e-4)
    assert answer["former"], "the character's own action stays in the file"
    assert answer["ours"] == "talk"
