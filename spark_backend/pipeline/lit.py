"""The albedo with light baked in, over the texture coordinates: how the head looks where nothing lights it."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ..fit.light import BOUNCE
from ..fit.occlusion import look_around
from ..fit.paint import bytes_from_albedo
from ..fit.texels import TexelMap, avatar_texels
from ..geometry.mesh import vertex_normals
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.placement import WORLD_FROM_CAMERA_AXES
from ..protocol.storage import write_atomic
from ..render.deferred import topology, vertex_tangents
from ..render.reflectance import bend
from ..render.shading import Light, irradiance, spherical_harmonics, unit
from ..render.surface import linear_map
from .look import read_picture


def lit_map(avatar: Avatar, light: Light) -> np.ndarray:
    """(S, S, 4) uint8 sRGB of the avatar's albedo under `light`, its opacity kept.

    The head stands upright and looks into the camera in whose axes the light is. Matt: a highlight would stay where it
    is while the viewer moves. Shadows of the head on itself are in it. `SparkError` when the albedo is not square.
    """
    albedo = linear_map(read_picture(avatar.maps["albedo"])).numpy()
    if albedo.shape[0] != albedo.shape[1]:
        raise SparkError(f"{avatar.maps['albedo']}: is not square, so no light can be baked into it; make it square")
    texels = avatar_texels(avatar, len(albedo))
    normals = camera_axes(texel_normals(avatar, texels))
    shade = irradiance(normals, light).numpy() * openness(avatar, light, texels)
    flat = albedo.reshape(-1, albedo.shape[-1])[texels.texel]
    opacity = flat[:, 3:] if flat.shape[1] == 4 else np.ones((len(flat), 1), np.float32)
    return texels.picture(bytes_from_albedo(np.concatenate([flat[:, :3] * shade, opacity], 1)))


def texel_normals(avatar: Avatar, texels: TexelMap) -> Float[Tensor, "N 3"]:
    """Unit normals at rest in the avatar's axes, bent by the normal map where there is one."""
    points, faces = torch.as_tensor(avatar.neutral).float(), torch.as_tensor(avatar.faces).long()
    smooth = vertex_normals(points, faces)
    flat = unit(torch.as_tensor(texels.at(smooth.numpy(), avatar.faces)))
    if "normal" not in avatar.maps:
        return flat
    mesh = topology(faces, torch.as_tensor(avatar.uv).float(), torch.as_tensor(avatar.uv_faces), len(points))
    tangent = texels.at(vertex_tangents(points[None], smooth[None], mesh)[0].numpy(), avatar.uv_faces)
    picture = read_picture(avatar.maps["normal"])[..., :3]
    # The normal map may have another size than the albedo.
    centre = (np.stack(np.divmod(texels.texel, texels.size)) + 0.5) / texels.size
    row, column = (centre * np.array(picture.shape[:2])[:, None]).astype(int)
    return bend(flat, torch.as_tensor(tangent), torch.as_tensor(picture[row, column] / np.float32(127.5) - 1))


def openness(avatar: Avatar, light: Light, texels: TexelMap) -> Float[np.ndarray, "N 3"]:
    """The part of the light on each texel that the head does not keep off, by colour."""
    around = look_around(avatar.neutral, avatar.faces)
    towards = camera_axes(torch.as_tensor(around.directions).float())
    # The light holds the irradiance over pi; the cosine's zonal factors lead back to the radiance.
    factors = torch.tensor([1.0] + [2 / 3] * 3 + [1 / 4] * 5)
    radiance = spherical_harmonics(towards) @ (light.harmonics[:9] / factors[:, None])
    bright = radiance.clamp(min=0).numpy()
    cosine = (around.normals @ around.directions.T).clip(min=0)
    reached = (cosine * (BOUNCE + (1 - BOUNCE) * around.visible)) @ bright
    return texels.at(reached / (cosine @ bright).clip(1e-6), avatar.faces)


def camera_axes(vectors: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """Directions in the avatar's axes as a camera straight before it has them."""
    return vectors @ torch.as_tensor(WORLD_FROM_CAMERA_AXES).to(vectors)


def write_lit_map(path: Path, avatar: Avatar, light: Light) -> None:
    """Writes `lit_map` as a PNG."""
    picture = Image.fromarray(lit_map(avatar, light))
    write_atomic(path, lambda file: picture.save(file, "PNG"))
