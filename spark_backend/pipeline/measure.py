"""The figures that a report shows: how well a take fits the clip, how still it is, how far it is from a known truth."""

from dataclasses import dataclass

import numpy as np

from ..evaluate.curves import correlation
from ..evaluate.landmarks import LEFT_IRIS, RIGHT_IRIS
from ..protocol.avatar import Avatar
from ..protocol.posing import pose_vertices, quaternion_to_matrix
from ..protocol.project import Frames
from ..protocol.take import Take
from .views import intrinsics_at, project_points


@dataclass(frozen=True)
class ClipFigures:
    """What can be said of a take without knowing the truth."""

    reprojection: float
    """Mean distance of the 478 landmarks, in % of the distance between the pupils in the picture."""
    jitter: float
    """Mean second difference of the face's vertices in camera axes, millimetres."""
    found: int
    """Frames in which the face was found."""
    frames: int


def clip_figures(avatar: Avatar, take: Take, frames: Frames) -> ClipFigures:
    """Compares a take with the landmarks of the clip it was tracked on."""
    triangles = avatar.faces[avatar.landmark_face]
    face = avatar.regions["face"]
    errors, surface = [], []
    row = 0
    for block in pose_vertices(avatar, take):
        points = np.einsum("lc,tlcx->tlx", avatar.landmark_bary, block[:, triangles])
        for frame in range(len(block)):
            if frames.valid[row] and take.valid[row]:
                pixels = project_points(points[frame], intrinsics_at(take, row))
                errors.append(landmark_error(pixels, frames.landmarks[row]))
            row += 1
        surface.append(block[:, face])
    jitter = second_difference(np.concatenate(surface), frames.valid & take.valid)
    return ClipFigures(float(np.mean(errors)) if errors else np.nan, jitter, int(frames.valid.sum()), len(frames.pts))


def landmark_error(predicted: np.ndarray, observed: np.ndarray) -> float:
    """Mean distance of (478, 2) and (478, 2 or 3) pixels, in % of the distance between the observed pupils."""
    unit = np.linalg.norm(observed[LEFT_IRIS, :2] - observed[RIGHT_IRIS, :2])
    return float(100 * np.linalg.norm(predicted - observed[:, :2], axis=-1).mean() / unit)


def second_difference(points: np.ndarray, valid: np.ndarray) -> float:
    """Mean |x[t-1] - 2 x[t] + x[t+1]| of (T, V, 3) metres over three frames in a row that are valid, millimetres."""
    whole = valid[:-2] & valid[1:-1] & valid[2:]
    if not whole.any():
        return float("nan")
    change = points[:-2] - 2 * points[1:-1] + points[2:]
    return float(1000 * np.linalg.norm(change[whole], axis=-1).mean())


@dataclass(frozen=True)
class TruthFigures:
    """How far a take is from the performance that made the clip. Frames that were not seen do not count."""

    correlation: float
    """Mean Pearson correlation of the weights that move (standard deviation of the truth above 0.05)."""
    weight_error: float
    """Mean absolute error of all 52 weights."""
    rotation: float
    """Mean angle between the head's orientations, degrees, after the one constant rotation that fits best.

    What is constant is the question which way a face looks at rest; it differs from head to head.
    """
    reprojection: float
    """Mean distance of the face's vertices in the picture, in % of the distance between the pupils."""
    jitter: float
    """Mean second difference of the face's vertices, millimetres."""
    true_jitter: float
    """The same of the truth, whose motion is not jitter."""


def truth_figures(avatar: Avatar, take: Take, true_avatar: Avatar, truth: Take) -> TruthFigures:
    """Compares a take with the truth, frame by frame; both heads have the same topology."""
    seen = take.valid & truth.valid
    names = [name for name in truth.names if name in take.names]
    found = np.stack([take.weight(name) for name in names], 1)[seen]
    known = np.stack([truth.weight(name) for name in names], 1)[seen]
    moving = known.std(0) > 0.05
    face = true_avatar.regions["face"]
    points = np.concatenate([block[:, face] for block in pose_vertices(avatar, take)])
    true_points = np.concatenate([block[:, face] for block in pose_vertices(true_avatar, truth)])
    return TruthFigures(
        float(np.mean([correlation(found[:, i], known[:, i]) for i in np.flatnonzero(moving)])),
        float(np.abs(found - known).mean()),
        rotation_error(take.head_rotation[seen], truth.head_rotation[seen]),
        vertex_error(points, take, true_points, truth, pupils(true_avatar, truth), seen),
        second_difference(points, seen),
        second_difference(true_points, seen),
    )


def rotation_error(found: np.ndarray, truth: np.ndarray) -> float:
    """Mean angle in degrees between (T, 4) quaternions after the constant turn of the head that fits best."""
    a, b = quaternion_to_matrix(found), quaternion_to_matrix(truth)
    left, _, right = np.linalg.svd(np.einsum("tji,tjk->ik", a, b))
    offset = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    rest = np.einsum("tij,jk,tlk->til", a, offset, b)
    cosine = (np.trace(rest, axis1=1, axis2=2) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean())


def pupils(avatar: Avatar, take: Take) -> np.ndarray:
    """(T, 2, 2) pixels of the left and right pupil."""
    chosen = [LEFT_IRIS, RIGHT_IRIS]
    triangles, bary = avatar.faces[avatar.landmark_face[chosen]], avatar.landmark_bary[chosen]
    points = np.concatenate([np.einsum("lc,tlcx->tlx", bary, b[:, triangles]) for b in pose_vertices(avatar, take)])
    return project_points(points, take.K)


def vertex_error(
    points: np.ndarray, take: Take, true_points: np.ndarray, truth: Take, eyes: np.ndarray, seen: np.ndarray
) -> float:
    """Mean distance in the picture of (T, V, 3) from (T, V, 3), in % of the distance between the pupils (T, 2, 2)."""
    distance = np.linalg.norm(project_points(points, take.K) - project_points(true_points, truth.K), axis=-1).mean(1)
    unit = np.linalg.norm(eyes[:, 0] - eyes[:, 1], axis=-1)
    return float(100 * (distance / unit)[seen].mean())
