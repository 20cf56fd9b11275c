"""Programs that run a network fast: one small interface over OpenVINO, ONNX Runtime and torch.

All give the same answers: landmarks to 1e-5 of the crop's side, the rest to 1e-4. They compute in float32: OpenVINO
would choose bfloat16 by itself where the processor has it, which moves landmarks by up to two pixels.
"""

from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import nn

from ..protocol.errors import SparkError
from .export import named_outputs

Crops = Float[np.ndarray, "B H W 3"]
Constants = Mapping[str, np.ndarray]
"""What a network takes besides crops, by name, in its order: the same in every call."""


@runtime_checkable
class Engine(Protocol):
    """A network that is ready to run."""

    name: str

    def __call__(self, crops: Crops) -> dict[str, np.ndarray]:
        """The network's outputs by name from crops (float32, sRGB in [0, 1])."""


class OpenVino:
    """On the processor; the fastest there. Compiled for each size of batch, a sixth faster than for any size."""

    name = "openvino"

    def __init__(self, path: Path, network: nn.Module, threads: int, constants: Constants) -> None:
        import openvino

        self.core = openvino.Core()
        self.model = self.core.read_model(str(path))
        self.settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            # OpenVINO 2026.4 crashes while it compiles the encoder's heads for one thread with them.
            "SNIPPETS_MODE": "DISABLE",
        }
        self.names = [output.any_name for output in self.model.outputs]
        self.requests: dict[tuple[int, ...], Any] = {}
        self.constants = constants

    def __call__(self, crops: Crops) -> dict[str, np.ndarray]:
        """See `Engine`. The first call with a size takes some tenths of a second more."""
        if crops.shape not in self.requests:
            shapes = {"crops": crops.shape} | {name: value.shape for name, value in self.constants.items()}
            self.model.reshape({name: list(shape) for name, shape in shapes.items()})
            compiled = self.core.compile_model(self.model, "CPU", self.settings)
            self.requests[crops.shape] = compiled.create_infer_request()
        results = self.requests[crops.shape].infer({"crops": crops, **self.constants})
        return {name: results[place] for place, name in enumerate(self.names)}


class OnnxRuntime:
    """On whatever its installed build can use (CUDA, DirectML, CoreML), else on the processor."""

    name = "onnxruntime"

    def __init__(self, path: Path, network: nn.Module, threads: int, constants: Constants) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = onnxruntime.get_available_providers()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.names, self.constants = [output.name for output in self.session.get_outputs()], constants

    def __call__(self, crops: Crops) -> dict[str, np.ndarray]:
        """See `Engine`."""
        return dict(zip(self.names, self.session.run(self.names, {"crops": crops, **self.constants}), strict=True))


class Torch:
    """The network itself, on the device where it lies; the only one that needs no extra."""

    name = "torch"

    def __init__(self, path: Path, network: nn.Module, threads: int, constants: Constants) -> None:
        self.network, self.device = network.eval(), next(network.parameters()).device
        self.constants = [torch.from_numpy(value).to(self.device) for value in constants.values()]

    def __call__(self, crops: Crops) -> dict[str, np.ndarray]:
        """See `Engine`. Uses torch's own number of threads."""
        with torch.inference_mode():
            outputs = named_outputs(self.network(torch.from_numpy(crops).to(self.device), *self.constants))
        return {name: value.cpu().numpy() for name, value in outputs.items()}


# The fastest first, one crop on a processor (docs/encoders.md).
ENGINES: dict[str, Callable[[Path, nn.Module, int, Constants], Engine]] = {
    "openvino": OpenVino,
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
}


def installed_engines() -> list[str]:
    """Names of those that can be used here, the fastest first."""
    return [name for name in ENGINES if find_spec(name) is not None]


NO_CONSTANTS: Constants = MappingProxyType({})


def open_engine(
    path: Path, network: nn.Module, name: str | None, threads: int, constants: Constants = NO_CONSTANTS
) -> Engine:
    """The engine of this name, or the fastest that is installed; `path` is what `export_onnx` wrote of `network`."""
    name = installed_engines()[0] if name is None else name
    if name not in installed_engines():
        raise SparkError(f"engine {name} is not installed; choose one of {', '.join(installed_engines())}")
    return ENGINES[name](path, network, threads, constants)
