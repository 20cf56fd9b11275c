"""How strongly a person's face moves live: kept in the project, so it comes back with it. See docs/formats/live.md."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from .errors import SparkError
from .live_commands import Adjust
from .names import ARKIT_52, region_of
from .storage import read_json, write_json


@dataclass(frozen=True)
class LiveStrengths:
    """What the panel's sliders say."""

    strength: float = 1.0
    """Of all expressions."""
    smoothing: float = Adjust().smoothing
    """0 none, 1 the most."""
    regions: Mapping[str, float] = field(default_factory=dict)
    """By region as in `names.region_of`, on top; 1 where not named."""
    keys: Mapping[str, float] = field(default_factory=dict)
    """By expression, on top of its region's; 1 where not named."""

    def adjust(self) -> Adjust:
        """The same as the command that the backend obeys."""
        factors = {name: self.regions.get(region_of(name), 1.0) * self.keys.get(name, 1.0) for name in ARKIT_52}
        return Adjust(self.strength, factors, self.smoothing)


def strengths_path(project: Path) -> Path:
    """Where a project keeps them."""
    return project / "live" / "strengths.json"


def save_strengths(project: Path, strengths: LiveStrengths) -> None:
    """Writes them."""
    write_json(strengths_path(project), asdict(strengths))


def load_strengths(project: Path) -> LiveStrengths:
    """Those of a project; the usual ones when it has none."""
    path = strengths_path(project)
    if not path.exists():
        return LiveStrengths()
    content, usual = read_json(path), LiveStrengths()
    try:
        return LiveStrengths(
            number(content.get("strength", usual.strength)),
            number(content.get("smoothing", usual.smoothing)),
            {name: number(value) for name, value in content.get("regions", {}).items()},
            {name: number(value) for name, value in content.get("keys", {}).items()},
        )
    except (TypeError, ValueError, AttributeError) as error:
        raise SparkError(f"{path}: strengths must be numbers by name; correct the file or delete it") from error


def number(value: float) -> float:
    """The value, when it is a number from 0 up; else `ValueError`."""
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{value} is no strength")
    return float(value)
