"""Networks as ONNX files, for inference engines."""

from collections.abc import Mapping
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


def named_outputs(result: tuple) -> dict[str, Tensor]:
    """A NamedTuple's tensors by name, those of a dictionary in it by their own."""
    named: dict[str, Tensor] = {}
    for field, value in result._asdict().items():
        named.update(value if isinstance(value, dict) else {field: value})
    return named
