"""How points move with the variables of their frame, and the normal equations of that.

Along a row vector, a point's change by every variable is linear in fourteen numbers of the row, which depend on the
frame; what they are multiplied with is the point's own (`landmark_model.motion_basis`). So the derivatives of all
frames are one product of matrices a point. The error is a fifteenth number that stays what it is: then one more
product, the square, is all that a least-squares step needs, and nothing is copied in between.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..protocol.avatar import Rig
from ..protocol.names import ARKIT_52
from .landmark_model import BY_GAZE, BY_WEIGHT, COLUMNS, ERROR, FREE_INDEX, look_channels
from .state import FRAME_SIZE, GAZES, PLACE, WEIGHTS, State
from .surface_points import PosedPoints

TURN_FACTORS = slice(6, 9)
"""Of the fourteen numbers those that are the change by the head's turn."""


def row_factors(
    rig: Rig,
    posed: PosedPoints,
    state: State,
    row: Float[Tensor, "T P R 3"],
    error: Float[Tensor, "T P R"],
) -> Float[Tensor, "T P R 15"]:
    """The fourteen numbers of each row (camera axes), and the error along it; float32."""
    points, rows = row.shape[1:3]
    flat, by_open, by_side = row.float().flatten(1, 2), posed.jaw.by_open.float(), posed.jaw.by_side.float()
    local = flat @ state.rotation.float()
    camera, hung = (part.float().repeat_interleave(rows, 1) for part in (posed.camera, posed.hung))
    parts = (
        local,
        local @ posed.jaw.turn.float(),
        torch.linalg.cross(camera - state.translation.float()[:, None], flat),
        flat[..., :2] * state.place[:, 2].exp().float()[:, None, None],
        flat @ state.translation.float()[..., None],
        rig.jaw_open * ((local @ by_open) * hung).sum(-1, keepdim=True),
        rig.jaw_side * ((local @ by_side) * hung).sum(-1, keepdim=True),
        error.float().flatten(1)[..., None],
    )
    return torch.cat(parts, -1).unflatten(1, (points, rows))


def jacobian(
    factors: Float[Tensor, "T P R N"], basis: Float[Tensor, "P N C"], out: Float[Tensor, "P R T C"] | None = None
) -> Float[Tensor, "P R T C"]:
    """Change along the rows by `COLUMNS`, and the error, float32."""
    count, points, rows, _ = factors.shape
    flat = factors.permute(1, 2, 0, 3).reshape(points, rows * count, -1)
    result = torch.empty(points, rows, count, COLUMNS) if out is None else out
    torch.bmm(flat, basis, out=result.view(points, rows * count, COLUMNS))
    return result


def variables(rig: Rig, gaze: Float[Tensor, "T 4"]) -> Float[Tensor, "T C D"]:
    """What `COLUMNS` are of the frame's variables: a gaze turns the eyes and, where it looks, moves the lids."""
    result = torch.zeros(len(gaze), COLUMNS, FRAME_SIZE, dtype=torch.float64)
    rigid, own = torch.arange(PLACE.stop), torch.arange(FRAME_SIZE)
    result[:, rigid, rigid] = 1
    result[:, BY_WEIGHT.start + torch.tensor(FREE_INDEX), own[WEIGHTS]] = 1
    result[:, torch.arange(COLUMNS)[BY_GAZE], own[GAZES]] = 1
    for name, column, factor in look_channels(rig):
        active = (gaze[:, column] * factor > 0) * factor
        result[:, BY_WEIGHT.start + ARKIT_52.index(name), GAZES.start + column] = active.double()
    return result


def normal_equations(
    rows: Float[Tensor, "N T C"], by: Float[Tensor, "T C D"]
) -> tuple[Float[Tensor, "T D D"], Float[Tensor, "T D"]]:
    """Square and gradient of weighted rows; `by` is that of `variables`."""
    each = rows.transpose(0, 1)
    square = by.mT @ (each.mT @ each).double()
    return square @ by, square[..., ERROR]
