"""`spark smirk pretrain`: trains the generic encoder's heads on made-up people, from nothing but the head model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load, save

from ..adapt.disturb import Odds
from ..adapt.expressions import random_weights
from ..adapt.lessons import fit_projections, lessons_of
from ..adapt.rows import draw_rows, joined, load_rows, save_rows
from ..adapt.train import Course, Lessons, Stage, course, run_epoch, spreads
from ..encoders.generic import readout_to_bytes
from ..encoders.mediapipe import load_score_network
from ..encoders.readout import Readout
from ..evaluate.curves import correlation
from ..heads.anny import load_anny
from ..models import resolve_model
from ..protocol.errors import SparkError
from ..protocol.job import Metric, Progress, Report
from ..protocol.storage import write_atomic, write_json
from ..render.choice import rasterizer_by_name
from ..track.network import open_cues
from .options import SmirkOptions
from .people import made_up_person, moments
from .progress import sections, warned

RENDERS, VIEWS = 64, 2
"""Of each person; each render is seen so many times, differently disturbed."""
STAGE = Stage("pretrain", epochs=14, rate=1e-3)
STEPS = {"people": 10.0, "learning": 2.0}
HELD_PART = 12
"""One person in so many is not learned from."""


@dataclass(frozen=True)
class Figures:
    """How good heads are on people that they have not seen; means over persons, then over expressions."""

    correlation: float
    score_correlation: float
    """Of MediaPipe's own scores."""
    error: float
    """Mean absolute error of the weights."""
    score_error: float
    rotation: float
    """Median angle in degrees."""


def smirk(options: SmirkOptions, report: Report) -> Mapping[str, Any]:
    """Writes `generic.safetensors` and `generic.json` into a folder; a run that was stopped goes on where it stood."""
    if options.people < 2:
        raise SparkError(f"{options.people}: too few people to learn from and to judge by; name at least 2")
    torch.manual_seed(options.seed)
    step = sections(report, STEPS)
    bundle = resolve_model("face_landmarker", warned(report)).read_bytes()
    files = draw_people(options, bundle, step["people"])
    readout, scores = Readout(), load_score_network(bundle)
    fit_projections(readout, files)
    lessons = lessons_of((load_rows(path) for path in files), readout, scores)
    held = max(1, options.people // HELD_PART)
    learned = lessons.select((lessons.person < options.people - held).nonzero()[:, 0])
    train(learned, readout, options, step["learning"])
    figures = held_figures(readout, lessons.select((lessons.person >= options.people - held).nonzero()[:, 0]))
    content = readout_to_bytes(readout)
    write_atomic(options.output / "generic.safetensors", lambda file: file.write(content))
    write_json(options.output / "generic.json", {"people": options.people, "held": held, **vars(figures)})
    for name, value in vars(figures).items():
        report(Metric(name.replace("_", " "), value))
    return {"weights": str(options.output / "generic.safetensors"), **vars(figures)}


def draw_people(options: SmirkOptions, bundle: bytes, report: Report) -> list[Path]:
    """One file of rows a person; those that are there are kept."""
    head, rasterizer = load_anny(), rasterizer_by_name()
    pool = moments(head, options.recordings, options.leave_out, options.seed)
    engine, files = open_cues(bundle, report), []
    for number in range(options.people):
        files.append(options.output / "people" / f"{number:05d}.npz")
        report(Progress(f"Drawing person {number + 1} of {options.people}", number / options.people))
        if files[-1].exists():
            continue
        random = np.random.default_rng((options.seed, number))
        subject = made_up_person(head, random)
        weights = random_weights(random, pool, RENDERS)
        save_rows(files[-1], joined(list(draw_rows(random, subject, weights, VIEWS, engine, rasterizer, Odds()))))
    return files


def train(lessons: Lessons, readout: Readout, options: SmirkOptions, report: Report) -> Course:
    """Trains the heads, saved after each epoch."""
    path, spread = options.output / "learning.safetensors", spreads(lessons)
    training = course(readout, STAGE, options.seed)
    if path.exists():
        training.restore(load(path.read_bytes()))
    while training.epoch < STAGE.epochs:
        report(Progress("Learning", training.epoch / STAGE.epochs))
        run_epoch(training, lessons, STAGE, spread)
        content = save(training.tensors())
        write_atomic(path, lambda file, content=content: file.write(content))
    return training


def held_figures(readout: Readout, lessons: Lessons) -> Figures:
    """Judges on people that were not learned from, half of the network's offset for each known."""
    offset = 0.5 * lessons.offset[lessons.person]
    with torch.no_grad():
        answer = readout.answer(lessons.glance, lessons.rest[lessons.person], offset)
    weights, truth = answer.weights.clamp(0, 1).numpy(), lessons.weights.numpy()
    scores, person = lessons.glance.scores.numpy(), lessons.person.numpy()
    cosine = ((answer.rotation * lessons.rotation).sum((1, 2)) - 1) / 2
    return Figures(
        mean_correlation(weights, truth, person),
        mean_correlation(scores, truth, person),
        float(np.abs(weights - truth).mean()),
        float(np.abs(scores - truth).mean()),
        float(torch.rad2deg(cosine.clamp(-1, 1).arccos()).median()),
    )


def mean_correlation(found: np.ndarray, truth: np.ndarray, person: np.ndarray) -> float:
    """Pearson's of each expression over one person's crops, then the mean."""
    groups = [np.flatnonzero(person == number) for number in np.unique(person)]
    values = [correlation(found[rows, k], truth[rows, k]) for rows in groups for k in range(truth.shape[1])]
    return float(np.mean(values))
