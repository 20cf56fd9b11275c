"""What one frame shows of the head: the colour of each texel in it, and how far that is to be trusted."""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch.nn.functional import grid_sample

from ..geometry.camera import clip_points
from ..protocol.avatar import Avatar
from ..render.colour import linear_from_bytes
from ..render.rasterizer import interpolate
from ..render.warp import WarpRasterizer
from .texels import TexelMap, surface_normals

BEHIND = 0.0025
"""Metres that a texel may lie behind the surface drawn at its pixel and still be seen."""
JUMP = 0.006
"""Difference in depth (metres) between neighbouring pixels that is an edge, where pixels are half a millimetre."""
SLANTED = 0.12
"""Cosine between normal and line of sight below which a texel is not looked at."""
FAR_AWAY = 1e3
OUTSIDE, SKIN, ORGAN = 0, 1, 2


@dataclass(frozen=True)
class Frame:
    """A picture and the mesh in it."""

    image: UInt8[np.ndarray, "H W 3"]
    vertices: Float[np.ndarray, "V 3"]
    """Camera axes, metres."""
    K: Float[np.ndarray, "3 3"]
    clip: int
    """Frames of one clip share their light."""
    rotation: Float[np.ndarray, "3 3"]
    """The skull's: avatar axes to camera axes."""


@dataclass(frozen=True)
class Sighting:
    """Each of `N` texels in a frame."""

    colour: Float[np.ndarray, "N 3"]
    """Linear, as in the picture; zero where not seen."""
    weight: Float[np.ndarray, "N"]
    """0 not seen, about 1 seen from the front, sharply and far from any edge."""
    normals: Float[np.ndarray, "V 3"]
    """Of the vertices, camera axes."""


@dataclass(frozen=True)
class Drawing:
    """The mesh drawn over a part of a frame."""

    image: Float[np.ndarray, "h w 3"]
    """Linear colours."""
    K: Float[np.ndarray, "3 3"]
    depth: Float[np.ndarray, "h w"]
    """Metres; infinite outside."""
    edge_distance: Float[np.ndarray, "h w"]
    """Pixels to the nearest silhouette or jump in depth."""
    organ_distance: Float[np.ndarray, "h w"]
    """Pixels to the nearest pixel of an eye or of the mouth's inside."""
    eye: Bool[np.ndarray, "h w"]
    """Where an eyeball is seen."""


def draw_over(avatar: Avatar, frame: Frame, texels_per_metre: float) -> Drawing:
    """Draws depth and kinds of surface over the part of the picture that holds the head.

    A picture finer than the texels is made coarser first, so that sampling it loses nothing.
    """
    points = torch.as_tensor(frame.vertices).float()
    pixels_per_metre = frame.K[0, 0] / float(points[:, 2].median())
    shrink = min(1.0, 1.25 * texels_per_metre / pixels_per_metre)
    left, top, right, bottom = window(frame)
    part = frame.image[top:bottom, left:right]
    size = (max(8, round((right - left) * shrink)), max(8, round((bottom - top) * shrink)))
    scale = np.diag([size[0] / (right - left), size[1] / (bottom - top), 1.0])
    K = scale @ (frame.K - np.array([[0, 0, left], [0, 0, top], [0, 0, 0]]))
    linear = linear_from_bytes(torch.from_numpy(np.ascontiguousarray(part))).numpy()
    if shrink < 1:
        linear = cv2.resize(linear, size, interpolation=cv2.INTER_AREA)
    opaque = torch.as_tensor(np.flatnonzero(avatar.face_solid))
    faces = torch.as_tensor(avatar.faces).long()[opaque]
    fragments = WarpRasterizer().rasterize(clip_points(points, torch.as_tensor(K).float(), size)[None], faces, size)
    depth = interpolate(points[None, :, 2:], faces, fragments)[0, ..., 0].numpy()
    kind_of_face = torch.as_tensor(face_kinds(avatar))[opaque]
    drawn = fragments.face[0].long()
    kind = torch.where(drawn >= 0, kind_of_face[drawn.clamp(min=0)], OUTSIDE).numpy()
    eyes = torch.as_tensor(avatar.face_material == material_index(avatar, "eye"))[opaque]
    jump = JUMP / 0.0005 / (pixels_per_metre * shrink)
    return Drawing(
        image=linear,
        K=K,
        depth=np.where(kind == OUTSIDE, np.inf, depth).astype(np.float32),
        edge_distance=distance_to(depth_edges(depth, kind == OUTSIDE, jump)),
        organ_distance=distance_to(kind == ORGAN),
        eye=((drawn >= 0) & eyes[drawn.clamp(min=0)]).numpy(),
    )


