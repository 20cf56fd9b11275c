"""Reads the graph of a TFLite network from its flatbuffer: operators, their options, and the weights.

The schema is TensorFlow Lite's (schema.fbs, version 3), parsed by the package `tflite`. Weights that are stored in half
precision and widened by a DEQUANTIZE operator are widened here, so that operator does not appear.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import tflite

OPTIONS = {
    "CONV_2D": (tflite.Conv2DOptions, ("StrideH", "StrideW", "Padding", "FusedActivationFunction")),
    "DEPTHWISE_CONV_2D": (tflite.DepthwiseConv2DOptions, ("StrideH", "StrideW", "Padding", "FusedActivationFunction")),
    "MAX_POOL_2D": (tflite.Pool2DOptions, ("StrideH", "StrideW", "FilterHeight", "FilterWidth", "Padding")),
    "CONCATENATION": (tflite.ConcatenationOptions, ("Axis",)),
    "MEAN": (tflite.ReducerOptions, ("KeepDims",)),
    "SUM": (tflite.ReducerOptions, ("KeepDims",)),
    "STRIDED_SLICE": (tflite.StridedSliceOptions, ("BeginMask", "EndMask", "ShrinkAxisMask")),
}
OPERATOR_NAMES = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}


@dataclass(frozen=True)
class Node:
    """One operator. Tensors are named by their numbers in the file."""

    kind: str
    """TFLite's name, such as CONV_2D."""
    inputs: tuple[int, ...]
    output: int
    options: Mapping[str, int]
    """By TFLite's names; flags are 0 and 1."""


@dataclass(frozen=True)
class Graph:
    """A network: nodes in an order in which they can be run."""

    nodes: tuple[Node, ...]
    constants: Mapping[int, np.ndarray]
    """Weights (float32, in TFLite's layouts) and shapes or axes (int32)."""
    shapes: Mapping[int, tuple[int, ...]]
    """Of every tensor, as declared for one picture."""
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_graph(content: bytes) -> Graph:
    """The one graph of a TFLite file. `ValueError` on anything but float32 and float16 networks of a known kind."""
    model = tflite.Model.GetRootAs(content, 0)
    subgraph = model.Subgraphs(0)
    constants = read_constants(model, subgraph)
    nodes = []
    for index in range(subgraph.OperatorsLength()):
        node = read_node(model, subgraph.Operators(index))
        if node.kind == "DEQUANTIZE":
            constants[node.output] = constants[node.inputs[0]].astype(np.float32)
        else:
            nodes.append(node)
    shapes = {i: shape_of(subgraph.Tensors(i)) for i in range(subgraph.TensorsLength())}
    return Graph(tuple(nodes), constants, shapes, numbers(subgraph.InputsAsNumpy()), numbers(subgraph.OutputsAsNumpy()))


def read_constants(model: tflite.Model, subgraph: tflite.SubGraph) -> dict[int, np.ndarray]:
    """All tensors whose content is in the file."""
    constants = {}
    for index in range(subgraph.TensorsLength()):
        tensor = subgraph.Tensors(index)
        buffer = model.Buffers(tensor.Buffer())
        if not buffer.DataLength():
            continue
        if tensor.Type() not in DTYPES:
            raise ValueError(f"tensor {index} has type {tensor.Type()}, which is not read")
        data = buffer.DataAsNumpy().tobytes()
        constants[index] = np.frombuffer(data, DTYPES[tensor.Type()]).reshape(shape_of(tensor))
    return constants


def read_node(model: tflite.Model, operator: tflite.Operator) -> Node:
    """One operator with the options that matter."""
    code = model.OperatorCodes(operator.OpcodeIndex())
    kind = OPERATOR_NAMES[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
    options = {}
    if kind in OPTIONS:
        table, fields = OPTIONS[kind]
        parsed, union = table(), operator.BuiltinOptions()
        parsed.Init(union.Bytes, union.Pos)
        options = {field: int(getattr(parsed, field)()) for field in fields}
    return Node(kind, numbers(operator.InputsAsNumpy()), int(operator.Outputs(0)), options)


def shape_of(tensor: tflite.Tensor) -> tuple[int, ...]:
    """Empty for a scalar."""
    return tuple(tensor.Shape(axis) for axis in range(tensor.ShapeLength()))


def numbers(indices: np.ndarray) -> tuple[int, ...]:
    """Plain integers."""
    return tuple(int(index) for index in indices)
