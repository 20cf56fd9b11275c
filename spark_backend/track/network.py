"""An encoder, ready to run on this machine for one person."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from ..encoders.cues import CueNetwork, cue_examples
from ..encoders.engines import Engine, prepared_engine
from ..encoders.mediapipe import FromBytes, crop_examples
from ..encoders.readout import HeadNetwork, Readout
from ..models import cache_folder
from ..protocol.job import Report


@dataclass(frozen=True)
class Person:
    """What the encoder knows of a person; metres, avatar axes."""

    rest: Float[Tensor, "478 3"]
    """Landmarks of the neutral face."""
    offset: Float[Tensor, "478 3"]
    """Where the landmark network sees them beyond that."""


@dataclass(frozen=True)
class Encoder:
    """Crops to parameters in two steps: the next frame waits for the first only, the second can take many at once."""

    cues: Engine
    """Crops in bytes to `Cues`; the same for everybody."""
    heads: Engine
    """`Cues` to `Parameters` of one person."""


def somebody(rest: Float[Tensor, "478 3"]) -> Person:
    """A person of whom no more is known than their head."""
    return Person(rest, torch.zeros_like(rest))


def open_encoder(
    bundle: bytes,
    readout: Readout,
    path: Path,
    person: Person,
    report: Report,
    engine: str | None = None,
) -> Encoder:
    """In the fastest engine that is installed, or the one of this name.

    `bundle` is the content of `face_landmarker.task`, `path` the file of these heads, which serves everybody: the
    person is a constant of the engine. Files that are missing are written, in some ten seconds.
    """
    constants = {"rest": person.rest, "offset": person.offset}
    heads = prepared_engine(path, lambda: HeadNetwork(bundle, readout), cue_examples(), report, constants, engine)
    return Encoder(open_cues(bundle, report, engine), heads)


def open_cues(bundle: bytes, report: Report, engine: str | None = None) -> Engine:
    """The half that is the same for everybody, its file in the cache."""
    path = cache_folder() / "encoders" / f"cues-{hashlib.sha256(bundle).hexdigest()[:12]}.onnx"
    return prepared_engine(path, lambda: FromBytes(CueNetwork(bundle)), crop_examples(), report, name=engine)
