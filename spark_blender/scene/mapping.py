"""Which of our shape keys and bones drive which of another character's, and the files that keep it. No bpy."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.storage import read_json, write_json

KIND = "mapping"
BONES = ("neck", "head", "jaw", "eye_left", "eye_right")


@dataclass(frozen=True)
class Row:
    """One shape key that follows another."""

    source: str
    """ARKit's name."""
    target: str
    factor: float = 1.0


@dataclass(frozen=True)
class KeyMapping:
    """A character's part in a retarget. Rows of the same target add up."""

    rows: tuple[Row, ...] = ()
    bones: Mapping[str, str] = field(default_factory=dict)
    """Name of the character's bone by ours (`BONES`); those left out do not move."""


def map_weights(names: Sequence[str], weights: np.ndarray, rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """(T,) of each target, from weights (T, E) of the keys `names`. Rows whose source is not there are left out."""
    mapped: dict[str, np.ndarray] = {}
    for row in rows:
        if row.source in names:
            values = row.factor * weights[:, names.index(row.source)]
            mapped[row.target] = mapped[row.target] + values if row.target in mapped else values
    return mapped


def save_mapping(path: Path, mapping: KeyMapping) -> None:
    """Writes a mapping as JSON."""
    write_json(path, {"kind": KIND, **asdict(mapping)})


def load_mapping(path: Path) -> KeyMapping:
    """Reads what `save_mapping` has written; anything else is a `SparkError`."""
    content = read_json(path)
    if content.get("kind") != KIND:
        raise SparkError(f"{path}: not a mapping; choose another file")
    try:
        rows = tuple(Row(str(row["source"]), str(row["target"]), float(row["factor"])) for row in content["rows"])
        bones = {str(bone): str(target) for bone, target in content["bones"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SparkError(f"{path}: a damaged mapping ({error}); make it again") from error
    if unknown := set(bones) - set(BONES):
        raise SparkError(f"{path}: maps unknown bones ({', '.join(sorted(unknown))}); use {', '.join(BONES)}")
    return KeyMapping(rows, bones)
