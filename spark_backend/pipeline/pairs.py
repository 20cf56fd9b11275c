"""What two frames of a clip say of a take: how well the mesh carries one into the other, what it shows and hides."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..evaluate.crops import SIDE
from ..evaluate.pictures import mse, psnr, ssim
from ..evaluate.regions import MeshRegions, drawn_regions, mesh_regions, region_iou
from ..evaluate.warp import Pose, warp
from ..protocol.avatar import Avatar
from ..protocol.posing import pose_vertices
from ..protocol.take import Take
from ..render.draw import render_frame
from ..render.shading import Light
from ..render.surface import Surface
from .look import avatar_surface, part_of_surface
from .relight import clip_light
from .sights import CLOSE_SIZE, Sight
from .views import head_faces, intrinsics_at, project_points, take_frames


@dataclass(frozen=True)
class Judged:
    """One take, with what is needed to draw it."""

    avatar: Avatar
    take: Take
    regions: MeshRegions
    """Of the head above the neck, without lashes."""
    faces: np.ndarray
    """(F, 3) above the neck."""
    surface: Surface | None
    light: Light | None


@dataclass(frozen=True)
class Evidence:
    """A frame, and what the frame before predicts of it by way of the mesh."""

    error: float
    """Mean squared, linear."""
    sight: Sight
    warped: np.ndarray
    """(SIDE, SIDE, 3) linear."""
    hidden: np.ndarray
    """(SIDE, SIDE) bool: not compared."""
    landmarks: np.ndarray
    """(478, 2) of the mesh, in pixels of the crop's picture."""
    regions: np.ndarray
    """(SIDE, SIDE) classes of the mesh."""


@dataclass(frozen=True)
class Pairing:
    """Everything that one pair of frames says."""

    values: Mapping[str, float]
    classes: np.ndarray
    """(C,) intersection over union by region."""
    evidence: Evidence
    render: np.ndarray
    """(CLOSE_SIZE, CLOSE_SIZE, 3) uint8: the head alone, in which landmarks are to be found again."""


def prepare(avatar: Avatar, takes: Sequence[Take], video: Path, oval: bool) -> list[Judged]:
    """What does not depend on the frame, for each take; `oval` as in `mesh_regions`."""
    above = head_faces(avatar)
    solid = above & avatar.face_solid
    regions, surface = mesh_regions(avatar, solid, oval), part_of_surface(avatar_surface(avatar), above)
    lights = [clip_light(avatar, take, video) for take in takes]
    return [
        Judged(avatar, take, regions, avatar.faces[above], None if light is None else surface, light)
        for take, light in zip(takes, lights, strict=True)
    ]


def judge_pair(judged: Judged, earlier: Sight, later: Sight) -> Pairing:
    """Compares the later frame with what the mesh makes of the earlier one."""
    rows = [earlier.frame, later.frame]
    vertices = np.concatenate(list(pose_vertices(judged.avatar, take_frames(judged.take, np.array(rows)))))
    K = [intrinsics_at(judged.take, row) for row in rows]
    before = Pose(vertices[0], earlier.crop.intrinsics(K[0]))
    after = Pose(vertices[1], later.crop.intrinsics(K[1]))
    warped = warp(before, after, judged.regions.faces, earlier.linear())
    truth = later.linear() * ~warped.hidden[..., None]
    regions = drawn_regions(judged.regions, after, SIDE)
    classes = region_iou(regions, later.regions)
    error = mse(warped.picture, truth)
    values = {
        "psnr": psnr(warped.picture, truth),
        "ssim": ssim(warped.picture, truth),
        "mse": 1000 * error,
        "iou": float(classes.mean()),
    }
    landmarks = project_points(mesh_landmarks(judged.avatar, vertices[1:])[0], after.K)
    evidence = Evidence(error, later, warped.picture, warped.hidden, landmarks, regions)
    return Pairing(
        values, classes, evidence, render_alone(judged, vertices[1], later.close_crop.intrinsics(K[1], CLOSE_SIZE))
    )


def mesh_landmarks(avatar: Avatar, vertices: np.ndarray) -> np.ndarray:
    """(T, 478, 3) MediaPipe's landmarks on meshes (T, V, 3)."""
    corners = avatar.faces[avatar.landmark_face]
    return np.einsum("lc,tlcx->tlx", avatar.landmark_bary, vertices[:, corners])


def render_alone(judged: Judged, vertices: np.ndarray, K: np.ndarray) -> np.ndarray:
    """The head on plain grey: with its own colours in the clip's light, in clay where it has none."""
    size = (CLOSE_SIZE, CLOSE_SIZE)
    return render_frame(vertices, judged.faces, K, size, surface=judged.surface, light=judged.light)
