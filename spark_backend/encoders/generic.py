"""The generic encoder: heads trained on made-up people (`spark smirk pretrain`), for anybody whose head is known."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files

from safetensors.torch import load, save
from torch import Tensor

from ..protocol.errors import SparkError
from .readout import Readout

WEIGHTS = "generic.safetensors"


def generic_weights() -> bytes:
    """The content of the file that comes with the package."""
    return files(__package__).joinpath(WEIGHTS).read_bytes()


def readout_from_bytes(content: bytes) -> Readout:
    """Heads from a safetensors file."""
    return readout_from_tensors(load(content))


def readout_from_tensors(tensors: Mapping[str, Tensor]) -> Readout:
    """Heads from their state; halves become float32. `SparkError` when it is that of another layout."""
    readout = Readout()
    try:
        readout.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise SparkError("the tracker's weights have another layout; run `spark adapt` again") from error
    return readout.eval()


def readout_to_bytes(readout: Readout) -> bytes:
    """Heads as a safetensors file in half precision, half of the size and no less accurate."""
    return save({name: half(value) for name, value in readout.state_dict().items()})


def half(value: Tensor) -> Tensor:
    """Half precision, in memory of its own."""
    return value.detach().half().contiguous()


def generic_digest() -> str:
    """Short name of the shipped weights."""
    return hashlib.sha256(generic_weights()).hexdigest()[:12]
