"""The pictures' part of `spark fit`: gathers what the trainer needs, watches it, keeps it safe on disk."""

import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from ..encoders.mediapipe import load_landmark_network
from ..encoders.perceptual import PerceptualFeatures
from ..fit.refine.checkpoint import load_run, save_run
from ..fit.refine.outcome import Outcome, conclude
from ..fit.refine.personal import flexible_head
from ..fit.refine.prediction import Setup, prepare
from ..fit.refine.preview import preview_picture
from ..fit.refine.shots import Album, ClipShots, collect
from ..fit.refine.stages import Stage
from ..fit.refine.training import Run, Told, fresh_run, stage_smoother, train
from ..heads.model import HeadModel
from ..models.resolve import resolve_model
from ..protocol.avatar import Avatar
from ..protocol.job import Preview, Progress, Report, Warning
from ..protocol.project import ClipInfo, Frames
from ..protocol.storage import write_atomic
from ..protocol.take import Take
from ..render.warp import WarpRasterizer
from ..solve.keyframes import choose_keyframes
from .progress import warned

CROP = 256
"""Side of the crops, pixels."""
MAP = 512
"""Side of the maps while fitting."""
MEMORY = 512 * 2**20
"""Bytes of crops that are kept."""
PREVIEW_EVERY, CHECKPOINT_EVERY = 4.0, 40.0
"""Seconds."""


@dataclass(frozen=True)
class Known:
    """What the landmarks have told of the person."""

    head: HeadModel
    avatar: Avatar
    identity: np.ndarray
    names: tuple[str, ...]
    clips: tuple[tuple[ClipInfo, Frames], ...]
    takes: tuple[Take, ...]
    strange: tuple[str, ...] = ()
    """A sentence for each clip that seems to show somebody else."""


@dataclass
class Watch:
    """Tells how it goes and writes checkpoints and previews now and then."""

    report: Report
    stages: Sequence[Stage]
    folder: Path
    key: str
    drawn: int = 0
    next_preview: float = 0.0
    next_checkpoint: float = field(default_factory=lambda: time.monotonic() + CHECKPOINT_EVERY)

    def __call__(self, told: Told, run: Run) -> None:
        """After every step; raises `Cancelled` when the user asked to stop, with the fit safe on disk."""
        now = time.monotonic()
        if now >= self.next_checkpoint or told.step + 1 == self.stages[told.stage].steps:
            save_run(self.folder / "checkpoint.npz", run, self.key)
            self.next_checkpoint = now + CHECKPOINT_EVERY
        if now >= self.next_preview:
            self.report(Preview(str(self.draw(told))))
            self.next_preview = time.monotonic() + PREVIEW_EVERY
        done = sum(stage.steps for stage in self.stages[: told.stage]) + told.step + 1
        total = sum(stage.steps for stage in self.stages)
        name = self.stages[told.stage].name
        self.report(Progress(f"Fitting the head to the pictures: {name}", done / total))

    def draw(self, told: Told) -> Path:
        """Writes the preview; its name changes, so that who shows it sees that it is new."""
        path = self.folder / f"preview_{self.drawn % 2}.png"
        self.drawn += 1
        picture = cv2.cvtColor(preview_picture(told.prediction, told.batch), cv2.COLOR_RGB2BGR)
        coded = cv2.imencode(".png", picture)[1].tobytes()
        write_atomic(path, lambda file: file.write(coded))
        return path


def refine(
    known: Known, stages: Sequence[Stage], frames: int, batch: int, folder: Path, key: str, report: Report
) -> Outcome:
    """The head and its place in the chosen frames, by differentiable rendering; goes on from a checkpoint in
    `folder` that has the same `key`."""
    setup, album, clips = gather(known, frames)
    setup = with_networks(setup, {name for stage in stages for name in stage.loss_weights}, report)
    report(Progress("Reading the chosen frames", 0.0))
    album.preload()
    run = load_run(folder / "checkpoint.npz", key)
    if run is None:
        run = fresh_run(setup, album, MAP)

    def halved(size: int) -> None:
        report(Warning(f"The GPU's memory is full; going on with {size} frames a step"))

    run = train(setup, album, stages, run, Watch(report, stages, folder, key), batch, halved)
    return conclude(setup, stage_smoother(setup.model, stages[-1]), run.parameters, clips, known.head)


def with_networks(setup: Setup, losses: Set[str], report: Report) -> Setup:
    """The networks that losses look through, from the file that ingest uses too."""
    if not losses & {"perceptual", "redetected"}:
        return setup
    bundle = resolve_model("face_landmarker", warned(report)).read_bytes()
    features = PerceptualFeatures(bundle) if "perceptual" in losses else None
    detector = load_landmark_network(bundle).requires_grad_(False) if "redetected" in losses else None
    return replace(setup, features=features, detector=detector)


def gather(known: Known, frames: int) -> tuple[Setup, Album, tuple[ClipShots, ...]]:
    """The chosen frames of all clips, about `frames` together."""
    share = max(8, frames // len(known.clips))
    clips = tuple(
        ClipShots(name, Path(info.source), take, seen, keyframes_of(seen, share))
        for name, (info, seen), take in zip(known.names, known.clips, known.takes, strict=True)
    )
    shots = collect(clips, CROP)
    model = flexible_head(known.avatar, known.head, known.identity)
    with torch.no_grad():
        setup = prepare(model, shots, WarpRasterizer())
    return setup, Album(clips, shots, CROP, MEMORY), clips


def keyframes_of(frames: Frames, count: int) -> np.ndarray:
    """Rows of a clip that differ most in pose and expression."""
    seen = np.flatnonzero(frames.valid)
    return seen[choose_keyframes(frames.landmarks[seen], frames.confidence[seen], count)]
