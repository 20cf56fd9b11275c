"""An encoder, ready to run on this machine for one person."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ..encoders.engines import Engine, installed_engines, open_engine
from ..encoders.export import export_onnx
from ..encoders.mediapipe import CROP_SIZE, LANDMARK_COUNT
from ..encoders.readout import FaceEncoder

THREADS = 1
"""Of the engine: the other core decodes."""


@dataclass(frozen=True)
class Person:
    """What the encoder knows of a person; metres, avatar axes."""

    rest: Float[Tensor, "478 3"]
    """Landmarks of the neutral face."""
    offset: Float[Tensor, "478 3"]
    """Where the landmark network sees them beyond that."""


def somebody(rest: Float[Tensor, "478 3"]) -> Person:
    """A person of whom no more is known than their head."""
    return Person(rest, torch.zeros_like(rest))


def open_tracker(
    encoder: FaceEncoder, path: Path, person: Person, warn: Callable[[str], None], engine: str | None = None
) -> Engine:
    """The fastest engine that is installed, or the one of this name, on the ONNX file at `path`.

    The file is written when it is missing, in some ten seconds. It serves everybody: the person is a constant of the
    engine.
    """
    name = engine or installed_engines()[0]
    if name != "torch" and not path.exists():
        if find_spec("onnxscript") is None:
            warn("Tracking runs on torch, three times as slowly; install spark-backend[track] for a faster engine")
            name = "torch"
        else:
            write_onnx(encoder, path)
    constants = {"rest": person.rest.numpy(), "offset": person.offset.numpy()}
    return open_engine(path, encoder, name, THREADS, constants)


def write_onnx(encoder: FaceEncoder, path: Path) -> None:
    """The encoder as an ONNX file with the inputs `crops`, `rest` and `offset`."""
    example = {name: torch.zeros(LANDMARK_COUNT, 3) for name in ("rest", "offset")}
    export_onnx(encoder, path, CROP_SIZE, example)
