"""Programs that run a network fast: one small interface over OpenVINO, ONNX Runtime and torch.

All give the same answers: landmarks to 1e-5 of the crop's side, the rest to 1e-4. They compute in float32: OpenVINO
would choose bfloat16 by itself where the processor has it, which moves landmarks by up to two pixels.
"""

import re
import tempfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import nn

from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report, Warning
from .export import NO_CONSTANTS, Tensors, export_onnx, named_outputs

THREADS = 1
"""The other cores decode, capture, and are Blender's."""
BLOCKED = "cpu:jit_avx512_1x1,cpu:jit_avx512"
"""Kernels of oneDNN for pictures in blocks of sixteen channels."""
CONVOLUTION = re.compile(r'(<layer [^>]*type="Convolution"[^>]*>)(.*?)(</layer>)', re.DOTALL)
"""In OpenVINO's own files; a tree of one of them takes longer to build than the network takes for fifty pictures."""

Network = Callable[[], nn.Module]
"""Builds a network. That takes a second, and it is only needed to write its file or to run it on torch."""


@runtime_checkable
class Engine(Protocol):
    """A network that is ready to run."""

    name: str

    def __call__(self, *batch: np.ndarray) -> dict[str, np.ndarray]:
        """The network's outputs by name. `batch` is what it takes, in its order, the first axis the batch's."""


def as_arrays(constants: Tensors) -> dict[str, np.ndarray]:
    """Tensors for those who take numpy's arrays."""
    return {name: value.detach().cpu().numpy() for name, value in constants.items()}


class OpenVino:
    """On the processor; the fastest there. Compiled for each size of batch, a sixth faster than for any size."""

    name = "openvino"

    def __init__(self, path: Path, network: Network, threads: int, constants: Tensors) -> None:
        import openvino

        self.core = openvino.Core()
        blocks = torch.backends.cpu.get_cpu_capability() == "AVX512"
        self.model = with_blocked_kernels(self.core, path) if blocks else self.core.read_model(str(path))
        self.settings = {
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "PERFORMANCE_HINT": "LATENCY",
            # A thread that is tied to a core cannot go to a free one, and tying it anew costs a twentieth of a call.
            "ENABLE_CPU_PINNING": False,
            # OpenVINO 2026.4 crashes while it compiles the encoder's heads for one thread with them.
            "SNIPPETS_MODE": "DISABLE",
        }
        self.inputs = [given.any_name for given in self.model.inputs]
        self.outputs = [output.any_name for output in self.model.outputs]
        self.requests: dict[tuple[int, ...], Any] = {}
        self.constants = list(as_arrays(constants).values())

    def __call__(self, *batch: np.ndarray) -> dict[str, np.ndarray]:
        """See `Engine`. The first call with a size takes some tenths of a second more."""
        request = self.requests.get(batch[0].shape) or self.compiled(batch)
        # Into and out of the request's own memory: handing over arrays by name takes 0.6 ms of a call.
        for place, value in enumerate(batch):
            request.get_input_tensor(place).data[...] = value
        request.infer(share_outputs=True)
        return {name: request.get_output_tensor(place).data.copy() for place, name in enumerate(self.outputs)}

    def compiled(self, batch: Sequence[np.ndarray]) -> Any:
        """The request for batches of this size; it holds the constants."""
        given = (*batch, *self.constants)
        self.model.reshape({name: list(value.shape) for name, value in zip(self.inputs, given, strict=True)})
        request = self.core.compile_model(self.model, "CPU", self.settings).create_infer_request()
        for place, value in enumerate(self.constants, len(batch)):
            request.get_input_tensor(place).data[...] = value
        self.requests[batch[0].shape] = request
        return request


def with_blocked_kernels(core: Any, path: Path) -> Any:
    """The model of an ONNX file, its convolutions of pictures asking for `BLOCKED`.

    OpenVINO prefers matrix products, which suit many channels; with the eight to 128 of the landmark network they take
    a fifth longer, and for a single row of many channels, as in the scores', a third less. The wish is an attribute of
    a layer that only OpenVINO's own files can carry, for which the model is written out and read again.
    """
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        own = Path(folder) / "model.xml"
        openvino.save_model(core.read_model(str(path)), str(own), compress_to_fp16=False)
        graph, weights = own.read_text("utf-8"), np.fromfile(own.with_suffix(".bin"), np.uint8)
    return core.read_model(CONVOLUTION.sub(with_wish, graph).encode(), openvino.Tensor(weights))


