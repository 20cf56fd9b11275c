"""From parameters to pictures of a batch: everything the losses look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ...encoders.mediapipe import LandmarkNetwork
from ...encoders.perceptual import PerceptualFeatures
from ...geometry.mesh import unique_edges
from ...geometry.rotation import matrix_from_vector
from ...geometry.skinning import SkinnedHead
from ...heads.mouth import skin_and_walls
from ...protocol.avatar import Avatar
from ...render.colour import linear_from_bytes
from ...render.decoder import Decoder, Motion, avatar_topology, decode
from ...render.deferred import Topology
from ...render.rasterizer import Rasterizer
from ...render.reflectance import Maps
from ...render.shading import Light, over, unit
from .personal import FlexibleHead, bent
from .shots import Shots
from .smoothing import Smoother

ORGANS = 0.3
"""How much pixels of eyes and of the mouth's inside count against skin: their place follows gaze and jaw."""
DARKEST = 1e-3
"""Linear brightness below which differences are not looked at."""


@dataclass(frozen=True)
class Setup:
    """What stays the same in all steps."""

    model: FlexibleHead
    shots: Shots
    mesh: Topology
    pixel_weight: Float[Tensor, "F"]
    """How much a pixel counts that shows this triangle of `mesh`."""
    edges: Int[Tensor, "N 2"]
    """Of the skin."""
    rasterizer: Rasterizer
    features: PerceptualFeatures | None = None
    """The network whose idea of likeness counts; None when no loss asks for it."""
    detector: LandmarkNetwork | None = None
    """The network that looks for the face in pictures of the head; None when no loss asks for it."""


@dataclass(frozen=True)
class Batch:
    """Pictures of `B` frames."""

    rows: Int[Tensor, "B"]
    picture: Float[Tensor, "B S S 3"]
    """As the eye sees differences: the root of linear."""
    mask: Float[Tensor, "B S S"]
    shrink: int
    """Pixels of the album's crops in one of these."""


@dataclass(frozen=True)
class Prediction:
    """What the parameters say of a batch."""

    setup: Setup
    parameters: Mapping[str, Tensor]
    head: SkinnedHead
    offsets: Float[Tensor, "V 3"]
    picture: Float[Tensor, "B S S 3"]
    """Over the batch's own background, in its colour space."""
    weight: Float[Tensor, "B S S"]
    landmarks: Float[Tensor, "B 478 2"]
    """Pixels of the album's crops."""
    facing: Float[Tensor, "B 478"]
    """0 where a landmark's skin looks away, 1 where it faces the camera; no gradient."""
    weights: Float[Tensor, "B E"]
    rows: Int[Tensor, "B"]


def prepare(model: FlexibleHead, shots: Shots, rasterizer: Rasterizer) -> Setup:
    """The part of the head that is drawn, and how much each of its triangles counts."""
    avatar = model.avatar
    chosen = np.flatnonzero(drawn_faces(avatar, model.free[:, 0].numpy() > 0))
    weight = np.where(skin_and_walls(avatar)[0][chosen], 1.0, ORGANS)
    faces = avatar.faces[avatar.face_material == avatar.material_names.index("skin")]
    edges = unique_edges(torch.as_tensor(faces).long())
    mesh = avatar_topology(avatar, torch.as_tensor(chosen))
    counts = torch.as_tensor(weight).float()
    return Setup(model, shots, mesh, counts, edges, rasterizer)


def drawn_faces(avatar: Avatar, near: Bool[np.ndarray, "V"]) -> Bool[np.ndarray, "F"]:
    """Triangles of the face and what is in it; lashes, which are mostly holes, are left out."""
    return near[avatar.faces].all(1) & avatar.face_solid


def make_batch(rows: Sequence[int], pictures: np.ndarray, shrink: int) -> Batch:
    """Crops with their masks (B, S, S, 4) as tensors, made smaller by `shrink`."""
    whole = torch.as_tensor(pictures)
    linear = linear_from_bytes(whole[..., :3])
    stack = torch.cat([linear, whole[..., 3:].float() / 255], -1)
    if shrink > 1:
        stack = avg_pool2d(stack.permute(0, 3, 1, 2), shrink).permute(0, 2, 3, 1)
    return Batch(torch.as_tensor(list(rows)), perceived(stack[..., :3]), stack[..., 3], shrink)


