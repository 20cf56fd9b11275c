"""The encoder learns one person: from renders of their own avatar, whose truth is known, and from their real frames.

What real frames teach without labels: the expression must bring the avatar's landmarks, lips, lids and irises to where
they are seen (as far as the network's own offset for this person allows), and it must not depend on focus, light,
compression, the crop, or what is in front of a part of the face.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..encoders.alignment import align
from ..encoders.readout import MOVED_UNIT, Answer, Glance, Readout
from ..geometry.landmarks import LandmarkHead
from .sights import Sights
from .train import LOSS_WEIGHTS, LOSSES, Lessons, Stage, dropping, known_person, spreads

LIPS = ((13, 14), (82, 87), (312, 317), (81, 178), (311, 402), (80, 88), (310, 318))
LIDS = ((159, 145), (158, 153), (160, 144), (386, 374), (385, 380), (387, 373))
IRISES = tuple(range(468, 478))
FAR = 2.0
"""Errors beyond so many `MOVED_UNIT` cost less than their square."""


@dataclass(frozen=True)
class Person:
    """What is known of the person while the encoder learns; lengths in metres, avatar axes."""

    head: LandmarkHead
    offset: Float[Tensor, "478 3"]
    """Where the landmark network sees their landmarks beyond where they are."""


@dataclass(frozen=True)
class Believed:
    """What the heads believe of real frames, and what they believed before."""

    answer: Answer
    disturbed: Answer
    before: Float[Tensor, "B 52"]
    """Weights by the generic heads."""
    moved: Float[Tensor, "B 478 3"]
    """Displacements of the landmarks by the expression, as the alignment would see them."""
    seen: Float[Tensor, "B 478 3"]
    """The same as the network sees them, its offset taken off."""
    spread: Float[Tensor, "52"]


def seen_displacements(glance: Glance, person: Person) -> Float[Tensor, "B 478 3"]:
    """Displacements of the landmarks as the network sees them."""
    return align(glance.landmarks, person.head.rest).moved - person.offset


def expected_displacements(answer: Answer, person: Person) -> Float[Tensor, "B 478 3"]:
    """Displacements that the weights make, seen from the same side."""
    points = person.head.shaped(answer.weights.clamp(0, 1))
    return align(points @ answer.rotation.mT, person.head.rest).moved


def landmark_loss(believed: Believed) -> Float[Tensor, ""]:
    """All landmarks but the irises."""
    error = (believed.moved - believed.seen)[:, : IRISES[0]] / MOVED_UNIT
    return F.huber_loss(error, torch.zeros_like(error), delta=FAR)


def opening_loss(believed: Believed, pairs: tuple[tuple[int, int], ...]) -> Float[Tensor, ""]:
    """How far upper and lower points are apart."""
    upper, lower = (list(side) for side in zip(*pairs, strict=True))
    error = (believed.moved - believed.seen) / MOVED_UNIT
    return (error[:, upper] - error[:, lower]).square().mean()


def gaze_loss(believed: Believed) -> Float[Tensor, ""]:
    """The irises."""
    error = (believed.moved - believed.seen)[:, list(IRISES)] / MOVED_UNIT
    return F.huber_loss(error, torch.zeros_like(error), delta=FAR)


def steadfast_loss(believed: Believed) -> Float[Tensor, ""]:
    """The disturbed frame must give what the clean one gives."""
    weights = ((believed.disturbed.weights - believed.answer.weights.detach()) / believed.spread).square().mean()
    turn = (believed.disturbed.rotation - believed.answer.rotation.detach()).square().sum((1, 2)).mean()
    return weights + 10 * turn


def expression_loss(believed: Believed) -> Float[Tensor, ""]:
    """Not far from what the generic heads said."""
    return ((believed.answer.weights - believed.before) / believed.spread).square().mean()


REAL_LOSSES: Mapping[str, Callable[[Believed], Tensor]] = {
    "landmarks": landmark_loss,
    "lips": lambda believed: opening_loss(believed, LIPS),
    "lids": lambda believed: opening_loss(believed, LIDS),
    "gaze": gaze_loss,
    "steadfast": steadfast_loss,
    "expression": expression_loss,
}


@dataclass(frozen=True)
class Curriculum:
    """How a person is learned."""

    stage: Stage
    real: Mapping[str, float]
    """Weight of each of `REAL_LOSSES`."""
    own: float
    """Weight of what the own renders teach; 0 leaves them out."""
    patience: int
    """Epochs without a gain on the validation clip after which to stop."""


def believe(readout: Readout, sights: Sights, before: Tensor, person: Person, spread: Tensor) -> Believed:
    """The heads' answers about real frames and what follows from them."""
    rest = person.head.rest
    answer = readout.answer(sights.clean, rest, person.offset)
    return Believed(
        answer,
        readout.answer(sights.disturbed, rest, person.offset),
        before,
        expected_displacements(answer, person),
        seen_displacements(sights.clean, person),
        spread,
    )


def generic_weights_of(readout: Readout, sights: Sights, person: Person) -> Float[Tensor, "N 52"]:
    """What these heads say of real frames, before they learn more."""
    with torch.no_grad():
        return readout.answer(sights.clean, person.head.rest, person.offset).weights


def own_loss(readout: Readout, lessons: Lessons, stage: Stage, spread: Tensor, generator: torch.Generator) -> Tensor:
    """What renders of the person's own avatar teach."""
    known = known_person(lessons, stage, generator)
    answer = readout.answer(lessons.glance, *known, dropping(stage, generator))
    return sum(factor * LOSSES[name](answer, lessons, spread) for name, factor in LOSS_WEIGHTS.items())


def real_loss(believed: Believed, weights: Mapping[str, float]) -> Tensor:
    """What real frames teach."""
    return sum(weight * REAL_LOSSES[name](believed) for name, weight in weights.items() if weight)


def judge(
    readout: Readout, sights: Sights, before: Tensor, person: Person, lessons: Lessons, plan: Curriculum
) -> float:
    """How wrong the heads are about frames and renders that they do not learn from."""
    spread = spreads(lessons)
    with torch.no_grad():
        believed = believe(readout, sights, before, person, spread)
        answer = readout.answer(lessons.glance, person.head.rest, lessons.offset[lessons.person])
        own = sum(factor * LOSSES[name](answer, lessons, spread) for name, factor in LOSS_WEIGHTS.items())
        return float(real_loss(believed, plan.real) + plan.own * own)


def halved(plan: Curriculum) -> Curriculum:
    """The same with half of the batch, for when memory runs out."""
    return replace(plan, stage=replace(plan.stage, batch=max(1, plan.stage.batch // 2)))
