"""A video file through the stream: one thread decodes, one follows the face, one reads what it does."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

import numpy as np

from ..protocol.errors import SparkError
from ..protocol.project import Frames
from ..video.ahead import ahead
from ..video.decode import VideoFrame, probe, read_frames
from ..video.face import RGB
from ..video.networks import Candidate, FaceDetector
from .network import Encoder
from .read import BATCH, read_all
from .stream import FaceStream, Sight
from .take import Sightings

DETECTOR_SCORE = 0.5


def watch_clip(
    video: Path,
    bundle: bytes,
    encoder: Encoder,
    frames: Frames | None,
    warn: Callable[[str], None],
    tick: Callable[[float], None],
) -> Sightings:
    """Every frame of a video. `frames` of an ingested clip tell whose face it is, and in which frames it is not seen.

    `SparkError` when no frame shows a face.
    """
    info, pts = probe(video), []

    def sights(timed: Iterator[tuple[float, Sight | None]]) -> Iterator[Sight | None]:
        for seconds, sight in timed:
            pts.append(seconds)
            tick(min(seconds / max(info.duration, seconds, 1e-6), 1.0))
            yield sight

    with (
        detector_when_needed(bundle) as detector,
        ahead(read_frames(video, warn)) as pictures,
        ahead(follow_face(pictures, FaceStream(encoder.cues, detector), frames), BATCH) as timed,
    ):
        seen = list(read_all(sights(timed), encoder.heads))
    if not any(one is not None for one in seen):
        raise SparkError(
            f"{video}: no face in any of its {len(seen)} frames; track a clip in which the face is visible"
        )
    return Sightings(np.array(pts), seen, info.size)


@contextmanager
def detector_when_needed(bundle: bytes) -> Iterator[Callable[[RGB], list[Candidate]]]:
    """MediaPipe's detector, made for the first picture that it is shown: `frames` may tell where every face is."""
    with ExitStack() as stack:

        @cache
        def made() -> FaceDetector:
            return stack.enter_context(FaceDetector(bundle, DETECTOR_SCORE))

        yield lambda image: made()(image)


def follow_face(
    pictures: Iterator[VideoFrame], stream: FaceStream, frames: Frames | None
) -> Iterator[tuple[float, Sight | None]]:
    """Seconds and the face in each picture, the one that `frames` tell of where they do."""
    for index, picture in enumerate(pictures):
        if frames is None or index >= len(frames.pts):
            yield picture.pts, stream(picture.image)
        elif frames.valid[index]:
            yield picture.pts, stream(picture.image, frames.box[index].astype(float))
        else:
            yield picture.pts, None
