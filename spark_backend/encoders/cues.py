"""What MediaPipe's landmark network sees of a face, beyond the landmarks: the cues that our own heads read.

The network's weights stay as published. Its deepest maps say what the whole face does; the map at stride 16, looked up
at landmarks, says what the skin looks like there: teeth or tongue between the lips, a furrow between the brows.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .mediapipe import CROP_SIZE, LANDMARK_COUNT, load_landmark_network

PLACES = (
    *(13, 14, 0, 17, 61, 291, 81, 311, 178, 402),  # lips
    *(159, 145, 386, 374, 468, 473),  # lids and irises
    *(105, 334, 107, 336, 9),  # brows and between them
    *(205, 425, 50, 280),  # cheeks
    *(98, 327, 152),  # beside the nose, chin
)
"""Landmarks at which the map of stride 16 is looked up."""


class Cues(NamedTuple):
    """A batch of crops as the heads see them; a tuple, which torch can export."""

    landmarks: Float[Tensor, "B 478 3"]
    """Crop pixels, (0, 0) at the first pixel's corner; z in the same unit, smaller is nearer."""
    presence: Float[Tensor, "B"]
    """In [0, 1]: whether there is a face."""
    deep: Float[Tensor, "B 2560"]
    """The maps of strides 64 (4 x 4 x 128) and 128 (2 x 2 x 128)."""
    local: Float[Tensor, "B 3584"]
    """128 channels of stride 16 at each of `PLACES`."""


def cue_examples() -> dict[str, Tensor]:
    """Cues of two crops without a face, for `export_onnx`."""
    sizes = {"landmarks": (LANDMARK_COUNT, 3), "presence": (), "deep": (2560,), "local": (3584,)}
    return {name: torch.zeros(2, *size) for name, size in sizes.items()}


class CueNetwork(nn.Module):
    """Crops to cues."""

    def __init__(self, bundle: bytes) -> None:
        """From the content of `face_landmarker.task`."""
        super().__init__()
        self.network = load_landmark_network(bundle, ("stride_16", "stride_64", "stride_128")).requires_grad_(False)

    def forward(self, crops: Float[Tensor, "B 256 256 3"]) -> Cues:
        """Crops are sRGB in [0, 1]."""
        reading = self.network(crops)
        places = reading.landmarks[:, list(PLACES), None, :2] * (2 / CROP_SIZE) - 1
        near = reading.features["stride_16"].permute(0, 3, 1, 2)
        local = F.grid_sample(near, places, mode="bilinear", padding_mode="border", align_corners=False)
        deep = [reading.features[name].flatten(1) for name in ("stride_64", "stride_128")]
        return Cues(
            reading.landmarks,
            reading.presence,
            torch.cat(deep, 1),
            local.permute(0, 2, 1, 3).flatten(1),
        )
