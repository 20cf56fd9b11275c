"""What the generic encoder reads in every frame of clips, as evidence for the solver."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..models import resolve_model
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Report
from ..protocol.project import ClipInfo, Frames
from ..solve.evidence import Evidence, evidence_of_encoder
from ..solve.options import SolveOptions
from ..track.clip import watch_clip
from ..track.take import Sightings
from .progress import shares, told, warned
from .streamed import open_generic


def read_expressions(
    avatar: Avatar, clips: Sequence[tuple[ClipInfo, Frames]], options: SolveOptions, report: Report, stage: str
) -> list[Evidence]:
    """Of all frames of each ingested clip; reads the clips again. `SparkError` when one has gone or changed."""
    warn = warned(report)
    bundle = resolve_model("face_landmarker", warn).read_bytes()
    encoder, result = open_generic(avatar, bundle, report), []
    for (info, frames), part in zip(clips, shares(report, len(clips)), strict=True):
        seen = watch_clip(Path(info.source), bundle, encoder, frames, warn, told(part, stage))
        if len(seen.pts) < len(frames.pts):
            raise SparkError(f"{info.source}: holds fewer frames than when it was read; run `spark ingest` on it again")
        result.append(evidence_of_sightings(seen, len(frames.pts), options))
    return result


def evidence_of_sightings(seen: Sightings, count: int, options: SolveOptions) -> Evidence:
    """Of the first `count` frames."""
    weights, confidence = np.zeros((count, 52)), np.zeros(count)
    rows = np.flatnonzero(seen.valid[:count])
    weights[rows], confidence[rows] = (seen.column(name)[: len(rows)] for name in ("weights", "confidence"))
    return evidence_of_encoder(weights, confidence, options)
