"""Running Warp kernels on torch tensors: quiet start, the right device, torch's own stream."""

import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import torch
import warp as wp
from torch import Tensor

STARTING = threading.Lock()


def launch(kernel: Any, threads: int | tuple[int, ...], arguments: Sequence[Any], device: torch.device) -> None:
    """Runs a kernel on the device of its tensors, which come as `array(tensor)`; on CUDA in torch's current stream.

    The first launch compiles the kernel or loads it from Warp's cache folder.
    """
    stream = wp.stream_from_torch(torch.cuda.current_stream(device)) if device.type == "cuda" else None
    wp.launch(kernel, threads, list(arguments), device=wp.device_from_torch(device), stream=stream)


def launch_backward(
    kernel: Any, threads: int, arguments: Sequence[Any], gradients: Sequence[Any], device: torch.device
) -> None:
    """Runs the backward kernel that Warp derived: adds to the gradients of all but the last argument, given that one's.

    `gradients` has None where an argument needs none.
    """
    stream = wp.stream_from_torch(torch.cuda.current_stream(device)) if device.type == "cuda" else None
    *inputs, output = arguments
    *inwards, outwards = gradients
    options = {"adj_inputs": inwards, "adj_outputs": [outwards], "adjoint": True}
    wp.launch(kernel, threads, inputs, [output], device=wp.device_from_torch(device), stream=stream, **options)


def array(tensor: Tensor, dtype: Any = None) -> Any:
    """A Warp array over the memory of a contiguous tensor; `dtype` groups the last dimension (`wp.vec3`)."""
    with STARTING:
        start_quietly()
    return wp.from_torch(tensor, dtype=dtype, requires_grad=False)


@cache
def start_quietly() -> None:
    """Starts Warp, once, without its banner and its remark that there is no GPU; later warnings stay."""
    wp.config.log_level = wp.LOG_ERROR
    with silent_stderr():
        wp.init()
    wp.config.log_level = wp.LOG_WARNING


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Keeps what native code writes to the error stream off the terminal. Exceptions pass."""
    try:
        kept = os.dup(2)
    except OSError:  # a program without a terminal (pythonw) has no such stream
        yield
        return
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nothing)