def window(frame: Frame) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels around the mesh, with a margin, inside the picture."""
    height, width = frame.image.shape[:2]
    homogeneous = frame.vertices @ frame.K.T
    pixels = homogeneous[:, :2] / homogeneous[:, 2:].clip(1e-6)
    low, high = pixels.min(0) - 8, pixels.max(0) + 8
    left, top = (int(x) for x in np.clip(np.floor(low), 0, (width - 8, height - 8)))
    right, bottom = (int(x) for x in np.clip(np.ceil(high), (left + 8, top + 8), (width, height)))
    return left, top, right, bottom


def material_index(avatar: Avatar, name: str) -> int:
    """Index of a material; -1 when the avatar has none of that name."""
    return avatar.material_names.index(name) if name in avatar.material_names else -1


def face_kinds(avatar: Avatar) -> Int[np.ndarray, "F"]:
    """SKIN for the outer skin, ORGAN for eyes, teeth, tongue and the mouth's inside."""
    inside = avatar.regions["mouth_interior"][avatar.faces].sum(1) >= 2
    skin = (avatar.face_material == material_index(avatar, "skin")) & ~inside
    return np.where(skin, SKIN, ORGAN)


def depth_edges(
    depth: Float[np.ndarray, "h w"], outside: Bool[np.ndarray, "h w"], jump: float
) -> Bool[np.ndarray, "h w"]:
    """Pixels outside, and those on the far and near side of a jump in depth (metres)."""
    edges = outside.copy()
    for axis in (0, 1):
        step = np.abs(np.diff(depth, axis=axis)) > jump
        before, after = [slice(None)] * 2, [slice(None)] * 2
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        edges[tuple(before)] |= step
        edges[tuple(after)] |= step
    return edges


def distance_to(mask: Bool[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Pixels to the nearest one of the mask; large when there is none."""
    if not mask.any():
        return np.full(mask.shape, 1e4, np.float32)
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 3)


def sight(
    avatar: Avatar, texels: TexelMap, frame: Frame, drawing: Drawing, margin: float, organ_margin: float
) -> Sighting:
    """Looks every texel up in a frame.

    `margin` is how far (metres) from a silhouette or a jump in depth a texel must be to be fully trusted, as tracking
    errs by about so much; `organ_margin` the same for the borders of eyes and mouth.
    """
    normals = surface_normals(frame.vertices, avatar.faces)
    towards = (normals * frame.vertices).sum(1) < 0
    front = np.flatnonzero(towards[avatar.faces].any(1)[texels.face])
    part = texels.chosen(front)
    points, facing = part.at(frame.vertices, avatar.faces), part.at(normals, avatar.faces)
    cosine = -(facing * points).sum(1) / np.linalg.norm(points, axis=1) / np.linalg.norm(facing, axis=1).clip(1e-6)
    sampled, seen = look_through(drawing, points, BEHIND / cosine.clip(0.2))
    per_pixel = points[:, 2] / drawing.K[0, 0]
    good = ((cosine - SLANTED) / (1 - SLANTED)).clip(0) ** 1.5 * seen
    good = good * soft(sampled[:, 3] * per_pixel, margin) * soft(sampled[:, 4] * per_pixel, organ_margin)
    weight, colour = np.zeros(len(texels.face), np.float32), np.zeros((len(texels.face), 3), np.float32)
    weight[front] = good
    colour[front] = np.where(good[:, None] > 0, sampled[:, :3], 0)
    return Sighting(colour, weight, normals)


def look_through(
    drawing: Drawing, points: Float[np.ndarray, "N 3"], slack: Float[np.ndarray, "N"] | float
) -> tuple[Float[np.ndarray, "N 5"], Bool[np.ndarray, "N"]]:
    """Colour, distance to the nearest edge and organ (pixels) where points in camera axes are seen, and whether they
    are: inside the picture and at most `slack` metres behind what is drawn there."""
    homogeneous = points @ drawing.K.T.astype(np.float32)
    pixels = homogeneous[:, :2] / homogeneous[:, 2:].clip(1e-6)
    distances = np.stack([drawing.edge_distance, drawing.organ_distance], 2)
    sampled = look_up(np.concatenate([drawing.image, distances], 2), pixels)
    nearest = look_up(np.where(np.isfinite(drawing.depth), drawing.depth, FAR_AWAY)[..., None], pixels, "nearest")[:, 0]
    height, width = drawing.depth.shape
    inside = (pixels > 1).all(1) & (pixels < (width - 1, height - 1)).all(1)
    return sampled, inside & (nearest < FAR_AWAY) & (points[:, 2] < nearest + slack)


def soft(distance: Float[np.ndarray, "N"], margin: float) -> Float[np.ndarray, "N"]:
    """0 within a quarter of the margin, 1 beyond it."""
    t = ((distance - 0.25 * margin) / (0.75 * margin)).clip(0, 1)
    return t * t * (3 - 2 * t)


def look_up(
    maps: Float[np.ndarray, "h w C"], pixels: Float[np.ndarray, "N 2"], mode: str = "bilinear"
) -> Float[np.ndarray, "N C"]:
    """The maps at places in pixels, (0.5, 0.5) being the centre of the first."""
    height, width = maps.shape[:2]
    grid = torch.as_tensor(np.nan_to_num(pixels) * (2 / width, 2 / height) - 1).float()
    stack = torch.as_tensor(maps).float().permute(2, 0, 1)[None]
    sampled = grid_sample(stack, grid[None, None], mode=mode, padding_mode="border", align_corners=False)
    return sampled[0, :, 0].T.numpy()