def perceived(linear: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Linear colour as the eye sees differences: its root, without a limit above."""
    return linear.clamp(min=DARKEST).sqrt()


def lights_of(parameters: Mapping[str, Tensor], clips: Int[Tensor, "B"]) -> list[Light]:
    """The light of each frame's clip."""
    direction, strength = unit(parameters["shine"][:, 0]), parameters["shine"][:, 1]
    return [Light(parameters["light"][c], direction[c], strength[c].clamp(min=0)) for c in clips.tolist()]


def maps_of(parameters: Mapping[str, Tensor]) -> Maps:
    """The parameters' maps as the renderer reads them; albedo is kept as its root."""
    albedo, gloss, relief = (parameters[name] for name in ("albedo", "gloss", "relief"))
    return Maps(torch.cat([albedo.square(), gloss, relief, torch.ones_like(relief[..., :1])], -1))


def motion_of(
    setup: Setup, parameters: Mapping[str, Tensor], rows: Int[Tensor, "B"]
) -> tuple[Motion, Float[Tensor, "B"]]:
    """What the frames do, and their focal lengths (pixels of the frame).

    A place is where the face's centre is seen, in metres across and by the logarithm of its size, so that the focal
    length moves nothing but the perspective.
    """
    shots, centre = setup.shots, setup.model.centre
    clip = shots.clip[rows]
    before, rotation0 = shots.focal[clip], shots.rotation[rows]
    start = (rotation0 @ centre) + shots.translation[rows]
    focal = before * parameters["focal"][clip].exp()
    rotation = matrix_from_vector(parameters["turn"][rows]) @ rotation0
    across, size = parameters["place"][rows].split([2, 1], -1)
    depth = start[:, 2:] * (focal / before)[:, None] * (-size).exp()
    place = torch.cat([start[:, :2] + across, depth], -1)
    weights = (shots.weights[rows] + parameters["weights"][rows]).clamp(0, 1)
    return Motion(weights, rotation, place - rotation @ centre, shots.neck[rows]), focal


def predict(setup: Setup, smooth: Smoother, parameters: Mapping[str, Tensor], batch: Batch) -> Prediction:
    """Draws a batch."""
    model, shots = setup.model, setup.shots
    offsets = smooth(parameters["offsets"])
    head = bent(model, parameters, offsets)
    decoder = Decoder(head, setup.mesh, model.avatar.rig, tuple(model.avatar.expression_names), maps_of(parameters))
    motion, focal = motion_of(setup, parameters, batch.rows)
    K = shots.camera(batch.rows, focal)
    small = torch.cat([K[:, :2] / batch.shrink, K[:, 2:]], 1)
    side = batch.picture.shape[1]
    lights = lights_of(parameters, shots.clip[batch.rows])
    decoded = decode(decoder, motion, small, (side, side), lights, setup.rasterizer, batch.mask > 0)
    face = decoded.fragments.face.long()
    counts = torch.where(face >= 0, setup.pixel_weight[face.clamp(min=0)], 0.0) * batch.mask
    drawn = perceived(over(decoded.colour, decoded.coverage, batch.picture.square()))
    places, facing = landmark_pixels(model.avatar, decoded.points, K)
    return Prediction(setup, parameters, head, offsets, drawn, counts, places, facing, motion.weights, batch.rows)


def landmark_pixels(
    avatar: Avatar, points: Float[Tensor, "B V 3"], K: Float[Tensor, "B 3 3"]
) -> tuple[Float[Tensor, "B 478 2"], Float[Tensor, "B 478"]]:
    """MediaPipe's landmarks on posed vertices, and how much their skin faces the camera (no gradient)."""
    corners = torch.as_tensor(avatar.faces[avatar.landmark_face]).long()
    bary = torch.as_tensor(avatar.landmark_bary).float()
    triangles = points[:, corners]
    homogeneous = (triangles * bary[..., None]).sum(2) @ K.mT
    with torch.no_grad():
        a, b, c = triangles.unbind(2)
        normal = unit(torch.linalg.cross(b - a, c - a))
        facing = (-(normal * unit(a)).sum(-1) * 2).clamp(0, 1)
    return homogeneous[..., :2] / homogeneous[..., 2:], facing
