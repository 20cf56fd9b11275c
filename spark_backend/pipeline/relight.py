"""The light of a clip, from its frames and a textured head, so that the head drawn over the clip sits in its light."""

import math
from pathlib import Path

import cv2
import numpy as np
import torch

from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from ..protocol.take import Take
from ..render.colour import linear_from_bytes
from ..render.shading import Light, spherical_harmonics
from ..video.decode import read_selected
from .look import read_picture
from .moments import telling_frames
from .views import intrinsics_at, posed_frames, project_points, take_frames

FACING = 0.35
"""Least cosine between a vertex' normal and the view for it to count."""
ROUNDS = 5
RIDGE = 0.01
DIRECTIONAL = math.pi * 2 / 3 * 0.48860251
"""First-degree coefficient of a directional light of strength 1, times its direction."""


def clip_light(avatar: Avatar, take: Take, video: Path, frames: int = 6) -> Light | None:
    """One distant light, to degree 2, for the whole clip, from some of its frames.

    None when the avatar has no albedo or nothing of the face is seen.
    """
    if "albedo" not in avatar.maps or not take.valid.any():
        return None
    chosen = telling_frames(take, frames)
    albedo = vertex_albedo(avatar)
    face = avatar.regions["face"] & ~avatar.regions["mouth_interior"] & ~avatar.regions["eyes"]
    rows = []
    part = take_frames(take, chosen)
    pictures = (frame.image for _, frame in read_selected(video, chosen.tolist()))
    for index, (picture, vertices) in enumerate(zip(pictures, posed_frames(avatar, part), strict=False)):
        rows.append(frame_samples(avatar, vertices, intrinsics_at(part, index), picture, albedo, face))
    design, colour = (np.concatenate(column) for column in zip(*rows, strict=True))
    return None if len(colour) < 50 else as_light(solve_light(design, colour))


def vertex_albedo(avatar: Avatar) -> np.ndarray:
    """(V, 3) linear albedo about each vertex, from the map made coarse."""
    picture = read_picture(avatar.maps["albedo"])[..., :3]
    linear = linear_from_bytes(torch.as_tensor(picture)).numpy()
    coarse = cv2.GaussianBlur(linear, (0, 0), picture.shape[0] / 200)
    uv = np.zeros((len(avatar.neutral), 2), np.float32)
    uv[avatar.faces] = avatar.uv[avatar.uv_faces]
    places = uv * (1, -1) + (0, 1)
    return sample(coarse, places * (picture.shape[1], picture.shape[0]))


def sample(picture: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """(N, C) of an (H, W, C) float picture at (N, 2) pixels, bilinear."""
    if not len(pixels):
        return np.zeros((0, picture.shape[-1]), np.float32)
    places = (pixels - 0.5).astype(np.float32)[None]
    return cv2.remap(picture, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)[0]


def frame_samples(
    avatar: Avatar, vertices: np.ndarray, K: np.ndarray, picture: np.ndarray, albedo: np.ndarray, face: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Albedo times harmonics (N, 3, 9) and colours (N, 3) of the face's vertices that look at the camera."""
    normals = vertex_normals(torch.as_tensor(vertices)[None], torch.as_tensor(avatar.faces).long())[0].numpy()
    view = -vertices / np.linalg.norm(vertices, axis=1, keepdims=True)
    pixels = project_points(vertices, K)
    height, width = picture.shape[:2]
    inside = ((pixels > 2) & (pixels < (width - 2, height - 2))).all(1)
    use = face & inside & ((normals * view).sum(1) > FACING)
    linear = linear_from_bytes(torch.as_tensor(picture)).numpy()
    span = np.ptp(pixels[use], axis=0).max() if use.any() else 1.0
    colours = sample(cv2.GaussianBlur(linear, (0, 0), max(span / 120, 0.6)), pixels[use])
    basis = spherical_harmonics(torch.as_tensor(normals[use]).float(), 9).numpy()
    return albedo[use][:, :, None] * basis[:, None], colours


def solve_light(design: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """(9, 3) harmonics by ridge regression; what fits badly (hair, hands, highlights) counts less and less."""
    weight = np.ones(len(colour))
    result = np.zeros((9, 3))
    for _ in range(ROUNDS):
        for channel in range(3):
            matrix = design[:, channel] * weight[:, None]
            normal = matrix.T @ design[:, channel]
            pull = RIDGE * normal[0, 0] * np.diag([1e-6, 1, 1, 1, 2, 2, 2, 2, 2])
            result[:, channel] = np.linalg.solve(normal + pull, matrix.T @ colour[:, channel])
        residual = np.abs(np.einsum("ncb,bc->nc", design, result) - colour).sum(1)
        weight = 1 / (1 + (residual / (2 * np.median(residual) + 1e-6)) ** 2)
    return result


def as_light(harmonics: np.ndarray) -> Light:
    """The light of the renderer; its highlight comes from where the light is strongest."""
    towards = harmonics[[3, 1, 2]].mean(1)
    direction = towards / max(float(np.linalg.norm(towards)), 1e-9)
    strength = (harmonics[[3, 1, 2]].T @ direction).clip(min=0) / DIRECTIONAL
    return Light(*(torch.as_tensor(part).float() for part in (harmonics, direction, strength)))
