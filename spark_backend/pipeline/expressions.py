"""What the generic encoder reads in every frame of a clip, as evidence for the solver."""

from pathlib import Path

import numpy as np

from ..models import resolve_model
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report, Warning
from ..protocol.project import ClipInfo, Frames
from ..solve.evidence import Evidence, evidence_of_encoder
from ..solve.options import SolveOptions
from ..track.clip import watch_clip
from .streamed import open_generic


def read_expressions(
    avatar: Avatar, info: ClipInfo, frames: Frames, options: SolveOptions, report: Report, stage: str
) -> Evidence:
    """Of all frames of an ingested clip; reads the clip again. `SparkError` when it has gone or changed."""

    def warn(sentence: str) -> None:
        report(Warning(sentence))

    bundle = resolve_model("face_landmarker", warn).read_bytes()
    encoder = open_generic(avatar, bundle, warn)
    seen = watch_clip(Path(info.source), bundle, encoder, frames, warn, lambda part: report(Progress(stage, part)))
    if len(seen.pts) < len(frames.pts):
        raise SparkError(f"{info.source}: holds fewer frames than when it was read; run `spark ingest` on it again")
    weights, confidence = np.zeros((len(frames.pts), 52)), np.zeros(len(frames.pts))
    rows = np.flatnonzero(seen.valid[: len(frames.pts)])
    weights[rows], confidence[rows] = (seen.column(name)[: len(rows)] for name in ("weights", "confidence"))
    return evidence_of_encoder(weights, confidence, options)
