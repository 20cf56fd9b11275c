"""MediaPipe's face landmark network and its expression scores in torch, rebuilt from `face_landmarker.task`.

The landmark network (1.2 million weights) looks at a crop of 256 x 256 pixels and gives 478 points and a presence. Its
own points are in crop pixels with (0, 0) at the first pixel's corner, which is our convention: MediaPipe reads them as
if it were the first pixel's centre, and that is the half pixel which `video.networks.to_our_pixels` takes out. The
scores come from a second, small network (an MLP-Mixer), which sees 146 of the points and no picture.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from ..models.task_bundle import LANDMARKS, SCORES, bundle_member
from ..protocol.names import ARKIT_52
from .flatbuffer import Graph, read_graph
from .graph import GraphNetwork

CROP_SIZE = 256
LANDMARK_COUNT = 478
STRIDES = (2, 4, 8, 16, 32, 64, 128)
FEATURES = tuple(f"stride_{stride}" for stride in STRIDES)
"""Names of the feature maps, from 128 x 128 x 16 to 2 x 2 x 128: the last one of each size."""

# What the second network gives, in its order; `tongueOut` is not among them (face_blendshapes_graph.cc of MediaPipe).
MEDIAPIPE_SCORES = ("_neutral", *sorted(set(ARKIT_52) - {"tongueOut"}))
# The landmarks that it sees, in its order (same source).
SCORE_LANDMARKS = (
    *(0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78),
    *(80, 81, 82, 84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152),
    *(153, 154, 155, 157, 158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246),
    *(249, 251, 263, 267, 269, 270, 276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312),
    *(314, 317, 318, 321, 323, 324, 332, 334, 336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381),
    *(382, 384, 385, 386, 387, 388, 389, 390, 397, 398, 400, 402, 405, 409, 415, 454, 466, *range(468, 478)),
)


class Reading(NamedTuple):
    """What the landmark network says about a batch of crops; a tuple, which torch can export."""

    landmarks: Float[Tensor, "B 478 3"]
    """Crop pixels, (0, 0) at the first pixel's corner; z in the same unit, smaller is nearer."""
    presence: Float[Tensor, "B"]
    """In [0, 1]: whether there is a face, MediaPipe asks for 0.5."""
    features: dict[str, Float[Tensor, "B _ _ _"]]
    """The asked-for feature maps, B H W C."""


class LandmarkNetwork(nn.Module):
    """Crops to landmarks, presence and the feature maps that were asked for; all weights can be trained."""

    def __init__(self, graph: Graph, features: Sequence[str] = ()) -> None:
        super().__init__()
        landmarks, presence = graph.outputs[:2]
        maps = feature_tensors(graph)
        self.layers = GraphNetwork(
            graph, {"landmarks": landmarks, "presence": presence, **{name: maps[name] for name in features}}
        )

    def forward(self, crops: Float[Tensor, "B 256 256 3"]) -> Reading:
        """Crops are sRGB in [0, 1] (see `crops_from_bytes`; from linear light by `render.colour.srgb_from_linear`)."""
        out = self.layers(crops)
        landmarks = out.pop("landmarks").reshape(-1, LANDMARK_COUNT, 3)
        return Reading(landmarks, out.pop("presence").flatten().sigmoid(), out)


class ScoreNetwork(nn.Module):
    """Landmarks to expression scores."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.layers = GraphNetwork(graph, {"scores": graph.outputs[0]})
        self.order = [MEDIAPIPE_SCORES.index(name) if name in MEDIAPIPE_SCORES else -1 for name in ARKIT_52]

    def forward(self, landmarks: Float[Tensor, "B 478 _"]) -> Float[Tensor, "B 52"]:
        """In [0, 1], in the order of `ARKIT_52`; `tongueOut` is 0.

        Landmarks are those of the upright picture, in pixels of any size at any place; only x and y are used.
        """
        scores = self.layers(landmarks[:, list(SCORE_LANDMARKS), :2])["scores"]
        return torch.nn.functional.pad(scores, (0, 1))[:, self.order]


def load_landmark_network(bundle: bytes, features: Sequence[str] = ()) -> LandmarkNetwork:
    """The network as published, from the content of `face_landmarker.task`; `features` are some of `FEATURES`."""
    return LandmarkNetwork(read_graph(bundle_member(bundle, LANDMARKS)), features).eval()


def load_score_network(bundle: bytes) -> ScoreNetwork:
    """The network as published, from the content of `face_landmarker.task`."""
    return ScoreNetwork(read_graph(bundle_member(bundle, SCORES))).eval()


def feature_tensors(graph: Graph) -> dict[str, int]:
    """The tensor of each name of `FEATURES`: the last activation of its size."""
    by_size = {graph.shapes[node.output][1]: node.output for node in graph.nodes if node.kind == "PRELU"}
    return {name: by_size[CROP_SIZE // stride] for name, stride in zip(FEATURES, STRIDES, strict=True)}


class FromBytes(nn.Module):
    """A network on crops as bytes, so that an engine need not be handed four times as many."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: UInt8[Tensor, "B 256 256 3"]) -> tuple:
        """Crops are sRGB."""
        return self.network(crops.float() / 255)


def crop_examples() -> dict[str, UInt8[Tensor, "2 256 256 3"]]:
    """What `FromBytes` takes, for `export_onnx`."""
    return {"crops": torch.zeros(2, CROP_SIZE, CROP_SIZE, 3, dtype=torch.uint8)}


def crops_from_bytes(crops: UInt8[np.ndarray, "B 256 256 3"]) -> Float[Tensor, "B 256 256 3"]:
    """sRGB bytes to what the landmark network takes: sRGB in [0, 1], not linear."""
    return torch.from_numpy(crops).to(torch.float32) / 255
