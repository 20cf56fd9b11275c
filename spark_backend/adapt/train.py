"""Training of the heads on cues that are kept in memory: seconds an epoch on one core."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.alignment import align
from ..encoders.readout import Answer, Drop, Glance, Projection, Readout


@dataclass(frozen=True)
class Lessons:
    """`N` crops with the truth about them, of `S` people."""

    glance: Glance
    weights: Float[Tensor, "N 52"]
    rotation: Float[Tensor, "N 3 3"]
    visible: Float[Tensor, "N"]
    person: Int[Tensor, "N"]
    rest: Float[Tensor, "S 478 3"]
    """Landmarks at rest, metres."""
    offset: Float[Tensor, "S 478 3"]
    """Where the network sees them beyond that, on average, metres."""

    def __len__(self) -> int:
        return len(self.person)

    def select(self, rows: Tensor) -> "Lessons":
        """Some of the crops."""
        return replace(
            self,
            glance=Glance(*(value[rows] for value in self.glance)),
            **{name: getattr(self, name)[rows] for name in ("weights", "rotation", "visible", "person")},
        )


@dataclass(frozen=True)
class Stage:
    """One stretch of training."""

    name: str
    epochs: int
    rate: float
    """Largest learning rate; it rises over the first tenth and falls to 0 as a cosine."""
    batch: int = 256
    decay: float = 0.05
    """Weight decay."""
    drop: Mapping[str, float] = field(default_factory=lambda: {"moved": 0.1, "deep": 0.3, "local": 0.3})
    """Part of each kind of cue that is taken away."""
    offset_share: tuple[float, float] = (0.3, 1.2)
    """Between which parts of a person's offset is known; a fit to landmarks has most of it in the shape."""
    noise: float = 0.0004
    """Metres: error of the known shape at each landmark."""


LOSS_WEIGHTS: Mapping[str, float] = {"expression": 0.5, "rotation": 10.0, "visible": 1.0}
SMALLEST_SPREAD = 0.03
"""Of a weight, below which its errors count no more."""
VISIBLE_ENOUGH = 0.9
WARM_UP = 0.1
"""Part of a stage in which the rate rises."""


def expression_loss(answer: Answer, lessons: Lessons, spread: Float[Tensor, "52"]) -> Float[Tensor, ""]:
    """Squared errors of the weights in units of how much each of them moves."""
    return ((answer.weights - lessons.weights) / spread).square().mean()


def rotation_loss(answer: Answer, lessons: Lessons, spread: Float[Tensor, "52"]) -> Float[Tensor, ""]:
    """Squared chordal distance."""
    return (answer.rotation - lessons.rotation).square().sum((1, 2)).mean()


def visible_loss(answer: Answer, lessons: Lessons, spread: Float[Tensor, "52"]) -> Float[Tensor, ""]:
    """Squared error of the part of the face that is seen."""
    return (answer.visible - lessons.visible).square().mean()


LOSSES: Mapping[str, Callable[[Answer, Lessons, Tensor], Tensor]] = {
    "expression": expression_loss,
    "rotation": rotation_loss,
    "visible": visible_loss,
}


def spreads(lessons: Lessons) -> Float[Tensor, "52"]:
    """How much each weight moves."""
    return lessons.weights.std(0).clamp(min=SMALLEST_SPREAD)


def people_offsets(
    glance: Glance, visible: Tensor, person: Tensor, true: Tensor, rest: Tensor
) -> Float[Tensor, "S 478 3"]:
    """Mean over each person's crops of where the network's landmarks differ from the embedding's (`true`, N 478 2)."""
    seen, known = align(glance.landmarks, rest[person]).moved, align(true, rest[person]).moved
    clear = visible > VISIBLE_ENOUGH
    result = torch.zeros_like(rest)
    for number in range(len(rest)):
        rows = clear & (person == number)
        result[number] = (seen[rows] - known[rows]).mean(0) if rows.any() else 0
    return result


