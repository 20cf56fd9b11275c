"""A frame predicted from an earlier one by the tracked mesh alone: what SPARK's warped-picture scores compare.

A surface point that is seen now was somewhere in the earlier frame, and the mesh says where. If the tracking is right
at both times, the earlier picture has the same colour there. Needs no texture and no landmark, so it also judges
trackers that were fitted to landmarks.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Num
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..geometry.camera import clip_points, project
from ..render.rasterizer import Fragments, Rasterizer, interpolate
from ..render.warp import WarpRasterizer

SUPERSAMPLE = 4
"""Visibility is decided on a grid as many times finer."""
BEHIND = 0.01
"""Metres behind the nearest surface from which a point counts as hidden."""
HIDDEN = 0.1
"""Part of a pixel's samples that must be hidden for the pixel to be left out."""


@dataclass(frozen=True)
class Pose:
    """A mesh in one frame's crop."""

    vertices: Num[np.ndarray, "V 3"]
    """Camera axes, metres."""
    K: Float[np.ndarray, "3 3"]
    """Of the crop's picture."""


@dataclass(frozen=True)
class Warped:
    """The later picture as the earlier one predicts it."""

    picture: Float[np.ndarray, "S S 3"]
    """Zero where the mesh is not seen, and where it was hidden in the earlier frame."""
    hidden: Bool[np.ndarray, "S S"]
    """Seen now, but hidden before or outside the earlier picture: not to be compared."""
    covered: Bool[np.ndarray, "S S"]
    """Where the mesh is seen now."""


def warp(
    before: Pose,
    after: Pose,
    faces: Int[np.ndarray, "F 3"],
    picture: Float[np.ndarray, "S S 3"],
    rasterizer: Rasterizer | None = None,
) -> Warped:
    """Samples the earlier `picture` (nearest pixel) where the points that are seen `after` were `before`."""
    rasterizer, size = rasterizer or WarpRasterizer(), picture.shape[0]
    triangles = torch.as_tensor(faces).long()
    now = draw(after, triangles, size, 1, rasterizer)
    column, row, _ = moved(before, triangles, now, 1)
    covered, inside = now.mask[0], (column >= 0) & (column < size) & (row >= 0) & (row < size)
    hidden = covered & (~inside | was_hidden(before, after, triangles, size, rasterizer))
    column, row = column.clamp(0, size - 1), row.clamp(0, size - 1)
    sampled = torch.as_tensor(picture)[row, column] * (covered & ~hidden)[..., None]
    return Warped(sampled.numpy(), hidden.numpy(), covered.numpy())


def was_hidden(
    before: Pose, after: Pose, faces: Int[Tensor, "F 3"], size: int, rasterizer: Rasterizer
) -> Bool[Tensor, "S S"]:
    """Whether what is seen in each pixel after was behind something before."""
    now, earlier = (draw(pose, faces, size, SUPERSAMPLE, rasterizer) for pose in (after, before))
    column, row, depth = moved(before, faces, now, SUPERSAMPLE)
    nearest = interpolate(torch.as_tensor(before.vertices).float()[None, :, 2:], faces, earlier)[0, ..., 0]
    last = size * SUPERSAMPLE - 1
    nearest = torch.where(earlier.mask[0], nearest, torch.inf)[row.clamp(0, last), column.clamp(0, last)]
    hidden = now.mask[0] & (depth > nearest + BEHIND)
    return avg_pool2d(hidden.float()[None], SUPERSAMPLE)[0] > HIDDEN


def draw(pose: Pose, faces: Int[Tensor, "F 3"], size: int, scale: int, rasterizer: Rasterizer) -> Fragments:
    """What is seen in a crop of `size` pixels a side, drawn `scale` times as large."""
    points, K = torch.as_tensor(pose.vertices).float(), enlarged(pose.K, scale)
    fine = (size * scale, size * scale)
    return rasterizer.rasterize(clip_points(points, K, fine)[None], faces, fine)


def enlarged(K: Float[np.ndarray, "3 3"], scale: int) -> Float[Tensor, "3 3"]:
    """Intrinsics for the same picture, drawn larger."""
    return torch.as_tensor(np.diag([scale, scale, 1.0]) @ K).float()


def moved(
    pose: Pose, faces: Int[Tensor, "F 3"], seen: Fragments, scale: int
) -> tuple[Int[Tensor, "H W"], Int[Tensor, "H W"], Float[Tensor, "H W"]]:
    """Column, row and depth in metres that the point seen in each pixel has in `pose`, perhaps outside the picture."""
    there = interpolate(torch.as_tensor(pose.vertices).float()[None], faces, seen)[0]
    height, width = there.shape[:2]
    pixels = project(there.reshape(-1, 3), enlarged(pose.K, scale)).nan_to_num().reshape(height, width, 2)
    column, row = pixels.floor().long().unbind(-1)
    return column, row, there[..., 2]
