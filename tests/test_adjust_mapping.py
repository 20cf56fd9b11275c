"""Which shape keys and bones of other characters are found by name; mappings and their files."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.names import ARKIT_52
from spark_blender.scene.guess import guess_bones, guess_mapping, metahuman_names
from spark_blender.scene.mapping import BONES, KeyMapping, Row, load_mapping, map_weights, save_mapping


def short(name: str) -> str:
    """`eyeBlinkLeft` as `eyeBlink_L`."""
    for side in ("Left", "Right"):
        if name.endswith(side):
            return f"{name.removesuffix(side)}_{side[0]}"
    return name


def snake(name: str) -> str:
    """`eyeBlinkLeft` as `eye_blink_left`."""
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


SPELLINGS = {
    "Apple": lambda name: name,
    "Live Link Face": lambda name: name[0].upper() + name[1:],
    "short": short,
    "point": lambda name: short(name).replace("_", "."),
    "snake": snake,
    "upper": str.upper,
    "lower": str.lower,
    "Maya": lambda name: f"blendShape1.{short(name)}",
    "side first": lambda name: f"{short(name)[-1]}_{short(name)[:-2]}" if short(name) != name else name,
    "Faceit, prefixed": lambda name: f"Hero_Face_{name}",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_arkits_names_are_known_in_every_spelling(spelling: str):
    keys = [SPELLINGS[spelling](name) for name in ARKIT_52]
    rows = guess_mapping(["Basis", *keys, "Height", "Muscular"]).rows
    assert {(row.source, row.target, row.factor) for row in rows} == {
        (name, key, 1.0) for name, key in zip(ARKIT_52, keys, strict=True)
    }


def sources(mapping: KeyMapping) -> dict[str, dict[str, float]]:
    """Sources and factors of each target."""
    found: dict[str, dict[str, float]] = {}
    for row in mapping.rows:
        found.setdefault(row.target, {})[row.source] = row.factor
    return found


@pytest.mark.parametrize(
    "keys",
    [
        ("A", "I", "U", "E", "O", "Blink", "Blink_L", "Blink_R"),
        ("aa", "ih", "ou", "ee", "oh", "blink", "blinkLeft", "blinkRight"),
        (*(f"Fcl_MTH_{v}" for v in "AIUEO"), "Fcl_EYE_Close", "Fcl_EYE_Close_L", "Fcl_EYE_Close_R"),
        ("vrc.v_aa", "vrc.v_ih", "vrc.v_ou", "vrc.v_e", "vrc.v_oh", "vrc.blink", "vrc.blink_left", "vrc.blink_right"),
    ],
)
def test_vrms_vowels_and_blinks(keys: tuple[str, ...]):
    found = sources(guess_mapping([*keys, "Joy", "Fcl_ALL_Angry"]))
    a, i, u, e, o, both, left, right = keys
    assert found[a] == {"jawOpen": 1}
    assert found[u] == {"mouthPucker": 1}
    assert found[o] == {"mouthFunnel": 1}
    assert {*found[i]} == {"mouthStretchLeft", "mouthStretchRight"}
    assert {*found[e]} == {"mouthLowerDownLeft", "mouthLowerDownRight"}
    assert found[left] == {"eyeBlinkLeft": 1}
    assert found[right] == {"eyeBlinkRight": 1}
    assert both not in found, "both eyes would be closed twice"
    assert len(found) == 7


def test_a_vrm_with_one_blink_closes_both_eyes_by_halves():
    found = sources(guess_mapping(["A", "I", "U", "E", "O", "Blink"]))
    assert found["Blink"] == {"eyeBlinkLeft": 0.5, "eyeBlinkRight": 0.5}


def test_perfect_sync_takes_arkit_alone():
    keys = [*ARKIT_52, *(f"Fcl_MTH_{v}" for v in "AIUEO"), "Fcl_EYE_Close_L"]
    assert {row.target for row in guess_mapping(keys).rows} == set(ARKIT_52)


def test_metahumans_curves():
    keys = [f"CTRL_expressions_{name}" for name, _ in metahuman_names()]
    found = sources(guess_mapping([*keys, "head_lod0_mesh__eye_blink_L"]))
    assert set(found) == set(keys)
    assert found["CTRL_expressions_mouthCornerPullL"] == {"mouthSmileLeft": 1}
    assert found["CTRL_expressions_mouthPressUR"] == {"mouthPressRight": 1}
    assert found["CTRL_expressions_browRaiseInL"] == {"browInnerUp": 1}
    assert found["CTRL_expressions_eyeLookLeftR"] == {"eyeLookInRight": 1}
    assert {row.source for row in guess_mapping(keys).rows} == set(ARKIT_52)


def test_keys_without_a_side_follow_both_by_halves_and_sideless_ones_drive_both():
    found = sources(guess_mapping(["mouthSmile", "cheekPuff_L", "cheekPuff.R", "mouth", "jaw", "upper_mouth_L", "A"]))
    assert found == {
        "mouthSmile": {"mouthSmileLeft": 0.5, "mouthSmileRight": 0.5},
        "cheekPuff_L": {"cheekPuff": 1},
        "cheekPuff.R": {"cheekPuff": 1},
    }


def test_strange_names_are_left_out():
    assert guess_mapping(["Basis", "", "...", "Schlüssel 1", "左目", "Bulge", "CTRL_expressions_"]).rows == ()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.text(max_size=20), max_size=12))
def test_any_names_can_be_guessed_at(keys: list[str]):
    mapping = guess_mapping(keys, keys)
    assert {row.target for row in mapping.rows} <= set(keys)
    assert {row.source for row in mapping.rows} <= set(ARKIT_52)
    assert set(mapping.bones) <= set(BONES)


@pytest.mark.parametrize(
    ("bones", "expected"),
    [
        (
            ("DEF-jaw", "jaw_master", "MCH-eye.L", "master_eye.L", "master_eye.R", "eye.L", "head", "neck", "spine"),
            ("neck", "head", "jaw_master", "master_eye.L", "master_eye.R"),
        ),
        (
            ("neck_01", "neck_02", "head", "FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye", "FACIAL_L_EyelidUpperA"),
            ("neck_01", "head", "FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye"),
        ),
        (
            ("J_Bip_C_Neck", "J_Bip_C_Head", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"),
            ("J_Bip_C_Neck", "J_Bip_C_Head", None, "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"),
        ),
        (
            ("CC_Base_Head", "CC_Base_JawRoot", "CC_Base_L_Eye", "CC_Base_R_Eye"),
            (None, "CC_Base_Head", "CC_Base_JawRoot", "CC_Base_L_Eye", "CC_Base_R_Eye"),
        ),
        (
            ("mixamorig:Neck", "mixamorig:Head", "mixamorig:LeftEye", "mixamorig:RightEye", "mixamorig:LeftArm"),
            ("mixamorig:Neck", "mixamorig:Head", None, "mixamorig:LeftEye", "mixamorig:RightEye"),
        ),
    ],
)
def test_bones_of_usual_rigs(bones: tuple[str, ...], expected: tuple[str | None, ...]):
    assert guess_bones(bones) == {ours: name for ours, name in zip(BONES, expected, strict=True) if name}


def test_jaw_and_eyes_move_by_shapes_or_by_bones_never_by_both():
    rig = ("head", "jaw", "eye.L", "eye.R")
    assert guess_mapping(ARKIT_52, rig).bones == {"head": "head"}
    assert set(guess_mapping(["eyeBlink_L", "mouthSmile_L"], rig).bones) == {"head", "jaw", "eye_left", "eye_right"}


def test_rows_of_one_target_add_up():
    weights = np.array([[0.2, 0.5], [0.4, 1.0]])
    rows = (Row("jawOpen", "A", 0.5), Row("tongueOut", "A", 2.0), Row("jawOpen", "B"), Row("missing", "C"))
    mapped = map_weights(("jawOpen", "tongueOut"), weights, rows)
    assert set(mapped) == {"A", "B"}
    np.testing.assert_allclose(mapped["A"], [1.1, 2.2])
    np.testing.assert_allclose(mapped["B"], [0.2, 0.4])


ROWS = st.builds(Row, st.text(), st.text(), st.floats(-5, 5))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(ROWS, max_size=5), st.dictionaries(st.sampled_from(BONES), st.text()))
def test_mappings_come_back_from_their_files(tmp_path_factory, rows: list[Row], bones: dict[str, str]):
    path = tmp_path_factory.mktemp("mapping") / "deep" / "one.json"
    save_mapping(path, KeyMapping(tuple(rows), bones))
    assert load_mapping(path) == KeyMapping(tuple(rows), bones)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"kind": "other"}, "not a mapping"),
        ({"rows": [{"source": "a"}]}, "a damaged mapping"),
        ({"rows": [{"source": "a", "target": "b", "factor": "much"}]}, "a damaged mapping"),
        ({"bones": {"tail": "x"}}, "unknown bones"),
        ({"bones": []}, "a damaged mapping"),
        ({"format_version": 99}, "newer version"),
    ],
)
def test_broken_files_are_told_in_a_sentence(tmp_path: Path, change: dict, sentence: str):
    path = tmp_path / "one.json"
    save_mapping(path, KeyMapping((Row("jawOpen", "A"),), {"jaw": "Jaw"}))
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **change}), encoding="utf-8")
    with pytest.raises(SparkError, match=sentence):
        load_mapping(path)
