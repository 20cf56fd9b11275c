"""Made-up people and what their faces do: the material that the encoder is trained on."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ..adapt.expressions import from_rest
from ..adapt.pictures import Subject, subject_of
from ..fit.paint import paint_albedo, random_paint
from ..heads.model import HeadModel
from ..protocol.errors import SparkError
from ..protocol.names import ARKIT_52
from ..protocol.storage import filesystem_errors
from ..render.reflectance import Maps
from .footage import FOCAL, SIZE
from .performance import perform

MAP_SIZE = 512
IDENTITY_SPREAD, MOST_DEVIATION = 0.9, 2.0
"""Standard deviation of the identity coefficients, and the farthest from the mean."""
PERFORMANCES, SECONDS, RATE = 4, 60.0, 30.0


def made_up_person(head: HeadModel, random: np.random.Generator) -> Subject:
    """Somebody of the head model's distribution, painted, with shiny or matt skin."""
    coefficients = np.clip(IDENTITY_SPREAD * random.normal(size=len(head.identity)), -MOST_DEVIATION, MOST_DEVIATION)
    avatar = head.avatar(coefficients)
    texels = torch.zeros(MAP_SIZE, MAP_SIZE, 8)
    texels[..., :3] = torch.as_tensor(paint_albedo(avatar, random_paint(random), MAP_SIZE)[..., :3])
    texels[..., 3], texels[..., 4], texels[..., 7] = random.uniform(0, 0.7), random.uniform(0.3, 0.6), 1.0
    return subject_of(avatar, Maps(texels))


def moments(head: HeadModel, recordings: Sequence[Path], left_out: Sequence[str], seed: int) -> np.ndarray:
    """(N, 52) expressions of made-up performances and of recorded ones, each half of them.

    `left_out` are ranges of rows of the recordings, `FIRST:END`, that are kept for judging.
    """
    avatar, K = head.avatar(), np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
    acted = [perform(avatar, seed + i, SECONDS, RATE, K, SIZE).weights for i in range(PERFORMANCES)]
    made_up = np.concatenate(acted)
    recorded = [without_rows(from_rest(read_livelink(path)), left_out) for path in recordings]
    if not recorded:
        return made_up
    found = np.concatenate(recorded)
    return np.concatenate([made_up, np.resize(found, (len(made_up), 52))])


def without_rows(recording: np.ndarray, left_out: Sequence[str]) -> np.ndarray:
    """The rows outside of all ranges `FIRST:END`."""
    kept = np.ones(len(recording), bool)
    for text in left_out:
        try:
            first, end = map(int, text.split(":"))
        except ValueError as error:
            raise SparkError(f"{text}: not a range of rows; write FIRST:END, as in 480:720") from error
        kept[first:end] = False
    return recording[kept]


def read_livelink(path: Path) -> np.ndarray:
    """(N, 52) weights of a Live Link Face recording, in the order of `ARKIT_52`."""
    with filesystem_errors(path), open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    columns = {name: name[0].upper() + name[1:] for name in ARKIT_52}
    try:
        return np.array([[float(row[columns[name]]) for name in ARKIT_52] for row in rows])
    except (KeyError, TypeError, ValueError) as error:
        raise SparkError(f"{path}: not a Live Link Face recording; export one as CSV from the app") from error
