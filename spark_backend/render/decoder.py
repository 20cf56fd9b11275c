"""An avatar as a differentiable decoder: weights, pose, camera and light in, pictures out.

What a fit changes in every step, and what an encoder that learns the person is trained through.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..geometry.camera import clip_points
from ..geometry.skinning import HeadPose, SkinnedHead, pose_vertices, rotations_from_weights
from ..protocol.avatar import Avatar, Rig
from .deferred import Topology, shade_fragments, topology
from .rasterizer import Fragments, Rasterizer
from .reflectance import Maps
from .shading import Light


@dataclass(frozen=True)
class Decoder:
    """Everything about a person that a picture of them depends on."""

    head: SkinnedHead
    mesh: Topology
    """Its triangles may be a part of the avatar's."""
    rig: Rig
    names: tuple[str, ...]
    """Of the expressions."""
    maps: Maps


@dataclass(frozen=True)
class Motion:
    """What the person does in `B` frames."""

    weights: Float[Tensor, "B E"]
    rotation: Float[Tensor, "B 3 3"]
    """The skull's: avatar axes to camera axes."""
    translation: Float[Tensor, "B 3"]
    """Metres, camera axes."""
    neck: Float[Tensor, "B 3 3"]


@dataclass(frozen=True)
class Decoded:
    """Pictures, and what they were made from."""

    colour: Float[Tensor, "B H W 3"]
    """Linear, multiplied by the coverage."""
    coverage: Float[Tensor, "B H W 1"]
    points: Float[Tensor, "B V 3"]
    """Camera axes, metres."""
    fragments: Fragments


def avatar_topology(avatar: Avatar, faces: slice | Sequence[int] | Tensor = slice(None)) -> Topology:
    """The avatar's triangles, or some of them, for `Decoder.mesh`."""
    triangles, corners = (torch.as_tensor(table).long()[faces] for table in (avatar.faces, avatar.uv_faces))
    return topology(triangles, torch.as_tensor(avatar.uv).float(), corners, len(avatar.neutral))


def pose(decoder: Decoder, motion: Motion) -> Float[Tensor, "B V 3"]:
    """The vertices in camera axes, metres; jaw and eyes turn as the weights say."""
    joints = rotations_from_weights(decoder.rig, decoder.names, motion.weights)
    return pose_vertices(
        decoder.head, motion.weights, HeadPose(motion.rotation, motion.translation, motion.neck, **joints)
    )


def decode(
    decoder: Decoder,
    motion: Motion,
    K: Float[Tensor, "B 3 3"],
    size: tuple[int, int],
    lights: Sequence[Light],
    rasterizer: Rasterizer,
    wanted: Bool[Tensor, "B H W"] | None = None,
) -> Decoded:
    """Pictures of `size` (width, height) through cameras `K`, each under its light; differentiable in all else.

    Pixels that are not `wanted` stay empty, which saves the time of shading them.
    """
    points = pose(decoder, motion)
    clip = clip_points(points, K, size)
    fragments = rasterizer.rasterize(clip, decoder.mesh.faces, size)
    if wanted is not None:
        fragments = replace(fragments, face=torch.where(wanted, fragments.face, -1))
    colour, coverage = shade_fragments(points, clip, fragments, decoder.mesh, decoder.maps, lights)
    return Decoded(colour, coverage, points, fragments)
