"""The curriculum of a fit: what moves in each stage, how fast, and what the stage is asked for. See docs/fit.md."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Stage:
    """A stretch of training."""

    name: str
    steps: int
    lr: Mapping[str, float]
    """Step size by group of parameters; the others rest."""
    loss_weights: Mapping[str, float]
    """By name of the loss."""
    stiffness: float = 40.0
    """Of the surface: an offset reaches about the root of it in edges."""
    shrink: int = 1
    """By how much the crops are made smaller."""


APPEARANCE = {"albedo": 0.02, "light": 0.02, "shine": 0.01}
FRAMES = {"turn": 0.0015, "place": 0.0004, "weights": 0.01}
PRIORS = {
    "albedo_smooth": 0.05,
    "skin": 0.02,
    "white_light": 0.02,
    "identity": 0.0002,
    "focal": 0.02,
    "sparsity": 0.002,
    "near_solve": 0.01,
}
LOOK = {"photometric": 1.0, **PRIORS}
HOLD = {"landmarks": 0.01, "iris": 0.02, "lips": 0.05, "lids": 0.05}
SURFACE = {"offset_size": 0.02, "bending": 0.05, "expression_size": 0.02, "symmetry": 0.02}

STANDARD = (
    Stage("light", 60, {"albedo": 0.05, "light": 0.04, "shine": 0.02}, LOOK, shrink=2),
    Stage("shape", 250, {**APPEARANCE, **FRAMES, "identity": 0.02, "focal": 0.03}, {**LOOK, **HOLD}, shrink=2),
    Stage(
        "neutral",
        350,
        {**APPEARANCE, **FRAMES, "identity": 0.01, "focal": 0.015, "offsets": 0.001},
        {**LOOK, **HOLD, **SURFACE},
    ),
    Stage(
        "expressions",
        400,
        {**APPEARANCE, **FRAMES, "focal": 0.005, "offsets": 0.0005, "expressions": 0.02},
        {**LOOK, **HOLD, **SURFACE},
        stiffness=20.0,
    ),
)


def scaled(stages: tuple[Stage, ...], factor: float) -> tuple[Stage, ...]:
    """The same curriculum with more or fewer steps."""
    return tuple(replace(stage, steps=max(1, round(stage.steps * factor))) for stage in stages)


def without(stages: tuple[Stage, ...], loss: str) -> tuple[Stage, ...]:
    """The same curriculum without one loss, to see what it is worth."""
    return tuple(
        replace(stage, loss_weights={name: w for name, w in stage.loss_weights.items() if name != loss})
        for stage in stages
    )


def also(stages: tuple[Stage, ...], loss: str) -> tuple[Stage, ...]:
    """The same curriculum with one of `EXTRA`, from the second stage on: the first knows no face yet."""
    weighted = (replace(stage, loss_weights={**stage.loss_weights, loss: EXTRA[loss]}) for stage in stages[1:])
    return (stages[0], *weighted)


EXTRA = {"perceptual": 0.2, "redetected": 0.05}
"""Weights of losses that no preset has: they look through a network, which makes a step two times as long."""
CURRICULA = {"draft": scaled(STANDARD, 0.25)[:3], "standard": STANDARD, "high": scaled(STANDARD, 2.0)}
"""By preset. A draft is too short to learn expressions."""
