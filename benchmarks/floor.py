"""What a head could do at best: the error of a take, and what is left with the best pose and weights of every frame.

    python benchmarks/floor.py PROJECT TAKE --truth NAME.npz --scorer SCRIPT [--steps 250]

The detrended reprojection of `SCRIPT` (% of the interocular distance), by region: first of TAKE, then of the pose and
the expressions that lie nearest to the truth's own points on this very head, found by Adam from the take on. What is
left then is the head's: its shape, its expressions, and where its surface was matched with the truth's (once, in the
most neutral frame). The rest was the tracker's. The rotation is the deviation of the head's turn from the truth's about
x, y and z, degrees, after one constant turn: of the take, and of the best poses, which is what shape and focal length
bring about.
"""

import argparse
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial.transform import Rotation
from torch import Tensor

from spark_backend.geometry.rotation import matrix_from_vector
from spark_backend.geometry.skinning import HeadPose, SkinnedHead, pose_vertices, rotations_from_weights, skinned_head
from spark_backend.protocol.avatar import Avatar, load_avatar
from spark_backend.protocol.posing import quaternion_to_matrix
from spark_backend.protocol.project import open_project
from spark_backend.protocol.take import Take, load_take
from spark_backend.render.decoder import Motion

REGIONS = ("lips", "eyelids", "brows", "nose", "chin", "cheeks", "forehead", "jaw")
RATES = {"weights": 0.02, "turn": 0.003, "place": 0.0005}
SLOWER = 0.985
"""Part of its rate that a step keeps of the last one's."""
SPARSITY = 0.02
PROBE = 1500
"""Points of the truth by which the surfaces are laid over each other."""


@dataclass(frozen=True)
class Truth:
    """What the head is compared with, `T` frames of `P` points."""

    pixels: Float[np.ndarray, "T P 2"]
    visible: Bool[np.ndarray, "T P"]
    unit: Float[np.ndarray, "T"]
    """Pixels between the eyes."""
    rotation: Float[np.ndarray, "T 3 3"]
    regions: Mapping[str, Int[np.ndarray, "N"]]


@dataclass(frozen=True)
class Match:
    """Where the truth's points are on the head."""

    corners: Int[Tensor, "P 3"]
    bary: Float[Tensor, "P 3"]


def main() -> None:
    """Prints both rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("take")
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--scorer", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=250)
    options = parser.parse_args()
    torch.set_num_threads(1)
    project, scorer = open_project(options.project), load_module(options.scorer)
    avatar, take = load_avatar(project.avatar_folder), load_take(project.take_path(options.take))
    gt, start = scorer.GT(options.truth), motion_of(avatar, take)
    if len(gt.pts) != len(take.pts):
        raise SystemExit(f"{options.take}: has {len(take.pts)} frames, the truth {len(gt.pts)}; track the whole clip")
    posed = partial(vertices, avatar, skinned_head(avatar))
    K = np.broadcast_to(take.K, (len(take.pts), 3, 3))
    with torch.no_grad():
        points = posed(start)
    content = {"vertices": points.numpy(), "faces": avatar.faces, "K": K, "pts": take.pts}
    truth, match = truth_of(scorer, gt), matched(scorer, gt, scorer.Pred(content, gt))
    columns = " | ".join(REGIONS)
    print(f"| | detrended | {columns} | rotation x, y, z |\n|---|---|{'---|' * len(REGIONS)}---|")
    cameras = torch.as_tensor(K.copy()).float()
    print_row("take", truth, projected(points, match, cameras).numpy(), start.rotation.numpy())
    centre = torch.as_tensor(avatar.neutral[avatar.regions["face"]].mean(0)).float()

    def seen(motion: Motion) -> Tensor:
        return projected(posed(motion), match, cameras)

    best = nearest(seen, start, centre, truth, options.steps)
    with torch.no_grad():
        pixels = seen(best)
    print_row("best on this head", truth, pixels.numpy(), best.rotation.numpy())


def load_module(path: Path) -> ModuleType:
    """The scorer, whose alignment of the surfaces is used."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def motion_of(avatar: Avatar, take: Take) -> Motion:
    """A take as tensors."""
    arrays = (
        take.weights[:, [take.names.index(name) for name in avatar.expression_names]],
        quaternion_to_matrix(take.head_rotation),
        take.head_translation,
        quaternion_to_matrix(take.neck),
    )
    return Motion(*(torch.as_tensor(np.ascontiguousarray(array)).float() for array in arrays))


def vertices(avatar: Avatar, head: SkinnedHead, motion: Motion) -> Float[Tensor, "T V 3"]:
    """Camera axes, metres."""
    joints = rotations_from_weights(avatar.rig, tuple(avatar.expression_names), motion.weights)
    pose = HeadPose(motion.rotation, motion.translation, motion.neck, **joints)
    return pose_vertices(head, motion.weights, pose)


