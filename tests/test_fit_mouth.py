"""The inside of the mouth stays behind the skin, however a fit bends lips, cheeks and chin."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from jaxtyping import Float, Int

from spark_backend.fit.refine.personal import FlexibleHead, baked, bent, flexible_head
from spark_backend.geometry.camera import clip_points
from spark_backend.geometry.skinning import HeadPose, pose_vertices, rotations_from_weights, skinned_head
from spark_backend.heads.anny import load_anny
from spark_backend.heads.mouth import skin_and_walls
from spark_backend.protocol.avatar import Avatar
from spark_backend.render.rasterizer import Fragments
from spark_backend.render.warp import WarpRasterizer

SIDE, WIDE, FAR = 160, 0.09, 3.0
"""Pixels of a picture, metres that it shows, metres to the camera."""
FLESH = 0.01
"""Metres behind the mouth's inside within which skin that faces the camera should have hidden it."""
DENT = 0.007
"""Metres: more than twice what is between the thinnest skin and the walls."""


@pytest.fixture(scope="module")
def model() -> FlexibleHead:
    head = load_anny()
    return flexible_head(head.avatar(), head, np.zeros(len(head.identity), np.float32))


def every_expression(avatar: Avatar) -> Float[np.ndarray, "N V 3"]:
    """The head at rest and with each expression alone, in its own axes; with an open mouth what needs one."""
    names = list(avatar.expression_names)
    weights = torch.cat([torch.zeros(1, len(names)), torch.eye(len(names))])
    for name in ("mouthClose", "tongueOut"):
        weights[1 + names.index(name), names.index("jawOpen")] = 1
    still = torch.eye(3).expand(len(weights), 3, 3)
    joints = rotations_from_weights(avatar.rig, names, weights)
    return pose_vertices(skinned_head(avatar), weights, HeadPose(still, torch.zeros(len(weights), 3), still, **joints))


def shown_through(avatar: Avatar, points: Float[torch.Tensor, "N V 3"], degrees: float) -> Int[np.ndarray, "N"]:
    """Pixels (0.3 mm2 each) that show teeth or walls of the mouth right before skin that faces the camera."""
    turn = np.radians(degrees)
    x, y, z = (points - torch.as_tensor(avatar.neutral[avatar.regions["lips"]].mean(0))).unbind(-1)
    across, depth = np.cos(turn) * x - np.sin(turn) * y, np.sin(turn) * x + np.cos(turn) * y
    seen = torch.stack([across, -z, depth + FAR], -1).float()
    focal = FAR / WIDE * SIDE
    clip = clip_points(seen, torch.tensor([[focal, 0, SIDE / 2], [0, focal, SIDE / 2], [0, 0, 1]]), (SIDE, SIDE))
    outside, walls = (torch.as_tensor(chosen) for chosen in skin_and_walls(avatar))
    inside = walls | torch.as_tensor(avatar.face_material == avatar.material_names.index("teeth"))
    faces = torch.as_tensor(avatar.faces).long()
    first, skin = (WarpRasterizer().rasterize(clip, part, (SIDE, SIDE)) for part in (faces, faces[outside]))
    behind = depth_of(seen, faces[outside], skin) - depth_of(seen, faces, first)
    a, b, c = (seen[:, faces[outside][:, k]] for k in range(3))
    towards = (torch.linalg.cross(b - a, c - a)[..., 2] < 0).gather(1, skin.face.flatten(1).clamp(min=0).long())
    through = inside[first.face.clamp(min=0).long()] & (first.face >= 0) & (skin.face >= 0)
    through &= (behind > 1e-5) & (behind < FLESH) & towards.view_as(through)
    return through.sum((1, 2)).numpy()


def depth_of(points: torch.Tensor, faces: torch.Tensor, fragments: Fragments) -> Float[torch.Tensor, "N S S"]:
    """Metres from the camera, by pixel."""
    corners = faces[fragments.face.clamp(min=0).long()]
    picture = torch.arange(len(points))[:, None, None, None]
    return (fragments.bary * points[picture, corners][..., 2]).sum(-1)


def dented(model: FlexibleHead, generator: np.random.Generator) -> Avatar:
    """The head with a deep fold below the lips, a few dents around the mouth and every expression corrected."""
    avatar = model.avatar
    lips = avatar.neutral[avatar.regions["lips"]].mean(0)
    outside = avatar.neutral[avatar.regions["face"]]
    near = outside[np.linalg.norm(outside - lips, axis=1) < 0.03]
    places = np.stack([lips - [0, 0, 0.015], *near[generator.choice(len(near), 3, replace=False)]])
    distance = np.linalg.norm(avatar.neutral[:, None] - places, axis=-1)
    depth = np.exp(-((distance / 0.012) ** 2)).max(1, keepdims=True) * [0, DENT, 0]
    size = (len(avatar.expression_names), model.fields.bells.shape[1], 3)
    parameters = {
        "identity": torch.zeros(len(model.identity)),
        "expressions": torch.as_tensor(generator.normal(0, 0.15, size)).float(),
    }
    return baked(model, bent(model, parameters, torch.as_tensor(depth).float()))


def through_by_expression(avatar: Avatar) -> dict[str, int]:
    """Pixels seen through the skin from the front and from 45 degrees."""
    points = every_expression(avatar)
    through = sum(shown_through(avatar, points, degrees) for degrees in (0.0, 45.0))
    return dict(zip(("at rest", *avatar.expression_names), through.tolist(), strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_a_bent_head_does_not_show_its_mouths_inside_through_the_skin(model: FlexibleHead, seed: int) -> None:
    through = through_by_expression(dented(model, np.random.default_rng(seed)))
    assert through["at rest"] == 0
    assert sum(through.values()) < 60, {name: count for name, count in through.items() if count}


@pytest.mark.parametrize("seed", [2, 6])
def test_nobody_is_born_with_the_mouths_inside_before_the_skin(seed: int) -> None:
    head = load_anny()
    through = through_by_expression(head.avatar(np.random.default_rng(seed).normal(size=len(head.identity))))
    # A few pixels are teeth under a lip that the jaw has passed; without walls that follow it is 13,000 and 29,000.
    assert through["at rest"] < 5
    assert sum(through.values()) < 250, {name: count for name, count in through.items() if count}


def test_a_mouth_in_front_of_its_skin_is_seen(model: FlexibleHead) -> None:
    avatar = model.avatar
    moved = avatar.neutral + avatar.regions["mouth_interior"][:, None] * np.float32([0, -0.012, 0])
    avatar = replace(avatar, neutral=moved)
    rest = torch.as_tensor(moved)[None]
    assert shown_through(avatar, rest, 0.0) > 500
