"""Footage of a made-up person whose every curve is known: head, complexion, clothes, light, room, camera."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ..fit.paint import bytes_from_albedo, paint_albedo, random_paint
from ..heads.model import HeadModel
from ..protocol.avatar import Avatar, save_avatar
from ..protocol.job import Progress, Report
from ..protocol.posing import joint_transforms
from ..protocol.take import Take, save_take
from ..render.draw import render_frame
from ..render.shading import Light, distant_light
from ..render.surface import Material, Surface
from .encode import write_video
from .look import avatar_surface
from .parallel import in_order
from .performance import perform
from .sheet import save_picture
from .views import posed_frames

SIZE = (512, 512)
FOCAL = 920.0
RATE = 30.0
IDENTITY_SPREAD = 0.8
"""Standard deviations of the identity coefficients: a little below 1, for faces one might meet."""


@dataclass(frozen=True)
class Footage:
    """A rendered clip and what it shows."""

    video: Path
    avatar: Avatar
    take: Take


def make_footage(head: HeadModel, folder: Path, seed: int, seconds: float, report: Report) -> Footage:
    """Renders `performance.mp4` into `folder`, with the truth beside it as an avatar and a take."""
    avatar = random_person(head, folder / "truth", seed)
    K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
    take = perform(avatar, seed, seconds, RATE, K, SIZE)
    save_take(folder / "truth" / "take.npz", take)
    video = folder / "performance.mp4"
    write_video(video, footage_frames(avatar, take, seed, report), quality=14)
    return Footage(video, avatar, take)


def random_person(head: HeadModel, folder: Path, seed: int) -> Avatar:
    """A person of the head model's own distribution, with a painted albedo map; saved in `folder`."""
    random = np.random.default_rng(seed)
    coefficients = np.clip(IDENTITY_SPREAD * random.normal(size=len(head.identity)), -1.6, 1.6)
    avatar = head.avatar(coefficients)
    painted = bytes_from_albedo(paint_albedo(avatar, random_paint(random)))
    albedo = save_picture(folder / "albedo.png", painted)
    avatar = replace(avatar, maps={"albedo": albedo.absolute()})
    save_avatar(folder, avatar)
    return avatar


def footage_frames(avatar: Avatar, take: Take, seed: int, report: Report) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and picture of every frame."""
    random = np.random.default_rng(seed)
    torso, torso_faces = clothes(avatar)
    faces = np.concatenate([avatar.faces, torso_faces + len(avatar.neutral)])
    surface = with_clothes(avatar_surface(avatar), torso_faces, random)
    room, light = room_picture(random), room_light(random)
    root = joint_transforms(avatar, take)[:, 0]
    body = (np.einsum("tab,vb->tva", root[:, :3, :3], torso) + root[:, None, :3, 3]).astype(np.float32)

    def draw(item: tuple[int, np.ndarray]) -> np.ndarray:
        index, vertices = item
        points = np.concatenate([vertices, body[index]])
        picture = render_frame(points, faces, take.K, SIZE, surface=surface, light=light, background=room)
        grain = np.random.default_rng((seed, index)).normal(0, 1.6, picture.shape)
        return np.clip(picture + grain, 0, 255).astype(np.uint8)

    for index, picture in enumerate(in_order(draw, enumerate(posed_frames(avatar, take)))):
        yield float(take.pts[index]), picture
        report(Progress("Rendering a performance", (index + 1) / len(take.pts)))


def clothes(avatar: Avatar) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (N, 3) and triangles of a plain jersey: shoulders round the neck, in the avatar's rest pose."""
    rings, around = 18, 40
    neck = avatar.joints[avatar.joint_names.index("neck")]
    u, v = np.meshgrid(np.linspace(0, 1, rings), np.linspace(0, 2 * np.pi, around, endpoint=False), indexing="ij")
    # From the collar outwards and down: shoulders fall steeply at first, then round off into the arms.
    width, depth = 0.066 + 0.17 * u**0.8, 0.064 + 0.075 * np.sqrt(u)
    drop = 0.035 * u + 0.30 * u**4
    vertices = np.stack([width * np.cos(v), depth * np.sin(v), -drop], -1).reshape(-1, 3) + neck + [0, 0.012, 0.004]
    index = np.arange(rings * around).reshape(rings, around)
    a, b = index[:-1], index[1:]
    c, d = np.roll(b, -1, 1), np.roll(a, -1, 1)
    return vertices, np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def with_clothes(surface: Surface, faces: np.ndarray, random: np.random.Generator) -> Surface:
    """The head's surface with one more material for the jersey."""
    colour = torch.tensor(random.uniform(0.03, 0.25, 3), dtype=torch.float32)
    corner = torch.zeros(len(faces), 3, dtype=surface.uv_faces.dtype)
    number = torch.full((len(faces),), len(surface.materials), dtype=surface.face_material.dtype)
    return Surface(
        surface.uv,
        torch.cat([surface.uv_faces, corner]),
        torch.cat([surface.face_material, number]),
        [*surface.materials, Material(colour)],
    )


def room_picture(random: np.random.Generator) -> np.ndarray:
    """(H, W, 3) uint8 an out-of-focus wall with a window's glow."""
    width, height = SIZE
    y, x = np.mgrid[0:height, 0:width] / height
    picture = np.full((height, width, 3), random.uniform(60, 120, 3)) * (1.05 - 0.35 * y[..., None])
    for _ in range(5):
        left, top = random.uniform(-0.2, 1.0, 2)
        inside = (x > left) & (x < left + random.uniform(0.1, 0.5)) & (y > top) & (y < top + random.uniform(0.1, 0.6))
        picture[inside] = picture[inside] * 0.6 + random.uniform(40, 200, 3) * 0.4
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 18), 0, 255).astype(np.uint8)


def room_light(random: np.random.Generator) -> Light:
    """A warm key from one side above, a cool even fill."""
    side = 1.0 if random.random() < 0.5 else -1.0
    return distant_light((0.6 * side, -0.6, -0.9), (0.80, 0.74, 0.66), (0.42, 0.44, 0.48))
