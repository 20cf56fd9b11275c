"""The exported network gives the same answers in every engine, whatever its weights, in batches of any size."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from astronaut import astronaut, bundle, followed

from spark_backend.encoders import engines, export
from spark_backend.encoders.crop import crop_around, cut_crop
from spark_backend.encoders.engines import ENGINES, Engine, installed_engines, open_engine
from spark_backend.encoders.export import export_onnx
from spark_backend.encoders.mediapipe import crops_from_bytes, load_landmark_network
from spark_backend.protocol.errors import SparkError

EXAMPLE = {"crops": torch.zeros(2, 256, 256, 3)}


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    """The network with weights of its own, so that the published ones cannot pass for them."""
    network = load_landmark_network(bundle(), ("stride_16",))
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(1 + 0.05 * torch.randn(weight.shape, generator=generator))
    return network


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    if importlib.util.find_spec("onnxscript") is None:
        pytest.skip("onnxscript is not installed (extra track)")
    path = tmp_path_factory.mktemp("engines") / "tracker.onnx"
    export_onnx(network, path, EXAMPLE)
    return path


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """The astronaut's face, mirrored, and noise."""
    crop = crop_around(followed().landmarks)
    face = crops_from_bytes(cut_crop(astronaut(), crop, 256)[None])[0].numpy()
    noise = np.random.default_rng(0).random(face.shape, np.float32)
    return np.stack([face, face[:, ::-1], noise])


@pytest.mark.parametrize("name", ENGINES)
def test_same_answers_as_torch(name, exported, network, crops):
    if name not in installed_engines():
        pytest.skip(f"{name} is not installed")
    engine = open_engine(exported, lambda: network, name, threads=1)
    assert isinstance(engine, Engine)
    assert engine.name == name
    with torch.inference_mode():
        expected = network(torch.from_numpy(crops))
        published = load_landmark_network(bundle())(torch.from_numpy(crops))
    assert (expected.landmarks - published.landmarks).abs().max() > 1
    for count in (3, 1):
        outputs = engine(crops[:count])
        assert set(outputs) == {"landmarks", "presence", "stride_16"}
        landmarks = outputs["landmarks"] / 256
        np.testing.assert_allclose(landmarks, expected.landmarks[:count].numpy() / 256, atol=1e-5)
        np.testing.assert_allclose(outputs["presence"], expected.presence[:count].numpy(), atol=1e-4)
        np.testing.assert_allclose(outputs["stride_16"], expected.features["stride_16"][:count].numpy(), atol=1e-4)


@pytest.mark.parametrize("name", ENGINES)
def test_answers_stay_when_the_engine_is_asked_again(name, exported, network, crops):
    if name not in installed_engines():
        pytest.skip(f"{name} is not installed")
    engine = open_engine(exported, lambda: network, name, threads=1)
    first = engine(crops[:1])["landmarks"]
    kept = first.copy()
    engine(crops[2:])
    np.testing.assert_array_equal(first, kept)


def test_the_fastest_installed_is_the_default(monkeypatch, exported, network):
    monkeypatch.setattr(engines, "find_spec", lambda name: name)
    assert installed_engines() == ["openvino", "torch", "onnxruntime"]
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name == "openvino" else name)
    assert installed_engines() == ["torch", "onnxruntime"]
    assert open_engine(exported, lambda: network, None, 1).name == "torch"


@pytest.mark.parametrize("name", ["openvino", "abacus"])
def test_an_engine_that_is_not_there_is_named(monkeypatch, tmp_path, network, name):
    monkeypatch.setattr(engines, "find_spec", lambda name: name if name == "torch" else None)
    with pytest.raises(SparkError, match=rf"{name} is not installed; choose one of torch"):
        open_engine(tmp_path / "tracker.onnx", lambda: network, name, 1)


def test_export_says_what_is_missing(monkeypatch, tmp_path, network):
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(SparkError, match=r"spark-backend\[track\]"):
        export_onnx(network, tmp_path / "tracker.onnx", EXAMPLE)
    assert not list(tmp_path.iterdir())


EXPORT = """
import sys
import warnings
from pathlib import Path

from typing import NamedTuple

import torch

from spark_backend.encoders import export


class Sum(NamedTuple):
    total: torch.Tensor


class Adds(torch.nn.Module):
    def forward(self, first, second):
        return Sum(first + second)


export.export_onnx(Adds(), Path(sys.argv[1]), {"first": torch.zeros(2, 3), "second": torch.zeros(2, 3)})
with export.without_known_remarks():
    warnings.warn("of another kind")
    export.logging.getLogger(export.KNOWN_LOGGER).warning("another line")
"""


def test_a_fresh_export_is_silent_but_what_is_not_known_is_shown(tmp_path):
    """In a process of its own: torch speaks once, and pytest would catch it."""
    if importlib.util.find_spec("onnxscript") is None:
        pytest.skip("onnxscript is not installed (extra track)")
    program = [sys.executable, "-c", EXPORT, str(tmp_path / "tracker.onnx")]
    done = subprocess.run(program, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 2, done.stderr
    assert "of another kind" in lines[0]
    assert "another line" in lines[1]
    assert (tmp_path / "tracker.onnx").stat().st_size > 0


def test_the_exported_graph_has_no_transpositions_inside(exported):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed (extra track)")
    kinds = [node.op_type for node in onnx.load(str(exported)).graph.node]
    assert kinds.count("Conv") == 105
    assert kinds.count("Transpose") <= 5


def test_convolutions_of_pictures_and_no_others_wish_for_blocks(exported):
    """A row of many channels, as the scores have, is quicker as a product of matrices."""
    openvino = pytest.importorskip("openvino", reason="openvino is not installed (extra track)")
    operations = engines.with_blocked_kernels(openvino.Core(), exported).get_ops()
    convolutions = [operation for operation in operations if operation.get_type_name() == "Convolution"]
    pictures = [one.get_output_partial_shape(0)[2] != 1 for one in convolutions]
    assert [any("primitives" in key.lower() for key in one.get_rt_info()) for one in convolutions] == pictures
    assert 60 < sum(pictures) < len(pictures)


def test_pictures_are_convolved_in_blocks_where_the_processor_can(exported, network, crops):
    """OpenVINO heeds the wish for kernels that is written into its own file."""
    openvino = pytest.importorskip("openvino", reason="openvino is not installed (extra track)")
    engine = open_engine(exported, lambda: network, "openvino", threads=1)
    engine(crops[:1])
    (request,) = engine.requests.values()
    operations = request.get_compiled_model().get_runtime_model().get_ops()
    kinds = [str(operation.get_rt_info()["primitiveType"].astype(str)) for operation in operations]
    if not any("avx512" in kind for kind in kinds):
        pytest.skip(f"no AVX-512 here, so OpenVINO {openvino.__version__} has no such kernels")
    assert sum("jit_avx512_1x1" in kind for kind in kinds) > 60
