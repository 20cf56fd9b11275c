"""How different two faces look to MediaPipe's landmark network: a perceptual distance for fitting and training.

As LPIPS (Zhang et al., 2018) without its learned weights: activations of three depths, at each place divided by their
length over the channels, so that brightness and contrast count little and the kind of structure counts.
"""

from collections.abc import Mapping

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..models.task_bundle import LANDMARKS, bundle_member
from .flatbuffer import read_graph
from .graph import GraphNetwork
from .mediapipe import feature_tensors

DEPTHS = ("stride_4", "stride_8", "stride_16")
"""64 x 64 x 32 (edges, lashes), 32 x 32 x 64 (lids, lips), 16 x 16 x 128 (parts of the face)."""
LEAST_LENGTH = 1e-6


class PerceptualFeatures(nn.Module):
    """The landmark network up to the deepest of `DEPTHS`; its weights stay as published and take no gradient."""

    def __init__(self, bundle: bytes) -> None:
        super().__init__()
        graph = read_graph(bundle_member(bundle, LANDMARKS))
        maps = feature_tensors(graph)
        self.layers = GraphNetwork(graph, {name: maps[name] for name in DEPTHS}).requires_grad_(False)

    def forward(self, crops: Float[Tensor, "B 256 256 3"]) -> dict[str, Float[Tensor, "B _ _ _"]]:
        """Feature maps by the names of `DEPTHS` from crops in sRGB, [0, 1]; each place has length 1 over channels."""
        return {name: F.normalize(value, dim=-1, eps=LEAST_LENGTH) for name, value in self.layers(crops).items()}


def perceptual_distance(
    one: Mapping[str, Float[Tensor, "B _ _ _"]], other: Mapping[str, Float[Tensor, "B _ _ _"]]
) -> Float[Tensor, "B"]:
    """Mean over depths and places of the squared distance: 0 for equal pictures, 2 for features at right angles."""
    parts = [(one[name] - other[name]).square().sum(dim=-1).mean(dim=(1, 2)) for name in one]
    return sum(parts) / len(parts)
