"""The picture that shows how a fit goes: input, render and error of a few frames."""

import numpy as np
import torch
from jaxtyping import UInt8

from ...render.colour import bytes_from_linear
from .prediction import Batch, Prediction

FRAMES = 3
GAIN = 4.0
"""Of the error, to be seen."""


def preview_picture(prediction: Prediction, batch: Batch) -> UInt8[np.ndarray, "H W 3"]:
    """One row a frame: input, render, error (RGB)."""
    drawn, seen = prediction.picture.detach()[:FRAMES], batch.picture[:FRAMES]
    error = GAIN * (drawn - seen).abs() * prediction.weight[:FRAMES, ..., None].clamp(max=1)
    rows = torch.cat([seen.square(), drawn.square(), error.square()], 2)
    return bytes_from_linear(rows.flatten(0, 1)).cpu().numpy()
