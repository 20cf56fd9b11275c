"""The landmarks' part of the cost: reprojection and openings, with derivatives."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry.landmarks import LIDS, LIPS
from .jacobian import jacobian, normal_equations, row_factors, variables
from .landmark_model import BY_GAZE, COLUMNS, ERROR, IRISES, LandmarkModel, Pose, identity_along, pose_landmarks
from .options import SolveOptions
from .state import Observations, State
from .surface_points import PosedPoints

# The height of an opening says "closed" better than either point.
UPPER, LOWER = ([pair[i] for pair in (*LIPS, *LIDS)] for i in (0, 1))
TOGETHER = [len(LIPS)] * len(LIPS) + [len(LIDS) // 2] * len(LIDS)
"""How many gaps an opening, the mouth's or an eye's, is seen by: both coordinates of all of them err together, and tell
no more than one would by itself."""


@dataclass(frozen=True)
class DataTerm:
    """Cost of each frame and its quadratic model in the frame's and the shared variables."""

    cost: Float[Tensor, "T"]
    blocks: Float[Tensor, "T D D"]
    gradient: Float[Tensor, "T D"]
    border: Float[Tensor, "T D G"]
    corner: Float[Tensor, "G G"]
    corner_gradient: Float[Tensor, "G"]

    def __add__(self, other: "DataTerm") -> "DataTerm":
        """Of two kinds of data about the same frames."""
        return DataTerm(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Projected:
    """Where a state puts the landmarks of `T` frames."""

    pose: Pose
    camera: Float[Tensor, "T L 3"]
    """Camera axes."""
    pixels: Float[Tensor, "T L 2"]
    """From the principal point."""


def projected(model: LandmarkModel, state: State, seen: Observations) -> Projected:
    """The landmarks of a state; half of what its cost takes, and the same for its derivatives."""
    pose = pose_landmarks(model, state.identity, state.weights, state.gaze)
    return Projected(pose, *project_landmarks(state, seen, pose))


def project_landmarks(state: State, seen: Observations, pose: Pose) -> tuple[Tensor, Tensor]:
    """Points in camera axes (T, L, 3) and pixels from the principal point (T, L, 2)."""
    camera = pose.points @ state.rotation.mT + state.translation[:, None]
    focal = state.log_focal.exp()[seen.clip][:, None, None]
    return camera, focal * camera[..., :2] / camera[..., 2:]


def landmark_precision(
    model: LandmarkModel, state: State, seen: Observations, options: SolveOptions
) -> Float[Tensor, "T R"]:
    """Inverse standard deviation of each landmark, then of each opening, in interocular units.

    Less where the surface turns away, and of a landmark less where the expression has carried it far: there the model's
    idea of the expression errs, and the head's pose must not make up for it. An opening is as sure in a blink as ever.
    """
    still = torch.zeros_like(state.weights[:1]), torch.zeros_like(state.gaze[:1])
    rest = pose_landmarks(model, state.identity, *still).points
    carried = (pose_landmarks(model, state.identity, state.weights, state.gaze).points - rest).norm(dim=-1)
    carried[:, [row for rows in IRISES for row in rows]] = 0
    interocular = (model.pivots[1] - model.pivots[2]).norm()
    place = model.sigma.clamp(max=options.place_noise)
    spread = place.square() + (options.expression_noise * carried).square()
    sigma = (options.noise**2 + spread / interocular**2).sqrt()
    facing = -(model.normal @ state.rotation.mT)[..., 2]
    visible = ((facing + 0.25) / 0.75).clamp(0.15, 1)
    openings = visible[:, UPPER].minimum(visible[:, LOWER]) / visible.new_tensor(opening_deviation(options))
    for iris, lids in zip(IRISES, (LIDS[3:], LIDS[:3]), strict=True):
        visible[:, list(iris)] *= openness(seen, lids)[:, None]
    return torch.cat([options.evidence**0.5 * visible / sigma, openings], 1)


def opening_deviation(options: SolveOptions) -> Float[np.ndarray, "O"]:
    """Standard deviation of the height of each opening, both coordinates alike, in interocular units."""
    return options.aperture_noise * np.sqrt(2 * np.array(TOGETHER))


def openness(seen: Observations, lids: tuple[tuple[int, int], ...]) -> Float[Tensor, "T"]:
    """How much of an iris is seen between its lids, from 0.02 (closed: its landmarks are a guess) to 1."""
    upper, lower = ([pair[i] for pair in lids] for i in (0, 1))
    gap = (seen.landmarks[:, lower] - seen.landmarks[:, upper]).norm(dim=-1).mean(-1) / seen.scale
    return ((gap - 0.04) / 0.06).clamp(0.02, 1)


def robust_cost(square: Tensor, options: SolveOptions) -> tuple[Tensor, Tensor]:
    """Cauchy's loss of squared errors, and the weight that makes it quadratic (for reweighted least squares)."""
    width = options.outlier**2
    return 0.5 * width * torch.log1p(square / width), 1 / (1 + square / width)


def data_cost(
    there: Projected, seen: Observations, precision: Float[Tensor, "T R"], options: SolveOptions
) -> Float[Tensor, "T"]:
    """Only the cost, for trying a step."""
    return residuals(seen, precision, options, there.pixels)[2]


def residuals(
    seen: Observations, precision: Tensor, options: SolveOptions, pixels: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Errors of points and openings (T, R, 2) in interocular units, their precisions (T, R), and the cost (T,)."""
    points = (pixels - seen.landmarks) / seen.scale[:, None, None]
    openings = points[:, UPPER] - points[:, LOWER]
    # Cauchy's scale is in nominal standard deviations, so the evidence factor must not widen it.
    precision, opening_precision = precision.split([points.shape[1], len(UPPER)], 1)
    error = (points * precision[..., None]).square().sum(-1)
    cost, weight = robust_cost(error / options.evidence, options)
    opening_error = (openings * opening_precision[..., None]).square().sum(-1)
    total = options.evidence * cost.sum(-1) + 0.5 * opening_error.sum(-1)
    return (
        torch.cat([points, openings], 1),
        torch.cat([precision * weight.sqrt(), opening_precision], 1),
        total,
    )


def data_term(
    model: LandmarkModel,
    there: Projected,
    state: State,
    seen: Observations,
    precision: Float[Tensor, "T R"],
    options: SolveOptions,
    shared: bool,
) -> DataTerm:
    """Cost and Gauss-Newton model of the frames, whose state puts the landmarks `there`; `shared` adds identity and
    focal lengths."""
    pose, camera, pixels = there.pose, there.camera, there.pixels
    error, precision, cost = residuals(seen, precision, options, pixels)
    by_camera = camera_derivative(camera, state.log_focal.exp()[seen.clip])
    by_scale = by_camera / seen.scale[:, None, None, None]
    posed = PosedPoints(camera, pose.hung, pose.jaw)
    rows = landmark_rows(model, state, pose, posed, by_scale, error, precision).flatten(0, 1)
    by = variables(model.rig, state.gaze)
    blocks, gradient = normal_equations(rows, by)
    rest = gradient.new_zeros(*error.shape, 0)
    if shared:
        by_focal = focal_columns(state, seen, pixels) / seen.scale[:, None, None, None]
        rest = torch.cat([identity_along(model, pose, by_scale @ state.rotation[:, None]), by_focal], -1)
        rest = torch.cat([rest, rest[:, UPPER] - rest[:, LOWER]], 1) * precision[..., None, None]
    rest = rest.float().flatten(1, 2)
    border, corner = (rows.permute(1, 2, 0) @ rest).double(), rest.flatten(0, 1)
    return DataTerm(
        cost=cost,
        blocks=blocks,
        gradient=gradient,
        border=by.mT @ border,
        corner=(corner.mT @ corner).double(),
        corner_gradient=border[:, ERROR].sum(0),
    )


def landmark_rows(
    model: LandmarkModel,
    state: State,
    pose: Pose,
    posed: PosedPoints,
    row: Float[Tensor, "T L 2 3"],
    error: Float[Tensor, "T R 2"],
    precision: Float[Tensor, "T R"],
) -> Float[Tensor, "R 2 T C"]:
    """Change of points and openings times their precision, float32: far more exact than landmarks are.

    `row` is what is seen by camera coordinates.
    """
    weight, count = precision[..., None, None].float(), len(model.basis)
    factors = row_factors(model.rig, posed, state, row, error[:, :count])
    result = torch.empty(*precision.shape[1:], 2, len(row), COLUMNS)
    points = jacobian(factors * weight[:, :count], model.basis, out=result[:count])
    for eye, (rows, turn) in enumerate(zip(IRISES, pose.eyes, strict=True)):
        local = (row[:, rows] @ state.rotation[:, None]) * weight[:, rows]
        for column, slope in ((2 * eye, turn.by_yaw), (2 * eye + 1, turn.by_pitch)):
            turned = (local @ (turn.arm @ slope.mT)[..., None])[..., 0]
            points[list(rows), ..., BY_GAZE.start + column] = turned.permute(1, 2, 0).float()
    # The error of an opening is the difference of its points' errors, as its change is of their changes.
    both = torch.cat([factors[:, UPPER], -factors[:, LOWER]], -1) * weight[:, count:]
    jacobian(both, torch.cat([model.basis[UPPER], model.basis[LOWER]], 1), out=result[count:])
    return result


def camera_derivative(camera: Float[Tensor, "T L 3"], focal: Float[Tensor, "T"]) -> Float[Tensor, "T L 2 3"]:
    """Pixels by camera coordinates."""
    x, y, z = camera.unbind(-1)
    zero = torch.zeros_like(x)
    rows = (torch.stack([1 / z, zero, -x / z**2], -1), torch.stack([zero, 1 / z, -y / z**2], -1))
    return focal[:, None, None, None] * torch.stack(rows, -2)


def focal_columns(state: State, seen: Observations, pixels: Tensor) -> Float[Tensor, "T L 2 C"]:
    """Pixels by the logarithm of each clip's focal length."""
    owns = torch.nn.functional.one_hot(seen.clip, len(state.log_focal)).to(pixels.dtype)
    return pixels[..., None] * owns[:, None, None]
