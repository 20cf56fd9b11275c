"""The normal map: grooves that were rendered are found again, a flat skin stays flat, a mole is colour and no pit."""

import numpy as np
import pytest
import torch
from photographs import photographed

from spark_backend.fit.appearance import Texture, fit_texture
from spark_backend.fit.sightings import Frame
from spark_backend.fit.texels import TexelMap, avatar_texels, surface_normals
from spark_backend.heads.anny import load_anny
from spark_backend.protocol.avatar import Avatar
from spark_backend.render.decoder import avatar_topology
from spark_backend.render.deferred import vertex_tangents
from spark_backend.render.reflectance import Maps
from spark_backend.render.shading import distant_light

SIZE, PICTURE = 256, 320
LIGHTS = (
    distant_light((-0.7, -0.4, -0.6), (0.75, 0.72, 0.70), (0.25, 0.26, 0.28)),
    distant_light((0.7, -0.3, -0.6), (0.60, 0.58, 0.55), (0.30, 0.30, 0.32)),
)
DEPTH, SPACING = 0.0006, 0.014
"""Of the grooves, metres."""
SKIN, MOLE = (0.44, 0.26, 0.17), (0.35, 0.18, 0.10)


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return load_anny().avatar()


@pytest.fixture(scope="module")
def texels(avatar: Avatar) -> TexelMap:
    return avatar_texels(avatar, SIZE)


def grooved(avatar: Avatar, texels: TexelMap, depth: float) -> np.ndarray:
    """(N, 2) lean along u and v of a skin with upright grooves; from the height's gradient in space."""
    place = texels.at(avatar.neutral, avatar.faces)[:, 0]
    rising = np.zeros((len(place), 3))
    rising[:, 0] = depth * np.cos(2 * np.pi * place / SPACING) * 2 * np.pi / SPACING
    normals = surface_normals(avatar.neutral, avatar.faces)
    points = torch.as_tensor(avatar.neutral).float()[None]
    along = vertex_tangents(points, torch.as_tensor(normals).float()[None], avatar_topology(avatar))[0].numpy()
    along, normal = texels.at(along, avatar.uv_faces), texels.at(normals, avatar.faces)
    across = np.sign(along[:, 3:]) * np.cross(normal, along[:, :3])
    return -np.stack([(rising * along[:, :3]).sum(1), (rising * across).sum(1)], 1)


def filmed(avatar: Avatar, texels: TexelMap, lean: np.ndarray, albedo: np.ndarray) -> list[Frame]:
    """The head from some sides in two lights."""
    values = np.zeros((len(lean), 8), np.float32)
    values[:, :3], values[:, 4], values[:, 5:7], values[:, 7] = albedo, 0.5, lean, 1
    maps = Maps(torch.as_tensor(texels.picture(values)))
    return photographed(avatar, maps, LIGHTS, PICTURE)


def found(avatar: Avatar, texels: TexelMap, lean: np.ndarray, albedo: np.ndarray) -> tuple[Texture, np.ndarray]:
    """The texture, and (N, 2) the slopes of its normal map."""
    texture = fit_texture(avatar, filmed(avatar, texels, lean, albedo), SIZE)
    normal = texture.normal.reshape(-1, 3)[texels.texel]
    return texture, normal[:, :2] / normal[:, 2:]


def cheeks(avatar: Avatar, texels: TexelMap) -> np.ndarray:
    """(N,) bool: bare skin, well seen."""
    points = texels.at(avatar.neutral, avatar.faces)
    eyes = avatar.joints[[avatar.joint_names.index(f"eye_{side}") for side in ("left", "right")]]
    drop = eyes[:, 2].mean() - points[:, 2]
    inside = texels.at(avatar.regions["mouth_interior"].astype(float)[:, None], avatar.faces)[:, 0] > 0
    front = (points[:, 1] < eyes[:, 1].mean() + 0.015) & ~inside
    return front & (drop > 0.02) & (drop < 0.05) & (np.abs(points[:, 0]) > 0.02) & (np.abs(points[:, 0]) < 0.05)


def test_grooves_are_found_again(avatar: Avatar, texels: TexelMap) -> None:
    lean, skin = grooved(avatar, texels, DEPTH), np.tile(SKIN, (len(texels.texel), 1))
    slopes, here = found(avatar, texels, lean, skin)[1], cheeks(avatar, texels)
    truth, ours = lean[here], slopes[here]
    gain = (truth * ours).sum() / (truth * truth).sum()
    likeness = (truth * ours).sum() / np.sqrt((truth**2).sum() * (ours**2).sum())
    assert likeness > 0.8
    assert 0.3 < gain < 1.2


def test_a_flat_skin_stays_flat_and_a_mole_is_no_pit(avatar: Avatar, texels: TexelMap) -> None:
    here, points = cheeks(avatar, texels), texels.at(avatar.neutral, avatar.faces)
    skin = np.tile(SKIN, (len(texels.texel), 1))
    left = points[here & (points[:, 0] > 0)]
    centre = left[np.linalg.norm(left - left.mean(0), axis=1).argmin()]
    spot = np.linalg.norm(points - centre, axis=1) < 0.004
    skin[spot] = MOLE
    texture, slopes = found(avatar, texels, np.zeros((len(skin), 2)), skin)
    steepness = np.linalg.norm(slopes, axis=1)
    assert np.sqrt((steepness[here & ~spot] ** 2).mean()) < 0.03
    assert np.sqrt((steepness[here & spot] ** 2).mean()) < 0.1
    albedo = texture.albedo.reshape(-1, 4)[texels.texel, :3]
    assert albedo[spot & here].mean() < 0.85 * albedo[here & ~spot].mean()
