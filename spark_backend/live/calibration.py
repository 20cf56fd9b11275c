"""A person's resting face, kept in the project for the same camera and tracker. See docs/formats/live.md."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..protocol.errors import SparkError
from ..protocol.names import ARKIT_52
from ..protocol.storage import filesystem_errors, read_json, write_json
from .shaping import Rest


@dataclass(frozen=True)
class CalibrationFile:
    """Where a calibration is kept. One of another camera or tracker says nothing of what these see."""

    path: Path
    camera: str
    tracker: str

    def save(self, rest: Rest | None) -> None:
        """Keeps a calibration; None takes away what was kept."""
        if rest is None:
            with filesystem_errors(self.path):
                self.path.unlink(missing_ok=True)
            return
        content = {name: value.tolist() for name, value in asdict(rest).items()}
        weights = dict(zip(ARKIT_52, content["weights"], strict=True))
        write_json(self.path, {"camera": self.camera, "tracker": self.tracker, **content, "weights": weights})

    def load(self) -> Rest | None:
        """What was kept; None when there is nothing, or only that of another camera or tracker."""
        if not self.path.exists():
            return None
        content = read_json(self.path)
        if (content.get("camera"), content.get("tracker")) != (self.camera, self.tracker):
            return None
        try:
            weights = np.array([float(content["weights"][name]) for name in ARKIT_52])
            rotation, pivot = (np.array(content[name], float) for name in ("rotation", "pivot"))
        except (KeyError, TypeError, ValueError) as error:
            raise SparkError(f"{self.path}: not a calibration; delete the file and calibrate again") from error
        if rotation.shape != (4,) or pivot.shape != (3,) or not np.isclose(np.linalg.norm(rotation), 1, atol=1e-3):
            raise SparkError(f"{self.path}: not a calibration; delete the file and calibrate again")
        return Rest(weights, rotation, pivot)