def with_wish(layer: re.Match[str]) -> str:
    """The text of a convolution, with the wish for `BLOCKED` when what it gives is a picture."""
    tag, inside, end = layer.groups()
    if re.findall(r"<dim>(.*?)</dim>", inside.partition("<output>")[2])[2] == "1":
        return layer[0]
    wish = f'<attribute name="primitives_priority" version="0" value="{BLOCKED}"/>'
    if "<rt_info>" in inside:
        return tag + inside.replace("<rt_info>", f"<rt_info>{wish}") + end
    return f"{tag}{inside}<rt_info>{wish}</rt_info>{end}"


class OnnxRuntime:
    """On whatever its installed build can use (CUDA, DirectML, CoreML), else on the processor."""

    name = "onnxruntime"

    def __init__(self, path: Path, network: Network, threads: int, constants: Tensors) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = onnxruntime.get_available_providers()
        self.session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self.inputs = [given.name for given in self.session.get_inputs()]
        self.outputs = [output.name for output in self.session.get_outputs()]
        self.constants = as_arrays(constants)

    def __call__(self, *batch: np.ndarray) -> dict[str, np.ndarray]:
        """See `Engine`."""
        given = dict(zip(self.inputs, (*batch, *self.constants.values()), strict=True))
        return dict(zip(self.outputs, self.session.run(self.outputs, given), strict=True))


class Torch:
    """The network itself, on the device where it lies; the only one that needs no extra."""

    name = "torch"

    def __init__(self, path: Path, network: Network, threads: int, constants: Tensors) -> None:
        self.network = network().eval()
        self.device = next(self.network.parameters()).device
        self.constants = [value.to(self.device) for value in constants.values()]

    def __call__(self, *batch: np.ndarray) -> dict[str, np.ndarray]:
        """See `Engine`. Uses torch's own number of threads."""
        with torch.inference_mode():
            given = (torch.from_numpy(value).to(self.device) for value in batch)
            outputs = named_outputs(self.network(*given, *self.constants))
        return {name: value.cpu().numpy() for name, value in outputs.items()}


# The fastest first, one crop on a processor (docs/encoders.md).
ENGINES: dict[str, Callable[[Path, Network, int, Tensors], Engine]] = {
    "openvino": OpenVino,
    "torch": Torch,
    "onnxruntime": OnnxRuntime,
}


def installed_engines() -> list[str]:
    """Names of those that can be used here, the fastest first."""
    return [name for name in ENGINES if find_spec(name) is not None]


def open_engine(
    path: Path, network: Network, name: str | None, threads: int, constants: Tensors = NO_CONSTANTS
) -> Engine:
    """The engine of this name, or the fastest that is installed; `path` is what `export_onnx` wrote of `network`."""
    name = installed_engines()[0] if name is None else name
    if name not in installed_engines():
        raise SparkError(f"engine {name} is not installed; choose one of {', '.join(installed_engines())}")
    return ENGINES[name](path, network, threads, constants)


def prepared_engine(
    path: Path,
    network: Network,
    batch: Tensors,
    report: Report,
    constants: Tensors = NO_CONSTANTS,
    name: str | None = None,
) -> Engine:
    """The same on one thread, from a file that is written when it is missing; `batch` and `constants` as there.

    Without what it takes to write it, torch.
    """
    name = installed_engines()[0] if name is None else name
    if name != "torch" and not path.exists():
        if find_spec("onnxscript") is None:
            sentence = "Tracking runs on torch, three times as slowly; install spark-backend[track] for a faster engine"
            report(Warning(sentence))
            name = "torch"
        else:
            report(Progress("Preparing the networks for this computer, once", 0.0))
            export_onnx(network(), path, batch, constants)
    return open_engine(path, network, name, THREADS, constants)
