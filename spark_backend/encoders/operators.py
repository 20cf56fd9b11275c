"""TFLite's operators on torch tensors: each a pure function `(options, *inputs) -> output`.

Those of `CHANNELS_FIRST` take and give B C H W, the others TFLite's own layout, in which the axes that the file names
are counted. Axis 0 is the batch: shapes in the file are those of one picture, so it is never taken from them.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tflite
import torch
import torch.nn.functional as F
from torch import Tensor

Options = Mapping[str, int]


def conv_2d(options: Options, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """`weight` is O I H W."""
    stride = (options["StrideH"], options["StrideW"])
    x, padding = pad_for(options, x, weight.shape[2:], stride)
    return activated(options, F.conv2d(x, weight, bias, stride, padding))


def depthwise_conv_2d(options: Options, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """One filter a channel; `weight` is C 1 H W."""
    stride = (options["StrideH"], options["StrideW"])
    x, padding = pad_for(options, x, weight.shape[2:], stride)
    return activated(options, F.conv2d(x, weight, bias, stride, padding, groups=weight.shape[0]))


def max_pool_2d(options: Options, x: Tensor) -> Tensor:
    """Without padding."""
    if options["Padding"] != tflite.Padding.VALID:
        raise ValueError("pooling with padding is not implemented")
    kernel, stride = (options["FilterHeight"], options["FilterWidth"]), (options["StrideH"], options["StrideW"])
    return F.max_pool2d(x, kernel, stride)


def prelu(options: Options, x: Tensor, slope: Tensor) -> Tensor:
    """`slope` has one number a channel."""
    return F.prelu(x, slope)


def pad(options: Options, x: Tensor, amounts: Sequence[Sequence[int]]) -> Tensor:
    """Zeros before and after each axis."""
    return F.pad(x, [side for pair in reversed(amounts) for side in pair])


def reshape(options: Options, x: Tensor, shape: Sequence[int]) -> Tensor:
    """To one picture's shape, for each of the batch."""
    return x.reshape(x.shape[0], *shape[1:])


def transpose(options: Options, x: Tensor, axes: Sequence[int]) -> Tensor:
    """Axes in another order."""
    return x.permute(*axes)


def concatenation(options: Options, *parts: Tensor) -> Tensor:
    """Parts that the batch shares are repeated for each of it."""
    batch = max(part.shape[0] for part in parts)
    return torch.cat([part.expand(batch, *part.shape[1:]) for part in parts], options["Axis"])


def strided_slice(
    options: Options, x: Tensor, begin: Sequence[int], end: Sequence[int], strides: Sequence[int]
) -> Tensor:
    """A part of each axis but the batch's; bits of the masks tell where a border is the axis's own."""
    parts = [slice(None)]
    for axis in range(1, x.ndim):
        first = None if options["BeginMask"] >> axis & 1 else begin[axis]
        last = None if options["EndMask"] >> axis & 1 else end[axis]
        parts.append(slice(first, last, strides[axis]))
    return x[tuple(parts)]


def mean(options: Options, x: Tensor, axes: Sequence[int] | int) -> Tensor:
    """Over these axes."""
    return x.mean(axes, keepdim=bool(options["KeepDims"]))


def total(options: Options, x: Tensor, axes: Sequence[int] | int) -> Tensor:
    """Sum over these axes."""
    return x.sum(axes, keepdim=bool(options["KeepDims"]))


CHANNELS_FIRST = ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "PRELU")
# Those that do the same in either layout when all that they take has it.
EITHER = ("ADD", "SUB", "MUL", "DIV", "SQUARED_DIFFERENCE", "NEG", "SQRT", "RSQRT", "LOGISTIC", "PAD")

FUNCTIONS: Mapping[str, Callable[..., Tensor]] = {
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "MAX_POOL_2D": max_pool_2d,
    "PRELU": prelu,
    "PAD": pad,
    "RESHAPE": reshape,
    "TRANSPOSE": transpose,
    "CONCATENATION": concatenation,
    "STRIDED_SLICE": strided_slice,
    "MEAN": mean,
    "SUM": total,
    "ADD": lambda options, a, b: a + b,
    "SUB": lambda options, a, b: a - b,
    "MUL": lambda options, a, b: a * b,
    "DIV": lambda options, a, b: a / b,
    "SQUARED_DIFFERENCE": lambda options, a, b: (a - b).square(),
    "NEG": lambda options, x: -x,
    "SQRT": lambda options, x: x.sqrt(),
    "RSQRT": lambda options, x: x.rsqrt(),
    "LOGISTIC": lambda options, x: x.sigmoid(),
}


def pad_for(options: Options, x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> tuple[Tensor, Any]:
    """The picture (B C H W) and the padding that the convolution shall add itself.

    TFLite's SAME gives ceil(size / stride) rows and columns; an odd number of zeros has the larger half at the end,
    which a convolution of torch cannot add.
    """
    if options["Padding"] == tflite.Padding.VALID:
        return x, 0
    amounts = []
    for size, width, step in zip(x.shape[2:], kernel, stride, strict=True):
        missing = max((-(-size // step) - 1) * step + width - size, 0)
        amounts.append((missing // 2, missing - missing // 2))
    if all(before == after for before, after in amounts):
        return x, tuple(before for before, _ in amounts)
    (top, bottom), (left, right) = amounts
    return F.pad(x, (left, right, top, bottom)), 0


def activated(options: Options, x: Tensor) -> Tensor:
    """The activation that is fused into an operator."""
    if options["FusedActivationFunction"] == tflite.ActivationFunctionType.NONE:
        return x
    if options["FusedActivationFunction"] == tflite.ActivationFunctionType.RELU:
        return x.relu()
    raise ValueError(f"activation {options['FusedActivationFunction']} is not implemented")
