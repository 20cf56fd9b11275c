"""From rows of pictures to lessons: cues in short, and each person's offset."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..encoders.cues import Cues
from ..encoders.mediapipe import ScoreNetwork
from ..encoders.readout import Glance, Readout
from .rows import Rows, load_rows
from .train import Lessons, fit_projection, people_offsets

PROJECTION_ROWS = 6000
"""From how many crops the projections of the cues are found."""


def tensor(array: np.ndarray) -> Tensor:
    """As float32."""
    return torch.as_tensor(np.asarray(array, np.float32))


def glance_at(rows: Rows, readout: Readout, scores: ScoreNetwork) -> Glance:
    """The cues of some rows in short."""
    landmarks = tensor(rows.landmarks)
    cues = Cues(landmarks, tensor(rows.presence), tensor(rows.deep), tensor(rows.local))
    with torch.no_grad():
        return readout.glance(cues, scores(landmarks))


def fit_projections(readout: Readout, people: Sequence[Path]) -> None:
    """The readout's projections from a part of the rows of each person's file."""
    deep, local = [], []
    for path in people:
        rows = load_rows(path)
        some = np.linspace(0, len(rows.scale) - 1, max(1, PROJECTION_ROWS // len(people))).astype(int)
        deep.append(rows.deep[some])
        local.append(rows.local[some])
    fit_projection(readout.deep, tensor(np.concatenate(deep)))
    fit_projection(readout.local, tensor(np.concatenate(local)))


def lessons_of(people: Iterator[Rows], readout: Readout, scores: ScoreNetwork) -> Lessons:
    """Lessons from the rows of one person after the other."""
    glances, truths, rests, trues = [], [], [], []
    for number, rows in enumerate(people):
        glances.append(glance_at(rows, readout, scores))
        person = torch.full((len(rows.scale),), number)
        truths.append((tensor(rows.weights), tensor(rows.rotation), tensor(rows.visible), person))
        rests.append(tensor(rows.rest[0]))
        trues.append(tensor(rows.true_landmarks))
    glance = Glance(*(torch.cat(parts) for parts in zip(*glances, strict=True)))
    weights, rotation, visible, person = (torch.cat(parts) for parts in zip(*truths, strict=True))
    rest = torch.stack(rests)
    offset = people_offsets(glance, visible, person, torch.cat(trues), rest)
    return Lessons(glance, weights, rotation, visible, person, rest, offset)
