"""A fit on disk, so that one that is killed goes on where it stood."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...protocol.storage import read_npz, write_npz
from .adam import Adam
from .training import Run

MOMENTS = ("mean", "square", "steps")


def save_run(path: Path, run: Run, key: str) -> None:
    """Writes parameters, moments and position; `key` says which fit they belong to."""
    arrays = {f"parameters.{name}": value for name, value in run.parameters.items()}
    for kind in MOMENTS:
        arrays |= {f"{kind}.{name}": value for name, value in getattr(run.adam, kind).items()}
    place = {"key": np.array(key), "stage": np.array(run.stage), "step": np.array(run.step)}
    write_npz(path, {name: value.detach().cpu().numpy() for name, value in arrays.items()} | place)


def load_run(path: Path, key: str) -> Run | None:
    """The fit of a file; None when there is none, or when it belongs to other clips, options or a former release."""
    if not path.exists():
        return None
    content = read_npz(path, ("key", "stage", "step"))
    if str(content["key"]) != key:
        return None
    return Run(
        part(content, "parameters"),
        Adam(*(part(content, kind) for kind in MOMENTS)),
        int(content["stage"]),
        int(content["step"]),
    )


def part(content: Mapping[str, np.ndarray], kind: str) -> dict[str, Tensor]:
    """The tensors of one kind by name."""
    prefix = f"{kind}."
    return {name.removeprefix(prefix): torch.as_tensor(v) for name, v in content.items() if name.startswith(prefix)}
