"""The loop that learns a person: it knows nothing of files and goes on where it stood."""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..encoders.readout import Readout
from .personal import Curriculum, Person, departure, halved, judge, own_loss, real_loss
from .sights import Sights
from .train import Course, Lessons, course, part, set_rate, spreads


@dataclass(frozen=True)
class Material:
    """What is learned from, and what is only judged by."""

    sights: Sights
    lessons: Lessons
    judged_sights: Sights
    judged_lessons: Lessons


@dataclass
class Learning:
    """A person being learned: everything that a checkpoint holds."""

    course: Course
    best: dict[str, Tensor]
    """The heads with the least error on what is only judged by."""
    start: dict[str, Tensor]
    """The heads before anything was learned."""
    errors: list[float] = field(default_factory=list)
    """After each epoch; the first is that of the generic heads."""

    @property
    def waited(self) -> int:
        """Epochs since the last gain."""
        return len(self.errors) - 1 - min(range(len(self.errors)), key=self.errors.__getitem__)

    def tensors(self) -> dict[str, Tensor]:
        """All of it by name, for a file."""
        best = {f"best.{name}": value.clone() for name, value in self.best.items()}
        return self.course.tensors() | best | {"errors": torch.tensor(self.errors, dtype=torch.float64)}

    def restore(self, tensors: dict[str, Tensor]) -> None:
        """The very state that `tensors` gave."""
        self.course.restore(tensors)
        self.best, self.errors = part(tensors, "best."), tensors["errors"].tolist()


def begin(readout: Readout, plan: Curriculum, seed: int) -> Learning:
    """Before anything is learned."""
    readout.requires_grad_(not plan.anchor)
    readout.leave.requires_grad_(True)
    start = {name: value.clone() for name, value in readout.state_dict().items()}
    return Learning(course(readout, plan.stage, seed), dict(start), start)


def learn(
    learning: Learning,
    material: Material,
    person: Person,
    plan: Curriculum,
    tick: Callable[[float], None],
    after_epoch: Callable[[Learning], None],
) -> Curriculum:
    """Learns until the plan is done or nothing is gained any more; the plan as it was carried out.

    `tick` hears the part done and may raise; `after_epoch` may save. A batch that does not fit into memory is halved.
    """
    readout = learning.course.readout

    def error() -> float:
        return judge(readout, material.judged_sights, person, material.judged_lessons, plan)

    if not learning.errors:
        learning.errors.append(error())
    while learning.course.epoch < plan.stage.epochs and learning.waited < plan.patience:
        kept = learning.course.tensors()
        try:
            run_epoch(learning, material, person, plan, tick)
        except (MemoryError, torch.cuda.OutOfMemoryError):
            if plan.stage.batch == 1:
                raise
            learning.course.restore(kept)
            plan = halved(plan)
            continue
        learning.errors.append(error())
        if learning.waited == 0:
            learning.best = {name: value.clone() for name, value in readout.state_dict().items()}
        after_epoch(learning)
    return plan


def run_epoch(
    learning: Learning, material: Material, person: Person, plan: Curriculum, tick: Callable[[float], None]
) -> None:
    """Once through the real frames, with as many renders beside them."""
    course = learning.course
    spread = spreads(material.lessons)
    order = torch.randperm(material.sights.count(), generator=course.generator).split(plan.stage.batch)
    for number, rows in enumerate(order):
        done = (course.epoch + number / len(order)) / plan.stage.epochs
        tick(done)
        set_rate(course.optimiser, plan.stage, done)
        loss = real_loss(course.readout, material.sights.select(rows), person, spread, plan)
        loss = loss + plan.anchor * departure(course.readout, learning.start)
        if plan.own:
            some = torch.randint(len(material.lessons), (plan.stage.batch,), generator=course.generator)
            lessons = material.lessons.select(some)
            loss = loss + plan.own * own_loss(course.readout, lessons, plan.stage, spread, course.generator)
        course.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(course.readout.parameters(), 1.0)
        course.optimiser.step()
    course.epoch += 1
