"""What a fit is asked for: each loss a pure function of prediction and batch, all of them in one table.

Each is of order one when its subject is badly off; docs/fit.md says what each is for.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

from ...encoders.perceptual import perceptual_distance
from ...geometry.landmarks import LIDS, LIPS
from ...render.colour import srgb_from_linear
from .prediction import Batch, Prediction

Loss = Callable[[Prediction, Batch], Tensor]

COLOUR = 0.05
"""Difference, in roots of linear colour, from which a pixel is more and more taken for something else (Cauchy)."""
PLACE = 0.03
"""The same for landmarks, in distances between the pupils."""
IRISES = tuple(range(468, 478))
NETWORK_SIDE = 256
"""Pixels of the pictures that the landmark network takes."""
SKIN_TONE = (0.44, 0.26, 0.17)
OFFSET = 0.002
"""Metres of a usual offset of the neutral."""


def robust(square: Tensor) -> Tensor:
    """Cauchy's loss of squared errors in units of its scale."""
    return torch.log1p(square)


def photometric(prediction: Prediction, batch: Batch) -> Tensor:
    """Colours of the skin, pixel by pixel."""
    square = (prediction.picture - batch.picture).square().sum(-1) / COLOUR**2
    return (prediction.weight * robust(square)).sum() / prediction.weight.sum().clamp(min=1)


def perceptual(prediction: Prediction, batch: Batch) -> Tensor:
    """The same faces to MediaPipe's landmark network: edges of lids and lips, brows, nostrils, whatever their light."""
    features = prediction.setup.features
    with torch.no_grad():
        seen = features(crop_for_network(batch.picture))
    return perceptual_distance(features(crop_for_network(put_into_frames(prediction, batch))), seen).mean()


def redetected(prediction: Prediction, batch: Batch) -> Tensor:
    """MediaPipe's landmark network finds the face at the same places in the picture of the head as in the frame.

    Both are its own answers, so that its habits with a face, which bend `landmarks`, fall out.
    """
    detector = prediction.setup.detector
    with torch.no_grad():
        seen = detector(crop_for_network(batch.picture)).landmarks
    again = detector(crop_for_network(put_into_frames(prediction, batch))).landmarks
    pupils = (seen[:, IRISES[0], :2] - seen[:, IRISES[5], :2]).norm(dim=-1)
    error = (again - seen)[..., :2] / pupils[:, None, None]
    return robust((error / PLACE).square().sum(-1)).mean()


def put_into_frames(prediction: Prediction, batch: Batch) -> Float[Tensor, "B S S 3"]:
    """What is drawn, and outside the mask the frames' own."""
    inside = batch.mask[..., None]
    return inside * prediction.picture + (1 - inside) * batch.picture


def crop_for_network(picture: Float[Tensor, "B S S 3"]) -> Float[Tensor, "B N N 3"]:
    """A picture of roots of linear colour in sRGB, of the network's size."""
    srgb = srgb_from_linear(picture.square())
    if srgb.shape[1] == NETWORK_SIDE:
        return srgb
    side = (NETWORK_SIDE, NETWORK_SIDE)
    return interpolate(srgb.permute(0, 3, 1, 2), side, mode="bilinear", antialias=True).permute(0, 2, 3, 1)


def landmark_offsets(prediction: Prediction) -> Tensor:
    """(B, 478, 2) errors in distances between the pupils."""
    shots, rows = prediction.setup.shots, prediction.rows
    return (prediction.landmarks - shots.landmarks[rows]) / shots.unit[rows][:, None, None]


def landmarks(prediction: Prediction, batch: Batch) -> Tensor:
    """Places of the dense landmarks where the skin faces the camera."""
    error = landmark_offsets(prediction)[:, : IRISES[0]]
    facing = prediction.facing[:, : IRISES[0]]
    return (facing * robust((error / PLACE).square().sum(-1))).sum() / facing.sum()


def iris(prediction: Prediction, batch: Batch) -> Tensor:
    """Places of the irises, which follow gaze and eyeballs."""
    error = landmark_offsets(prediction)[:, list(IRISES)]
    return robust((error / PLACE).square().sum(-1)).mean()


