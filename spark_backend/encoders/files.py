"""A project's `tracker/`: the heads that have learned a person. See docs/formats/tracker.md."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jaxtyping import Float
from safetensors.torch import load, save
from torch import Tensor

from ..protocol.errors import SparkError
from ..protocol.storage import filesystem_errors, read_json, write_atomic, write_json
from .generic import readout_from_tensors
from .readout import Readout


@dataclass(frozen=True)
class Tracker:
    """Heads and what they know of the person; metres, avatar axes."""

    readout: Readout
    rest: Float[Tensor, "478 3"]
    """Landmarks of the neutral face."""
    offset: Float[Tensor, "478 3"]
    """Where the landmark network sees them beyond that."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """How it was made and how good it is."""


def save_tracker(folder: Path, tracker: Tracker) -> None:
    """Writes weights.safetensors, then tracker.json, whose presence means that the tracker is whole."""
    tensors = {f"readout.{name}": value.detach().half() for name, value in tracker.readout.state_dict().items()}
    tensors |= {"rest": tracker.rest.float(), "offset": tracker.offset.float()}
    content = save({name: value.contiguous() for name, value in tensors.items()})
    write_atomic(folder / "weights.safetensors", lambda file: file.write(content))
    write_json(folder / "tracker.json", tracker.about)


def has_tracker(folder: Path) -> bool:
    """Whether a whole tracker is there."""
    return (folder / "tracker.json").exists()


def load_tracker(folder: Path) -> Tracker:
    """Reads a tracker; `SparkError` when there is none."""
    if not has_tracker(folder):
        raise SparkError(f"{folder}: no adapted tracker here; run `spark adapt` on the project first")
    about = read_json(folder / "tracker.json")
    with filesystem_errors(folder):
        tensors = load((folder / "weights.safetensors").read_bytes())
    heads = {name.removeprefix("readout."): value for name, value in tensors.items() if name.startswith("readout.")}
    return Tracker(readout_from_tensors(heads), tensors["rest"], tensors["offset"], about)
