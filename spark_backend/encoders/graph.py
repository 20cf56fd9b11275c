"""A TFLite graph as a torch module: differentiable, trainable, for batches of any size.

TFLite's pictures are B H W C, torch's convolutions take B C H W. Between convolutions the tensors stay B C H W, so that
an exported graph has no transpositions in it: with two at each convolution, OpenVINO took four times as long. Nothing
moves in memory, a C-contiguous B H W C tensor is torch's `channels_last`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from .flatbuffer import Graph, Node
from .operators import CHANNELS_FIRST, EITHER, FUNCTIONS

ARGUMENTS = {
    "CONV_2D": ("x", "weight", "bias"),
    "DEPTHWISE_CONV_2D": ("x", "weight", "bias"),
    "PRELU": ("x", "slope"),
}
OTHER_ARGUMENTS = ("a", "b", "c", "d")


class Operation(nn.Module):
    """One node. The float tensors among its inputs that lie in the file are its parameters, not shared with others."""

    def __init__(self, node: Node, constants: Mapping[int, np.ndarray], first: bool) -> None:
        super().__init__()
        if node.kind not in FUNCTIONS:
            raise ValueError(f"operator {node.kind} is not implemented")
        self.function, self.options = FUNCTIONS[node.kind], node.options
        self.names: list[str | None] = []
        self.numbers: dict[int, list | int] = {}
        for place, tensor in enumerate(node.inputs):
            name = ARGUMENTS.get(node.kind, OTHER_ARGUMENTS)[place]
            constant = constants.get(tensor)
            self.names.append(None if constant is None else name)
            if constant is not None and constant.dtype == np.float32:
                self.register_parameter(name, nn.Parameter(to_torch_layout(node.kind, name, constant)))
            elif constant is not None:
                pairs_of_axes = node.kind == "PAD" and first
                self.numbers[place] = (constant[[0, 3, 1, 2]] if pairs_of_axes else constant).tolist()

    def forward(self, *inputs: Tensor) -> Tensor:
        """The node's output from the inputs that are not constants, in order."""
        given = iter(inputs)
        arguments = []
        for place, name in enumerate(self.names):
            if place in self.numbers:
                arguments.append(self.numbers[place])
            else:
                arguments.append(next(given) if name is None else getattr(self, name))
        return self.function(self.options, *arguments)


@dataclass(frozen=True)
class Step:
    """When and on what an operation runs."""

    name: str
    inputs: tuple[int, ...]
    output: int
    first: bool
    """Whether it takes and gives B C H W."""
    done: tuple[int, ...]
    """Tensors that nobody needs any more afterwards."""


class GraphNetwork(nn.Module):
    """The part of a graph that is needed for the named tensors."""

    def __init__(self, graph: Graph, outputs: Mapping[str, int]) -> None:
        super().__init__()
        self.outputs, (self.input,) = dict(outputs), graph.inputs
        nodes = needed_nodes(graph, set(self.outputs.values()))
        last_use = {tensor: place for place, node in enumerate(nodes) for tensor in node.inputs}
        self.operations = nn.ModuleDict()
        self.plan: list[Step] = []
        self.first = {self.input: False}
        for place, node in enumerate(nodes):
            inputs = tuple(tensor for tensor in node.inputs if tensor not in graph.constants)
            first = self.keeps_channels_first(node, graph)
            name = f"{node.kind.lower()}_{place:03d}"
            self.operations[name] = Operation(node, graph.constants, first)
            done = {t for t in inputs if last_use[t] == place} - set(self.outputs.values())
            self.plan.append(Step(name, inputs, node.output, first, tuple(done)))
            self.first[node.output] = first

    def keeps_channels_first(self, node: Node, graph: Graph) -> bool:
        """Whether a node works on B C H W."""
        if node.kind in CHANNELS_FIRST:
            return True
        tensors = [t for t in node.inputs if t not in graph.constants or graph.constants[t].dtype == np.float32]
        return node.kind in EITHER and all(self.first.get(tensor, False) for tensor in tensors)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """The named tensors in TFLite's layout. Others are let go after their last use."""
        values = {self.input: x}
        for step in self.plan:
            inputs = (self.in_layout(values[tensor], tensor, step.first) for tensor in step.inputs)
            values[step.output] = self.operations[step.name](*inputs)
            for tensor in step.done:
                del values[tensor]
        return {name: self.in_layout(values[tensor], tensor, False) for name, tensor in self.outputs.items()}

    def in_layout(self, value: Tensor, tensor: int, first: bool) -> Tensor:
        """A tensor as B C H W or in TFLite's layout."""
        if self.first[tensor] == first:
            return value
        return value.permute(0, 3, 1, 2) if first else value.permute(0, 2, 3, 1)


def needed_nodes(graph: Graph, tensors: set[int]) -> list[Node]:
    """The nodes that these tensors depend on, in order."""
    wanted, nodes = set(tensors), []
    for node in reversed(graph.nodes):
        if node.output in wanted:
            nodes.append(node)
            wanted.update(node.inputs)
    return nodes[::-1]


def to_torch_layout(kind: str, name: str, constant: np.ndarray) -> Tensor:
    """A weight from TFLite's layout (O H W I; depthwise 1 H W C; slope 1 1 C) to the one the operators take."""
    tensor = torch.from_numpy(constant.copy())
    if kind == "CONV_2D" and name == "weight":
        return tensor.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
    if kind == "DEPTHWISE_CONV_2D" and name == "weight":
        return tensor.permute(3, 0, 1, 2).contiguous()
    return tensor.flatten() if kind == "PRELU" else tensor
