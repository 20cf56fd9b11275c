"""Networks as ONNX files, for inference engines."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ..protocol.errors import SparkError
from ..protocol.storage import write_atomic

EXAMPLE_BATCH = 2  # of 1, the exporter would take the batch to be always one


NO_CONSTANTS: Mapping[str, Tensor] = MappingProxyType({})


def export_onnx(network: nn.Module, path: Path, size: int, constants: Mapping[str, Tensor] = NO_CONSTANTS) -> None:
    """Writes a network that takes crops (B size size 3) and gives a NamedTuple of tensors, with the same names.

    The file takes `crops`, float32, in batches of any size, and after it the `constants` by name, which the whole batch
    shares: here are examples of them. Needs the extra `track`.
    """
    if find_spec("onnxscript") is None:
        raise SparkError("a network cannot be exported without onnxscript; install spark-backend[track]")
    example = torch.zeros(EXAMPLE_BATCH, size, size, 3)
    with torch.inference_mode():
        names = list(named_outputs(network.eval()(example, *constants.values())))
    program = torch.onnx.export(
        network,
        (example, *constants.values()),
        dynamo=True,
        input_names=["crops", *constants],
        output_names=names,
        dynamic_shapes=({0: torch.export.Dim("batch")}, *(None for _ in constants)),
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
