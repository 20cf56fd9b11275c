"""One performance: what every frame of a clip does to the rig. See docs/formats/take.md."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .errors import SparkError
from .storage import read_npz, write_npz

ROTATIONS = ("head_rotation", "neck", "jaw", "eye_left", "eye_right")
ARRAYS = ("pts", "weights", *ROTATIONS, "head_translation", "K", "size", "confidence", "valid")


@dataclass(frozen=True)
class Take:
    """`T` frames of a performance.

    A point of the skull at `x` in the avatar's rest pose is seen at `R(head_rotation) x + head_translation` in the
    camera (OpenCV axes, metres). The other rotations are about their joint, in the avatar's axes, relative to the
    parent joint; the `root` is where `neck` leaves it, so that the skull stays where `head_*` puts it.
    """

    pts: np.ndarray
    """(T,) seconds, increasing; the presentation time of each frame in the source."""
    names: tuple[str, ...]
    """(E,) expression names, ARKit's 52 first."""
    weights: np.ndarray
    """(T, E) in [0, 1]."""
    head_rotation: np.ndarray
    """(T, 4) unit quaternions wxyz, avatar axes to camera axes."""
    head_translation: np.ndarray
    """(T, 3) metres in camera axes."""
    neck: np.ndarray
    """(T, 4) wxyz."""
    jaw: np.ndarray
    """(T, 4) wxyz."""
    eye_left: np.ndarray
    """(T, 4) wxyz."""
    eye_right: np.ndarray
    """(T, 4) wxyz."""
    K: np.ndarray
    """(3, 3) or (T, 3, 3) intrinsics in pixels of the upright picture."""
    size: np.ndarray
    """(2,) width and height of the upright picture."""
    confidence: np.ndarray
    """(T,) in [0, 1]."""
    valid: np.ndarray
    """(T,) whether a face was seen; the other frames hold a plausible in-between."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """Where it comes from: `path`, `digest`, `clip`, `tracker`, `smoothing`."""

    def __post_init__(self) -> None:
        count = len(self.pts)
        for name in (*ROTATIONS, "weights", "head_translation", "confidence", "valid"):
            if len(getattr(self, name)) != count:
                raise ValueError(f"{name} has {len(getattr(self, name))} rows for {count} frames")
        if self.weights.shape[1] != len(self.names):
            raise ValueError(f"{self.weights.shape[1]} weights for {len(self.names)} names")

    def weight(self, name: str) -> np.ndarray:
        """(T,) one expression's weights."""
        return self.weights[:, self.names.index(name)]


@dataclass(frozen=True)
class TakeInfo:
    """What a list shows of a take."""

    frames: int
    seconds: float
    source: Mapping[str, Any]


def load_take_info(path: Path) -> TakeInfo:
    """Reads no more of a take than a list shows."""
    content = read_npz(path, ("pts",), only=("format_version", "pts", "source"))
    pts = content["pts"]
    source = json.loads(str(content["source"])) if "source" in content else {}
    return TakeInfo(len(pts), float(pts[-1] - pts[0]) if len(pts) else 0.0, source)


def save_take(path: Path, take: Take) -> None:
    """Writes one take."""
    arrays = {name: getattr(take, name) for name in ARRAYS}
    write_npz(path, {**arrays, "names": np.array(take.names), "source": np.array(json.dumps(dict(take.source)))})


def load_take(path: Path) -> Take:
    """Reads one take; unknown arrays are ignored."""
    content = read_npz(path, (*ARRAYS, "names"))
    try:
        source = json.loads(str(content["source"])) if "source" in content else {}
        return Take(
            **{name: content[name] for name in ARRAYS},
            names=tuple(str(name) for name in content["names"]),
            source=source,
        )
    except ValueError as error:
        raise SparkError(f"{path}: damaged ({error}); track the clip again") from error