def truth_of(scorer: ModuleType, gt: object) -> Truth:
    """Of the scorer's own reading of its file."""
    frames = range(len(gt.pts))
    pixels = np.stack([scorer.project(gt.K, gt.sub_cam(t)) for t in frames])
    unit = np.array([gt.K[0, 0] * gt.ipd / gt.cam(t, gt.eyes)[:, 2].mean() for t in frames])
    place = {vertex: number for number, vertex in enumerate(gt.sub)}
    regions = {name: np.array([place[v] for v in gt.reg[name] if v in place]) for name in REGIONS}
    return Truth(pixels, gt.vis & gt.mask[gt.sub], unit, gt.P[:, :3, :3], regions)


def matched(scorer: ModuleType, gt: object, prediction: object) -> Match:
    """The points of the truth on the nearest triangles, in the scorer's most neutral frame and by its alignment."""
    moving = [not name.startswith("eyeLook") for name in gt.names]
    turned = [scorer.angle(np.diag([1.0, -1, -1]) @ pose[:3, :3]) for pose in gt.P]
    activity = gt.w[:, moving].sum(1) + 0.03 * np.array(turned)
    frame = min((t for t in gt.dense if t in prediction.of), key=lambda t: activity[t])
    surface = scorer.Surface(prediction.verts(prediction.of[frame]), prediction.f)
    points = gt.cam(frame, gt.head_dense(frame))
    scored = np.flatnonzero(gt.mask)
    few = np.random.default_rng(0).choice(scored, min(PROBE, len(scored)), replace=False)
    scale, rotation, shift = scorer.icp(surface, points[few], scorer.initial(gt, prediction, frame, few), True)
    _, _, triangle, bary = surface.closest((points - shift) @ rotation / scale)
    corners = prediction.f[triangle[gt.sub]]
    return Match(torch.as_tensor(corners).long(), torch.as_tensor(bary[gt.sub]).float())


def projected(points: Float[Tensor, "T V 3"], match: Match, K: Float[Tensor, "T 3 3"]) -> Float[Tensor, "T P 2"]:
    """Pixels of the matched points."""
    flat = (points[:, match.corners] * match.bary[..., None]).sum(2) @ K.mT
    return flat[..., :2] / flat[..., 2:]


def nearest(
    seen: Callable[[Motion], Tensor], start: Motion, centre: Float[Tensor, "3"], truth: Truth, steps: int
) -> Motion:
    """Pose and weights for which the detrended error is least. `seen` gives the pixels (T, P, 2) of the points; heads
    turn about `centre`, avatar axes."""
    target, unit = torch.as_tensor(truth.pixels).float(), torch.as_tensor(truth.unit).float()[:, None, None]
    visible = torch.as_tensor(truth.visible).float()[..., None]
    moving = {
        "weights": start.weights.clone(),
        "turn": torch.zeros(len(start.weights), 3),
        "place": torch.zeros(len(start.weights), 3),
    }
    groups = [{"params": [value.requires_grad_()], "lr": RATES[name]} for name, value in moving.items()]
    adam = torch.optim.Adam(groups)
    slower = torch.optim.lr_scheduler.ExponentialLR(adam, SLOWER)

    def motion() -> Motion:
        rotation = matrix_from_vector(moving["turn"]) @ start.rotation
        shift = (start.rotation - rotation) @ centre + moving["place"]
        return Motion(moving["weights"], rotation, start.translation + shift, start.neck)

    for _ in range(steps):
        now = motion()
        error = 100 * (seen(now) - target) / unit * visible
        moved = (error - error.sum(0) / visible.sum(0).clamp(min=1)) * visible
        loss = (moved.square().sum(-1) + 0.01).sqrt().sum() / visible.sum() + SPARSITY * now.weights.sum(-1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        slower.step()
        with torch.no_grad():
            moving["weights"].clamp_(0, 1)
    with torch.no_grad():
        return motion()


def print_row(name: str, truth: Truth, pixels: np.ndarray, rotation: np.ndarray) -> None:
    """One row of the table."""
    error = 100 * (pixels - truth.pixels) / truth.unit[:, None, None]
    error[~truth.visible] = np.nan
    moved = np.linalg.norm(error - np.nanmean(error, 0, keepdims=True), axis=-1)
    regions = " | ".join(f"{np.nanmean(moved[:, rows]):.2f}" for rows in truth.regions.values())
    turn = ", ".join(f"{value:.2f}" for value in rotation_error(rotation, truth.rotation))
    print(f"| {name} | {np.nanmean(moved):.2f} | {regions} | {turn} |", flush=True)


def rotation_error(found: Float[np.ndarray, "T 3 3"], true: Float[np.ndarray, "T 3 3"]) -> Float[np.ndarray, "3"]:
    """Degrees about the camera's axes, after the constant turn between the two heads' own axes."""
    constant = np.einsum("tji,tjk->ik", found, true)
    left, _, right = np.linalg.svd(constant)
    constant = left @ np.diag([1, 1, np.linalg.det(left @ right)]) @ right
    apart = Rotation.from_matrix(found @ constant @ true.transpose(0, 2, 1)).as_rotvec(degrees=True)
    return apart.std(0)


if __name__ == "__main__":
    main()
