"""A video file through the stream."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..encoders.engines import Engine
from ..protocol.errors import SparkError
from ..protocol.project import Frames
from ..video.ahead import ahead
from ..video.decode import probe, read_frames
from ..video.networks import FaceDetector
from .stream import FaceStream
from .take import Sightings

DETECTOR_SCORE = 0.5


def watch_clip(
    video: Path,
    bundle: bytes,
    engine: Engine,
    frames: Frames | None,
    warn: Callable[[str], None],
    tick: Callable[[float], None],
) -> Sightings:
    """Every frame of a video. `frames` of an ingested clip tell whose face it is, and in which frames it is not seen.

    `SparkError` when no frame shows a face.
    """
    info, pts, seen = probe(video), [], []
    with FaceDetector(bundle, DETECTOR_SCORE) as detector, ahead(read_frames(video, warn)) as pictures:
        stream = FaceStream(engine, detector)
        for index, picture in enumerate(pictures):
            known = frames is not None and index < len(frames.pts)
            hidden = known and not frames.valid[index]
            seen.append(None if hidden else stream(picture.image, frames.box[index].astype(float) if known else None))
            pts.append(picture.pts)
            tick(min(picture.pts / max(info.duration, picture.pts, 1e-6), 1.0))
    if not any(one is not None for one in seen):
        raise SparkError(
            f"{video}: no face in any of its {len(seen)} frames; track a clip in which the face is visible"
        )
    return Sightings(np.array(pts), seen, info.size)
