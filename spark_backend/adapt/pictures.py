"""Pictures of a head whose expression, pose and camera are known exactly."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..geometry.camera import project
from ..geometry.landmarks import face_middle
from ..geometry.rotation import matrix_from_vector, turn_towards
from ..geometry.skinning import HeadPose, SkinnedHead, pose_vertices, rotations_from_weights, skinned_head
from ..protocol.avatar import Avatar, Rig
from ..protocol.names import ARKIT_52
from ..render.deferred import Topology, render_batch, topology
from ..render.rasterizer import Rasterizer
from ..render.reflectance import Maps
from ..render.shading import Light, distant_light

SIZE = 288
"""Pixels on a side of a picture."""
FACE = (105.0, 175.0)
"""Height of the face in it, chin to forehead, pixels."""
FACE_HEIGHT = 0.19
"""Metres; what `FACE` means at a distance."""
DISTANCE = (0.3, 2.2)
"""Metres from the camera."""
TURN = np.radians([10.0, 20.0, 9.0])
"""Standard deviations of the turns about the avatar's X (nod), Z (shake) and Y (tilt)."""
MOST_TURN = np.radians([35.0, 58.0, 30.0])
ASIDE = 0.25
"""How far beside the optical axis the head is seen, as part of its distance."""


@dataclass(frozen=True)
class Subject:
    """A person to be drawn."""

    head: SkinnedHead
    rig: Rig
    mesh: Topology
    maps: Maps
    landmarks: tuple[Int[Tensor, "478 3"], Float[Tensor, "478 3"]]
    """Vertices and barycentric coordinates of each landmark."""
    middle: Float[Tensor, "3"]
    """Between eyes and chin, metres."""

    @property
    def rest(self) -> Float[Tensor, "478 3"]:
        """The landmarks of the neutral face, metres."""
        corners, bary = self.landmarks
        return (self.head.neutral[corners] * bary[..., None]).sum(1)


@dataclass(frozen=True)
class Scene:
    """What `B` pictures show."""

    weights: Float[Tensor, "B 52"]
    rotation: Float[Tensor, "B 3 3"]
    """Avatar axes to camera axes."""
    translation: Float[Tensor, "B 3"]
    """Metres."""
    K: Float[Tensor, "B 3 3"]
    lights: Sequence[Light]


@dataclass(frozen=True)
class Drawn:
    """Pictures and where the landmarks are in them."""

    colour: Float[Tensor, "B H W 3"]
    """Linear, multiplied by the coverage."""
    coverage: Float[Tensor, "B H W 1"]
    landmarks: Float[Tensor, "B 478 2"]
    """Pixels."""
    shape: Float[Tensor, "B 478 3"]
    """The landmarks in the skull's frame (avatar axes, metres): rest and expression, without the pose."""


def subject_of(avatar: Avatar, maps: Maps) -> Subject:
    """An avatar with its maps. The lashes' cards are left out: they are see-through."""
    kept = avatar.face_solid
    faces, uv_faces = (torch.as_tensor(f[kept]).long() for f in (avatar.faces, avatar.uv_faces))
    corners = torch.as_tensor(avatar.faces[avatar.landmark_face]).long()
    return Subject(
        skinned_head(avatar),
        avatar.rig,
        topology(faces, torch.as_tensor(avatar.uv).float(), uv_faces, len(avatar.neutral)),
        maps,
        (corners, torch.as_tensor(avatar.landmark_bary).float()),
        face_middle(avatar),
    )


def random_scene(random: np.random.Generator, subject: Subject, weights: Float[np.ndarray, "B 52"]) -> Scene:
    """These expressions from random sides, in random light, by random cameras."""
    count = len(weights)
    turns = np.clip(random.normal(size=(count, 3)) * TURN, -MOST_TURN, MOST_TURN)
    turns *= np.where(random.random((count, 1)) < 0.15, 0.2, 1.0)
    rotation = facing(turns)
    depth = np.exp(random.uniform(*np.log(DISTANCE), count))
    focal = random.uniform(*FACE, count) / FACE_HEIGHT * depth
    aside = np.clip(random.normal(size=(count, 2)) * ASIDE / 2, -ASIDE, ASIDE)
    place = torch.as_tensor(np.stack([*(aside.T * depth), depth], -1)).float()
    centre = SIZE / 2 - aside * focal[:, None] + random.normal(size=(count, 2)) * 6
    K = torch.zeros(count, 3, 3)
    K[:, 0, 0] = K[:, 1, 1] = torch.as_tensor(focal).float()
    K[:, :2, 2], K[:, 2, 2] = torch.as_tensor(centre).float(), 1
    # The ray to the head is not the camera's axis: a head that faces the camera is turned with it.
    rotation = turn_towards(place) @ rotation
    translation = place - (rotation @ subject.middle)
    return Scene(
        torch.as_tensor(weights).float(), rotation, translation, K, [random_light(random) for _ in range(count)]
    )


def facing(turns: Float[np.ndarray, "B 3"]) -> Float[Tensor, "B 3 3"]:
    """Avatar axes to camera axes of heads that face the camera, turned about their own X, Z and Y."""
    vectors = torch.as_tensor(turns).float()
    zero = torch.zeros(len(vectors))
    nod = matrix_from_vector(torch.stack([vectors[:, 0], zero, zero], -1))
    shake = matrix_from_vector(torch.stack([zero, zero, vectors[:, 1]], -1))
    tilt = matrix_from_vector(torch.stack([zero, vectors[:, 2], zero], -1))
    return torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]) @ tilt @ shake @ nod


def random_light(random: np.random.Generator) -> Light:
    """A key light from somewhere in front and even light, in any of the colours of lamps and daylight."""
    direction = (random.uniform(-1, 1), random.uniform(-1.2, 0.4), random.uniform(-1.2, -0.15))
    warmth = random.normal() * 0.12
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    key, even = random.uniform(0.2, 1.1), random.uniform(0.15, 0.7)
    return distant_light(direction, tuple(key * tint), tuple(even * (2 - tint)))


def draw(subject: Subject, scene: Scene, size: int, rasterizer: Rasterizer) -> Drawn:
    """Square pictures of a scene. Differentiable by what the scene holds and by the subject's maps."""
    joints = rotations_from_weights(subject.rig, ARKIT_52, scene.weights)
    still = torch.eye(3).expand(len(scene.weights), 3, 3)
    pose = HeadPose(scene.rotation, scene.translation, still, **joints)
    points = pose_vertices(subject.head, scene.weights, pose)
    colour, coverage = render_batch(points, scene.K, (size, size), subject.mesh, subject.maps, scene.lights, rasterizer)
    corners, bary = subject.landmarks
    landmarks = (points[:, corners] * bary[..., None]).sum(2)
    shape = (landmarks - scene.translation[:, None]) @ scene.rotation
    return Drawn(colour, coverage, project(landmarks, scene.K), shape)
