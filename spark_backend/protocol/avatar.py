"""The personal head as files: geometry, expressions, joints, maps. See docs/formats/avatar.md."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SparkError
from .storage import read_json, read_npz, write_json, write_npz

MAPS = ("albedo", "roughness", "specular", "normal")


@dataclass(frozen=True)
class Rig:
    """Joint angles (radians) at weight 1 of the ARKit expression that they belong to."""

    jaw_open: float
    """Rotation about +X for `jawOpen`."""
    jaw_side: float
    """Rotation about +Z for `jawLeft`, its negative for `jawRight`."""
    gaze_in: float
    """Turn of an eye towards the nose for `eyeLookIn*`."""
    gaze_out: float
    """Turn away from the nose for `eyeLookOut*`."""
    gaze_up: float
    gaze_down: float


@dataclass(frozen=True)
class Avatar:
    """A head in its rest pose: metres, Blender's axes (+Z up, the face looks along -Y, +X is the subject's left)."""

    neutral: np.ndarray
    """(V, 3) metres."""
    polygons: np.ndarray
    """(P, 4) vertex indices; a triangle has -1 in the last column."""
    uv: np.ndarray
    """(U, 2), (0, 0) is the lower left corner of the map, as in Blender."""
    uv_polygons: np.ndarray
    """(P, 4) indices into `uv`, -1 as in `polygons`."""
    polygon_material: np.ndarray
    """(P,) indices into `material_names`."""
    material_names: tuple[str, ...]
    expression_names: tuple[str, ...]
    """(E,) ARKit's 52 first."""
    expressions: np.ndarray
    """(E, V, 3) offsets at weight 1, applied before skinning, metres."""
    joint_names: tuple[str, ...]
    joints: np.ndarray
    """(J, 3) positions in the rest pose, metres."""
    parents: np.ndarray
    """(J,) index of each joint's parent, -1 for the root; parents come first."""
    skinning: np.ndarray
    """(V, J) weights, rows sum to 1."""
    landmark_face: np.ndarray
    """(478,) triangle (row of `faces`) of each MediaPipe landmark."""
    landmark_bary: np.ndarray
    """(478, 3) its barycentric coordinates there."""
    regions: Mapping[str, np.ndarray]
    """Name to (V,) bool."""
    rig: Rig
    head_model: str = "anny"
    metrics: Mapping[str, Any] = field(default_factory=dict)
    licences: tuple[str, ...] = ()
    """One sentence per work that the avatar derives from."""
    maps: Mapping[str, Path] = field(default_factory=dict)
    """Absolute paths of the textures that exist: albedo, roughness, specular, normal."""

    @property
    def faces(self) -> np.ndarray:
        """(F, 3) triangles; a quad a b c d gives a b c and, after all first halves, a c d."""
        return triangulate(self.polygons)

    @property
    def uv_faces(self) -> np.ndarray:
        """(F, 3) indices into `uv`, row for row with `faces`."""
        return triangulate(self.uv_polygons)

    @property
    def face_polygon(self) -> np.ndarray:
        """(F,) the row of `polygons` from which each of `faces` is cut."""
        return np.concatenate([np.arange(len(self.polygons)), np.flatnonzero(self.polygons[:, 3] >= 0)])

    @property
    def face_material(self) -> np.ndarray:
        """(F,) indices into `material_names`, row for row with `faces`."""
        return self.polygon_material[self.face_polygon]

    @property
    def face_solid(self) -> np.ndarray:
        """(F,) bool, row for row with `faces`: all but the lashes' cards, which are see-through."""
        return np.array([name != "lashes" for name in self.material_names])[self.face_material]


def triangulate(polygons: np.ndarray) -> np.ndarray:
    """(P, 4) polygons to (F, 3) triangles: the first halves of all, then the second halves of the quads."""
    quads = polygons[:, 3] >= 0
    return np.concatenate([polygons[:, :3], polygons[quads][:, [0, 2, 3]]])


ARRAYS = (
    *("neutral", "polygons", "uv", "uv_polygons", "polygon_material", "expressions"),
    *("joints", "parents", "skinning", "landmark_face", "landmark_bary"),
)
NAMES = ("material_names", "expression_names", "joint_names")


def save_avatar(folder: Path, avatar: Avatar) -> None:
    """Writes avatar.npz and avatar.json; the maps are written by whoever makes them, beside them."""
    arrays = {name: getattr(avatar, name) for name in ARRAYS} | {n: np.array(getattr(avatar, n)) for n in NAMES}
    arrays |= {"faces": avatar.faces, "uv_faces": avatar.uv_faces}
    arrays |= {f"region_{name}": mask for name, mask in avatar.regions.items()}
    write_npz(folder / "avatar.npz", arrays)
    description = {
        "head_model": avatar.head_model,
        "vertices": len(avatar.neutral),
        "rig": asdict(avatar.rig),
        "metrics": dict(avatar.metrics),
        "licences": list(avatar.licences),
        "maps": {name: path.name for name, path in avatar.maps.items()},
    }
    write_json(folder / "avatar.json", description)


def load_avatar(folder: Path) -> Avatar:
    """Reads an avatar folder."""
    if not (folder / "avatar.json").exists():
        raise SparkError(f"{folder}: no avatar here; run `spark fit` on the project first")
    description = read_json(folder / "avatar.json")
    content = read_npz(folder / "avatar.npz", (*ARRAYS, *NAMES))
    maps = {name: (folder / file).absolute() for name, file in description.get("maps", {}).items() if name in MAPS}
    return Avatar(
        **{name: content[name] for name in ARRAYS},
        **{name: tuple(str(x) for x in content[name]) for name in NAMES},
        regions={name.removeprefix("region_"): v for name, v in content.items() if name.startswith("region_")},
        rig=Rig(**description["rig"]),
        head_model=description.get("head_model", ""),
        metrics=description.get("metrics", {}),
        licences=tuple(description.get("licences", ())),
        maps={name: path for name, path in maps.items() if path.exists()},
    )
