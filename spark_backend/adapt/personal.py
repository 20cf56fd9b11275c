"""The encoder learns one person: from renders of their own avatar, whose truth is known, and from their real frames.

What the person does in real frames is told by the slow solver (`pipeline/teacher.py`). The heads must say the same of
the frame as it is, and out of focus, in other light, compressed, in another crop, behind a hand. All but their last
layer rests, and that one is held near the generic one: a few hundred frames of one person teach no more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..encoders.readout import MOVED_UNIT, Answer, Readout
from ..geometry.landmarks import LIDS, LIPS, LandmarkHead
from .sights import Sights, Taught
from .train import LOSS_WEIGHTS, LOSSES, Lessons, Stage, dropping, known_person, spreads


@dataclass(frozen=True)
class Person:
    """What is known of the person while the encoder learns; lengths in metres, avatar axes."""

    head: LandmarkHead
    offset: Float[Tensor, "478 3"]
    """Where the landmark network sees their landmarks beyond where they are."""


@dataclass(frozen=True)
class Believed:
    """What the heads believe of real frames, beside what is taught of them."""

    answer: Answer
    taught: Taught
    shape: Float[Tensor, "B 478 3"]
    """Landmarks of the answer's expression, metres, in the skull's frame."""
    true_shape: Float[Tensor, "B 478 3"]
    spread: Float[Tensor, "52"]


def expression_loss(believed: Believed) -> Float[Tensor, ""]:
    """Squared errors of the weights in units of how much each of them moves."""
    return ((believed.answer.weights - believed.taught.weights) / believed.spread).square().mean()


def rotation_loss(believed: Believed) -> Float[Tensor, ""]:
    """Squared chordal distance."""
    return (believed.answer.rotation - believed.taught.rotation).square().sum((1, 2)).mean()


def shape_loss(believed: Believed) -> Float[Tensor, ""]:
    """Where the landmarks are, so that a weight counts by what it moves."""
    return ((believed.shape - believed.true_shape) / MOVED_UNIT).square().mean()


def opening_loss(believed: Believed, pairs: tuple[tuple[int, int], ...]) -> Float[Tensor, ""]:
    """How far upper and lower points are apart."""
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    error = (believed.shape - believed.true_shape) / MOVED_UNIT
    return (error[:, upper] - error[:, lower]).square().mean()


REAL_LOSSES: Mapping[str, Callable[[Believed], Tensor]] = {
    "expression": expression_loss,
    "rotation": rotation_loss,
    "shape": shape_loss,
    "lips": lambda believed: opening_loss(believed, LIPS),
    "lids": lambda believed: opening_loss(believed, LIDS),
}


@dataclass(frozen=True)
class Curriculum:
    """How a person is learned."""

    stage: Stage
    real: Mapping[str, float]
    """Weight of each of `REAL_LOSSES`."""
    own: float
    """Weight of what the own renders teach; 0 leaves them out."""
    disturbed: bool
    """Whether the disturbed twins of real frames are learned from too."""
    anchor: float
    """How much the heads' last layer is held near the generic one, while all before it rests; 0 lets all of it go."""
    patience: int
    """Epochs without a gain on the validation clip after which to stop."""


def real_loss(readout: Readout, sights: Sights, person: Person, spread: Tensor, plan: Curriculum) -> Tensor:
    """What real frames teach, as they are and disturbed."""
    glances = (sights.clean, sights.disturbed) if plan.disturbed else (sights.clean,)
    answers = [readout.answer(glance, person.head.rest, person.offset) for glance in glances]
    true_shape, *shapes = (person.head.shaped(said.weights.clamp(0, 1)) for said in (sights.taught, *answers))
    believed = [
        Believed(answer, sights.taught, shape, true_shape, spread)
        for answer, shape in zip(answers, shapes, strict=True)
    ]
    terms = [weight * REAL_LOSSES[name](one) for one in believed for name, weight in plan.real.items()]
    return sum(terms, torch.zeros(())) / len(glances)


def own_loss(readout: Readout, lessons: Lessons, stage: Stage, spread: Tensor, generator: torch.Generator) -> Tensor:
    """What renders of the person's own avatar teach."""
    known = known_person(lessons, stage, generator)
    answer = readout.answer(lessons.glance, *known, dropping(stage, generator))
    return sum(factor * LOSSES[name](answer, lessons, spread) for name, factor in LOSS_WEIGHTS.items())


def departure(readout: Readout, start: Mapping[str, Tensor]) -> Float[Tensor, ""]:
    """Squared distance of the last layer from where it started: what a ridge regression of its outputs pays."""
    return sum((value - start[f"leave.{name}"]).square().sum() for name, value in readout.leave.named_parameters())


def judge(readout: Readout, sights: Sights, person: Person, lessons: Lessons, plan: Curriculum) -> float:
    """How wrong the heads are about frames and renders that they do not learn from."""
    spread = spreads(lessons)
    with torch.no_grad():
        real = real_loss(readout, sights, person, spread, plan)
        answer = readout.answer(lessons.glance, person.head.rest, lessons.offset[lessons.person])
        own = sum(factor * LOSSES[name](answer, lessons, spread) for name, factor in LOSS_WEIGHTS.items())
        return float(real + plan.own * own)


def halved(plan: Curriculum) -> Curriculum:
    """The same with half of the batch, for when memory runs out."""
    return replace(plan, stage=replace(plan.stage, batch=max(1, plan.stage.batch // 2)))