def fit_projection(projection: Projection, values: Float[Tensor, "N K"]) -> None:
    """Principal directions of cues, scaled to deviation 1, each channel weighed by its own spread."""
    mean, spread = values.mean(0), values.std(0) + 1e-2
    scaled = (values - mean) / spread
    count = projection.directions.shape[1]
    directions = torch.svd_lowrank(scaled, q=count + 32, niter=3)[2][:, :count]
    deviation = (scaled @ directions).std(0)
    projection.mean.copy_(mean)
    projection.directions.copy_(directions / spread[:, None] / deviation)


@dataclass
class Course:
    """A readout in training: everything that a checkpoint holds."""

    readout: Readout
    optimiser: torch.optim.Optimizer
    generator: torch.Generator
    epoch: int = 0

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, for a file."""
        result = {f"readout.{name}": value for name, value in self.readout.state_dict().items()}
        for number, moments in self.optimiser.state_dict()["state"].items():
            result |= {f"moment.{number}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        place = {"generator": self.generator.get_state(), "epoch": torch.tensor(self.epoch)}
        return {name: value.detach().clone().contiguous() for name, value in (result | place).items()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """The very state that `tensors` gave."""
        self.readout.load_state_dict(part(tensors, "readout."))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in part(tensors, "moment.").items():
            number, kind = name.split(".", 1)
            moments.setdefault(int(number), {})[kind] = value
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": moments})
        self.generator.set_state(tensors["generator"])
        self.epoch = int(tensors["epoch"])


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose name begins so, by the rest of their name."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def course(readout: Readout, stage: Stage, seed: int) -> Course:
    """The start of a stage, in which the parameters move that want gradients."""
    moving = [value for value in readout.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(moving, lr=stage.rate, weight_decay=stage.decay)
    return Course(readout, optimiser, torch.Generator().manual_seed(seed))


def run_epoch(course: Course, lessons: Lessons, stage: Stage, spread: Float[Tensor, "52"]) -> float:
    """Once through the lessons in random order; the mean loss."""
    order = torch.randperm(len(lessons), generator=course.generator)
    batches = [rows for rows in order.split(stage.batch) if len(rows) == min(stage.batch, len(lessons))]
    total = 0.0
    for number, rows in enumerate(batches):
        set_rate(course.optimiser, stage, (course.epoch + number / len(batches)) / stage.epochs)
        some = lessons.select(rows)
        answer = course.readout.answer(
            some.glance, *known_person(some, stage, course.generator), dropping(stage, course.generator)
        )
        loss = sum(factor * LOSSES[name](answer, some, spread) for name, factor in LOSS_WEIGHTS.items())
        course.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(course.readout.parameters(), 1.0)
        course.optimiser.step()
        total += float(loss.detach())
    course.epoch += 1
    return total / len(batches)


def set_rate(optimiser: torch.optim.Optimizer, stage: Stage, part: float) -> None:
    """The learning rate when `part` of the stage is done."""
    rising = min(part / WARM_UP, 1.0)
    rate = stage.rate * rising * 0.5 * (1 + math.cos(math.pi * part))
    for group in optimiser.param_groups:
        group["lr"] = rate


def known_person(lessons: Lessons, stage: Stage, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """What a fit would know of each crop's person: the shape with errors, and a part of the network's own offset."""
    rest, offset = lessons.rest[lessons.person], lessons.offset[lessons.person]
    low, high = stage.offset_share
    share = low + (high - low) * torch.rand(len(lessons), 1, 1, generator=generator)
    error = stage.noise * torch.randn(offset.shape, generator=generator)
    return rest, share * offset + error


def dropping(stage: Stage, generator: torch.Generator) -> Drop:
    """Takes cues away as the stage says; what stays is made stronger, as in dropout."""

    def drop(name: str, values: Tensor) -> Tensor:
        part = stage.drop.get(name, 0.0)
        kept = torch.rand(values.shape, generator=generator) >= part
        return values * kept / (1 - part)

    return drop
