"""Adam in two further flavours that a fit needs, with a state that can be written to disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor

BETA1, BETA2, TINY = 0.9, 0.999, 1e-12
UNIFORM = ("offsets", "identity")
"""Groups in which one number scales the step of all entries, so that a step keeps the gradient's direction: what makes
steps in smoothed coordinates smooth (Nicolet et al. 2021, section 4.3)."""
BY_FRAME = ("turn", "place", "weights")
"""Groups with a row for every frame, of which a step moves only those that it has seen."""


@dataclass
class Adam:
    """Moments of every group; `steps` counts the visits of each row (one row for the groups that are no frames)."""

    mean: dict[str, Tensor] = field(default_factory=dict)
    square: dict[str, Tensor] = field(default_factory=dict)
    steps: dict[str, Tensor] = field(default_factory=dict)

    @torch.no_grad()
    def step(self, parameters: Mapping[str, Tensor], lr: Mapping[str, float], rows: Int[Tensor, "B"]) -> None:
        """Moves every parameter of `lr` against its gradient."""
        for name, rate in lr.items():
            value = parameters[name]
            chosen = rows.unique() if name in BY_FRAME else slice(None)
            self.prepare(name, value)
            gradient = value.grad[chosen]
            count = self.count(name, chosen, gradient)
            mean = self.mean[name][chosen] * BETA1 + gradient * (1 - BETA1)
            square = self.square[name][chosen] * BETA2 + gradient.square() * (1 - BETA2)
            self.mean[name][chosen], self.square[name][chosen] = mean, square
            scale = square.max() if name in UNIFORM else square
            step = (mean / (1 - BETA1**count)) / ((scale / (1 - BETA2**count)).sqrt() + TINY)
            value[chosen] -= rate * step

    def prepare(self, name: str, value: Tensor) -> None:
        """Zeros for a group that has not moved yet."""
        if name not in self.mean:
            self.mean[name], self.square[name] = torch.zeros_like(value), torch.zeros_like(value)
            self.steps[name] = torch.zeros(len(value) if name in BY_FRAME else 1)

    def count(self, name: str, chosen: Tensor | slice, gradient: Tensor) -> Tensor:
        """How often the chosen rows have moved, this step included, in a shape to divide by."""
        self.steps[name][chosen] += 1
        steps = self.steps[name][chosen]
        return steps.view(-1, *[1] * (gradient.ndim - 1)) if name in BY_FRAME else steps
