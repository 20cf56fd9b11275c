"""Linear light to sRGB and back (IEC 61966-2-1). Inside the backend pictures are linear; files and screens are sRGB."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor


def srgb_from_linear(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Linear in [0, 1] to sRGB in [0, 1]; 0.18 becomes 0.461. Clamps."""
    linear = linear.clamp(0, 1)
    # The power's slope is infinite at 0, where it is not used.
    curved = 1.055 * linear.clamp(min=0.0031308).pow(1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)


def linear_from_srgb(srgb: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """sRGB in [0, 1] to linear in [0, 1]; 0.5 becomes 0.214."""
    curved = ((srgb.clamp(min=0.04045) + 0.055) / 1.055).pow(2.4)
    return torch.where(srgb <= 0.04045, srgb / 12.92, curved)


def bytes_from_linear(linear: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Linear in [0, 1] to 8-bit sRGB."""
    return (srgb_from_linear(linear) * 255 + 0.5).to(torch.uint8)


def linear_from_bytes(srgb: UInt8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """8-bit sRGB to linear in [0, 1], float32."""
    return linear_from_srgb(srgb.to(torch.float32) / 255)