def openings(prediction: Prediction, pairs: tuple[tuple[int, int], ...]) -> Tensor:
    """How wide lips or lids are open against what is seen."""
    upper, lower = ([pair[i] for pair in pairs] for i in (0, 1))
    error = landmark_offsets(prediction)
    return robust(((error[:, upper] - error[:, lower]) / (0.5 * PLACE)).square().sum(-1)).mean()


def lips(prediction: Prediction, batch: Batch) -> Tensor:
    """Lips meet when they are seen to meet."""
    return openings(prediction, LIPS)


def lids(prediction: Prediction, batch: Batch) -> Tensor:
    """Lids are as open as they are seen to be."""
    return openings(prediction, LIDS)


def albedo_smooth(prediction: Prediction, batch: Batch) -> Tensor:
    """Neighbouring texels are alike, but for edges."""
    albedo = prediction.parameters["albedo"]
    parts = [(albedo.diff(dim=axis).square().sum(-1) + 1e-6).sqrt().mean() for axis in (0, 1)]
    return 10 * sum(parts)


def skin(prediction: Prediction, batch: Batch) -> Tensor:
    """The map's mean hue is skin's: what is left of a cast is the light's."""
    tone = prediction.parameters["albedo"].square().mean((0, 1))
    usual = tone.new_tensor(SKIN_TONE)
    hue = (tone / tone.sum()).clamp(min=1e-4).log() - (usual / usual.sum()).log()
    return hue.square().sum() + 0.1 * (tone.mean() / usual.mean()).clamp(min=1e-4).log().square()


def white_light(prediction: Prediction, batch: Batch) -> Tensor:
    """Light has little colour, and none of its own from side to side."""
    light = prediction.parameters["light"]
    return (light - light.mean(-1, keepdim=True)).square().sum((1, 2)).mean()


def identity(prediction: Prediction, batch: Batch) -> Tensor:
    """People like others: coefficients are standard normal."""
    return (prediction.parameters["identity"] + prediction.setup.model.start).square().sum()


def focal(prediction: Prediction, batch: Batch) -> Tensor:
    """Focal lengths are near what was thought before, and alike in all clips."""
    change = prediction.parameters["focal"]
    return change.mean().square() + 10 * (change - change.mean()).square().mean()


def sparsity(prediction: Prediction, batch: Batch) -> Tensor:
    """Few expressions at a time."""
    return prediction.weights.sum(-1).mean()


def near_solve(prediction: Prediction, batch: Batch) -> Tensor:
    """Frames do about what the whole clip's solve says."""
    values = prediction.parameters
    turn, place, weights = (values[name][batch.rows] for name in ("turn", "place", "weights"))
    parts = ((turn / 0.05).square(), (place / 0.01).square(), (weights / 0.2).square())
    return sum(part.sum(-1).mean() for part in parts)


def offset_size(prediction: Prediction, batch: Batch) -> Tensor:
    """Small offsets of the neutral."""
    return (prediction.offsets / OFFSET).square().sum(-1).mean()


def bending(prediction: Prediction, batch: Batch) -> Tensor:
    """Neighbouring vertices are offset alike: the surface keeps its small shapes."""
    start, end = prediction.setup.edges.T
    step = prediction.offsets[start] - prediction.offsets[end]
    return (step / (0.1 * OFFSET)).square().sum(-1).mean()


def expression_size(prediction: Prediction, batch: Batch) -> Tensor:
    """Expressions are about the generic ones."""
    return (prediction.parameters["expressions"] / 0.3).square().sum((1, 2)).mean()


def symmetry(prediction: Prediction, batch: Batch) -> Tensor:
    """What is learnt of one side holds for the other, as far as nothing says otherwise."""
    fields, amounts = prediction.setup.model.fields, prediction.parameters["expressions"]
    other = amounts[fields.mirror_name][:, fields.mirror_place] * amounts.new_tensor([-1.0, 1, 1])
    return ((amounts - other) / 0.3).square().sum((1, 2)).mean()


LOSSES: dict[str, Loss] = {
    loss.__name__: loss
    for loss in (
        *(photometric, perceptual, redetected, landmarks, iris, lips, lids),
        *(albedo_smooth, skin, white_light),
        *(identity, offset_size, bending, expression_size, symmetry),
        *(focal, sparsity, near_solve),
    )
}
