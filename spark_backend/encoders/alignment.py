"""Landmarks in a crop, brought into the frame of a known head: what is left is expression.

A weak-perspective camera is assumed: landmark = scale * (rotation @ point)[:2] + shift. The network's z is not used, it
is no measurement. Only sums, products and one inverse of a 3 x 3 matrix by its adjugate, so that it exports to ONNX.
"""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

# Points that expressions move least: forehead, bridge and sides of the nose, outer eye corners, temples, cheek bones.
STEADY = (
    *(10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 33, 133, 362, 263, 127, 356, 234, 454, 93, 323, 116, 345, 123, 352),
    *(103, 332, 67, 297, 54, 284, 21, 251, 162, 389, 50, 280, 205, 425, 98, 327, 2, 94, 19),
)


class Aligned(NamedTuple):
    """Where a head is in a crop, and how its landmarks differ from its own at rest."""

    moved: Float[Tensor, "B 478 3"]
    """Metres, avatar axes: displacements, as far as they are seen (none along the ray)."""
    rotation: Float[Tensor, "B 3 3"]
    """Avatar axes to the crop's (x right, y down, z away)."""
    middle: Float[Tensor, "B 2"]
    """Crop pixels; where the middle of the steady points is."""
    scale: Float[Tensor, "B"]
    """Crop pixels per metre."""


def align(landmarks: Float[Tensor, "B 478 _"], rest: Float[Tensor, "*#B 478 3"]) -> Aligned:
    """The pose that takes the steady points of `rest` (metres, avatar axes) to those of the landmarks."""
    flat = landmarks[..., :2]
    seen, known = flat[:, list(STEADY)], rest[..., list(STEADY), :]
    middle, origin = seen.mean(1), known.mean(-2)
    offset = known - origin[..., None, :]
    rows = (seen - middle[:, None]).mT @ offset @ inverse(offset.mT @ offset)  # B 2 3
    scale, rotation = orthonormal(rows)
    placed = (rest - origin[..., None, :]) @ rotation[:, :2].mT
    left = (flat - middle[:, None]) / scale[:, None, None] - placed
    return Aligned(left @ rotation[:, :2], rotation, middle, scale)


def orthonormal(rows: Float[Tensor, "B 2 3"]) -> tuple[Float[Tensor, "B"], Float[Tensor, "B 3 3"]]:
    """The scaled rotation whose first two rows are nearest to these: the polar decomposition of a 2 x 3 matrix.

    With S = (rows rows^T)^(1/2), in closed form for 2 x 2, the rows are S^-1 rows and the scale is half of S's trace.
    """
    gram = rows @ rows.mT
    a, b, d = gram[:, 0, 0], gram[:, 0, 1], gram[:, 1, 1]
    root = (a * d - b * b).clamp(min=1e-12).sqrt()
    trace = (a + d + 2 * root).sqrt()
    # S = (gram + root I) / trace; its determinant is root.
    s00, s01, s11 = (a + root) / trace, b / trace, (d + root) / trace
    inverse_root = torch.stack([torch.stack([s11, -s01], -1), torch.stack([-s01, s00], -1)], -2) / root[:, None, None]
    x, y = (inverse_root @ rows).unbind(1)
    return trace / 2, torch.stack([x, y, torch.linalg.cross(x, y)], 1)


def inverse(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """By the adjugate."""
    a, b, c = matrix.unbind(-2)
    columns = torch.stack([torch.linalg.cross(b, c), torch.linalg.cross(c, a), torch.linalg.cross(a, b)], -1)
    return columns / (a * columns[..., 0]).sum(-1)[..., None, None]
