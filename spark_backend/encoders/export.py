"""Networks as ONNX files, for inference engines."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..protocol.errors import SparkError
from ..protocol.storage import write_atomic

Tensors = Mapping[str, Tensor]
"""What a network takes, by name, in its order."""
NO_CONSTANTS: Tensors = MappingProxyType({})
KNOWN_LOGGER, KNOWN_LINE = "torch.onnx._internal.exporter._registration", "torchvision is not installed"
KNOWN_WARNINGS = (r"`isinstance\(treespec, LeafSpec\)` is deprecated", r"# The axis name: batch will not be used")
"""What torch 2.13 says of itself at every export: of a library that no network of ours needs, of its own code, and that
two inputs share the axis that they are meant to share."""


def export_onnx(network: nn.Module, path: Path, batch: Tensors, constants: Tensors = NO_CONSTANTS) -> None:
    """Writes a network that takes a batch, then what all of it share, and gives a NamedTuple of tensors.

    `batch` and `constants` are examples by name, which the file's inputs get, in the network's order; those of `batch`
    hold two or more, of one the exporter would take it to be always one. Outputs have the names of the tuple. Needs the
    extra `track`.
    """
    if find_spec("onnxscript") is None:
        raise SparkError("a network cannot be exported without onnxscript; install spark-backend[track]")
    examples = (*batch.values(), *constants.values())
    with torch.inference_mode():
        names = list(named_outputs(network.eval()(*examples)))
    count = torch.export.Dim("batch")
    with without_known_remarks():
        program = torch.onnx.export(
            network,
            examples,
            dynamo=True,
            input_names=[*batch, *constants],
            output_names=names,
            dynamic_shapes=(*({0: count} for _ in batch), *(None for _ in constants)),
            verbose=False,
        )
    content = program.model_proto.SerializeToString()
    write_atomic(path, lambda file: file.write(content))


@contextmanager
def without_known_remarks() -> Iterator[None]:
    """Keeps `KNOWN_LINE` and `KNOWN_WARNINGS`, and nothing else, out of the terminal."""

    def unknown(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith(KNOWN_LINE)

    logger = logging.getLogger(KNOWN_LOGGER)
    logger.addFilter(unknown)
    try:
        with warnings.catch_warnings():
            for message in KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message)
            yield
    finally:
        logger.removeFilter(unknown)


def named_outputs(result: tuple) -> dict[str, Tensor]:
    """A NamedTuple's tensors by name, those of a dictionary in it by their own."""
    named: dict[str, Tensor] = {}
    for field, value in result._asdict().items():
        named.update(value if isinstance(value, dict) else {field: value})
    return named
