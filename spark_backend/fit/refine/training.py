"""The loop: batches drawn, losses summed, parameters moved. It knows nothing of files, drawing or Blender."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...render.colour import linear_from_bytes
from ...render.shading import distant_light
from .adam import Adam
from .losses import LOSSES
from .personal import FlexibleHead
from .prediction import Batch, Prediction, Setup, make_batch, predict
from .shots import Album, Shots
from .smoothing import Smoother, smoother
from .stages import Stage

SLOWEST = 0.1
"""Part of a stage's rates that is left at its end."""
STAGE_STRIDE = 100_000
"""Batches between two stages' first ones: more than a stage has steps."""
LIGHT_DIRECTION = (0.0, -0.6, -0.8)


@dataclass(frozen=True)
class Told:
    """One step, for whoever watches."""

    stage: int
    step: int
    losses: Mapping[str, float]
    prediction: Prediction
    batch: Batch


@dataclass
class Run:
    """Where a fit stands: what a checkpoint holds."""

    parameters: dict[str, Tensor]
    adam: Adam
    stage: int = 0
    step: int = 0


def fresh_run(setup: Setup, album: Album, size: int) -> Run:
    """Before the first step; maps of `size` pixels."""
    return Run(start_parameters(setup.model, setup.shots, skin_colour(album), size), Adam())


def skin_colour(album: Album) -> Float[Tensor, "3"]:
    """Median linear colour inside the masks of a dozen frames."""
    rows = np.unique(np.linspace(0, len(album.shots.clip) - 1, 12).astype(int)).tolist()
    pictures = torch.as_tensor(album.pictures(rows))
    return linear_from_bytes(pictures[..., :3])[pictures[..., 3] > 200].median(0).values


def start_parameters(model: FlexibleHead, shots: Shots, colour: Tensor, size: int) -> dict[str, Tensor]:
    """Before the first step: the landmarks' head in one even skin colour (3, linear) under light from above."""
    clips, frames, names = len(shots.focal), len(shots.clip), len(model.avatar.expression_names)
    light = distant_light(LIGHT_DIRECTION, (0.4, 0.4, 0.4), (0.75, 0.75, 0.75))
    harmonics = torch.zeros(16, 3)
    harmonics[: len(light.harmonics)] = light.harmonics
    shine = torch.stack([light.direction, light.strength])
    return {
        "identity": torch.zeros(len(model.identity)),
        "offsets": torch.zeros(len(model.avatar.neutral), 3),
        "expressions": torch.zeros(names, model.fields.bells.shape[1], 3),
        "albedo": colour.sqrt().expand(size, size, 3).clone(),
        "gloss": torch.tensor([0.3, 0.5]).expand(size, size, 2).clone(),
        "relief": torch.zeros(size, size, 2),
        "light": harmonics.expand(clips, 16, 3).clone(),
        "shine": shine.expand(clips, 2, 3).clone(),
        "focal": torch.zeros(clips),
        "turn": torch.zeros(frames, 3),
        "place": torch.zeros(frames, 3),
        "weights": torch.zeros(frames, names),
    }


def batch_rows(frames: int, size: int, step: int) -> list[int]:
    """The frames of a step: every frame once before any comes again, a function of the step alone."""
    rows = []
    for position in range(step * size, (step + 1) * size):
        epoch, place = divmod(position, frames)
        rows.append(int(np.random.default_rng(epoch).permutation(frames)[place]))
    return rows


def pace(stage: Stage, step: int) -> float:
    """The part of its rates at which a stage moves: half a cosine."""
    return SLOWEST + (1 - SLOWEST) * 0.5 * (1 + np.cos(np.pi * step / stage.steps))


def loss_terms(prediction: Prediction, batch: Batch, stage: Stage) -> dict[str, Tensor]:
    """The stage's losses, weighted."""
    return {name: weight * LOSSES[name](prediction, batch) for name, weight in stage.loss_weights.items()}


def train(
    setup: Setup,
    album: Album,
    stages: Sequence[Stage],
    run: Run,
    report: Callable[[Told, Run], None],
    batch_size: int = 4,
    halved: Callable[[int], None] = lambda size: None,
) -> Run:
    """All steps that `run` has not done yet; `report` may raise to stop.

    When the GPU's memory does not hold a batch, half of it is tried, which `halved` is told.
    """
    while run.stage < len(stages):
        stage = stages[run.stage]
        smooth = stage_smoother(setup.model, stage)
        while run.step < stage.steps:
            rows = batch_rows(len(setup.shots.clip), batch_size, STAGE_STRIDE * run.stage + run.step)
            batch = make_batch(rows, album.pictures(rows), stage.shrink)
            try:
                told = one_step(setup, smooth, stage, run, batch)
            except torch.cuda.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size //= 2
                halved(batch_size)
                continue
            run.step += 1
            report(told, run)
        run = next_stage(setup.model, stages, run)
    return run


def one_step(setup: Setup, smooth: Smoother, stage: Stage, run: Run, batch: Batch) -> Told:
    """Draws, compares, moves the stage's parameters."""
    moving = {name: value.requires_grad_(name in stage.lr) for name, value in run.parameters.items()}
    for value in moving.values():
        value.grad = None
    prediction = predict(setup, smooth, moving, batch)
    terms = loss_terms(prediction, batch, stage)
    sum(terms.values()).backward()
    rates = {name: rate * pace(stage, run.step) for name, rate in stage.lr.items()}
    run.adam.step(moving, rates, batch.rows)
    losses = {name: float(term.detach()) for name, term in terms.items()}
    return Told(run.stage, run.step, losses, prediction, batch)


def stage_smoother(model: FlexibleHead, stage: Stage) -> Smoother:
    """How the surface bends in a stage."""
    return smoother(model.avatar.faces, len(model.avatar.neutral), stage.stiffness)


def next_stage(model: FlexibleHead, stages: Sequence[Stage], run: Run) -> Run:
    """The same surface in the coordinates of the stage that follows, with fresh moments."""
    parameters = {name: value.detach() for name, value in run.parameters.items()}
    if run.stage + 1 < len(stages):
        offsets = stage_smoother(model, stages[run.stage])(parameters["offsets"])
        parameters["offsets"] = stage_smoother(model, stages[run.stage + 1]).inverse(offsets)
    return replace(run, parameters=parameters, adam=Adam(), stage=run.stage + 1, step=0)
