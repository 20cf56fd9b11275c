"""A video becomes a clip of a project: the face of one person in every frame. See docs/formats/clip.md."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..models import resolve_model
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report, Warning
from ..protocol.project import ClipInfo, save_clip
from ..protocol.storage import filesystem_errors
from .ahead import ahead
from .coverage import coverage_warnings, face_brightness
from .decode import LazyFrame, VideoInfo, probe, read_frames, walk_frames
from .follow import Follower
from .networks import FaceDetector, Landmarker
from .portraits import Portraits
from .record import Recorder
from .scout import LEAST_SCORE, Scout, Survey

SCOUTING = 0.25  # part of the time that the first pass takes
BRIGHTNESS_STRIDE = 10  # frames between two measurements
BLOCK = 1 << 20


def ingest_clip(video: Path, folder: Path, *, face: int | None = None, report: Report) -> ClipInfo:
    """Reads a video and writes `clip.json` and `frames.npz` into `folder`, both or neither.

    `face` picks a person, counted from the most prominent one, 0, who is the default. Every frame is kept; those
    without the face are not `valid`. `SparkError` when the file is no video, nobody is in it, or `folder` cannot be
    written; what `report` raises ends the work with nothing written.
    """
    info = probe(video)
    bundle = resolve_model("face_landmarker", lambda sentence: report(Warning(sentence))).read_bytes()
    ticker = Ticker(report, video.name)
    with made_folder(folder), Recorder() as recorder:
        survey = survey_people(video, info, bundle, ticker)
        chosen = choose_person(video, survey, face)
        warnings: list[str] = []
        portraits = Portraits(survey.people)
        brightness = follow_person(video, survey, chosen, bundle, recorder, portraits, warnings.append, ticker)
        frames = recorder.frames()
        if not frames.valid.any():
            raise no_face(video, recorder.count)
        warnings += coverage_warnings(frames, brightness, survey.people, chosen)
        clip = ClipInfo(
            source=str(video.absolute()),
            digest=digest_of(video),
            codec=info.codec,
            size=info.size,
            rotation=info.rotation,
            frames=recorder.count,
            rate=average_rate(frames.pts, info),
            colour=info.colour,
            has_sound=info.has_sound,
            sound_start=info.sound_start,
            face=chosen,
            faces=len(survey.people),
            coverage=float(frames.valid.mean()),
            warnings=tuple(warnings),
        )
        portraits.save(folder)
        save_clip(folder, clip, frames)
        del frames  # the recorder's file can only be closed on Windows when nothing maps it
    return clip


def survey_people(video: Path, info: VideoInfo, bundle: bytes, ticker: "Ticker") -> Survey:
    """The first pass: who is in the video."""

    def told(frames: Iterator[LazyFrame]) -> Iterator[LazyFrame]:
        for frame in frames:
            ticker(f"Looking for faces in {video.name}", SCOUTING * frame.pts / max(info.duration, frame.pts, 1e-6))
            yield frame

    with FaceDetector(bundle, LEAST_SCORE) as detector, Landmarker(bundle, follow=False) as landmarker:
        survey = Scout(detector, landmarker).survey(told(walk_frames(video, lambda sentence: None)))
    if not survey.people:
        raise no_face(video, survey.frames)
    return survey


def choose_person(video: Path, survey: Survey, face: int | None) -> int:
    """The number of the person to follow."""
    count = len(survey.people)
    if face is not None and not 0 <= face < count:
        known = "only face 0" if count == 1 else f"faces 0 to {count - 1}"
        raise SparkError(f"{video}: has {known}, there is no face {face}; choose another number")
    return face or 0


def follow_person(
    video: Path,
    survey: Survey,
    chosen: int,
    bundle: bytes,
    recorder: Recorder,
    portraits: Portraits,
    report_warning: Callable[[str], None],
    ticker: "Ticker",
) -> list[float]:
    """The second pass: every frame into the recorder. Returns samples of the face's brightness, of 255."""
    own = survey.people[chosen].sightings
    others = [person.sightings for number, person in enumerate(survey.people) if number != chosen]
    brightness = []
    with Follower(bundle, own, others) as follower, ahead(read_frames(video, report_warning)) as frames:
        for index, frame in enumerate(frames):
            seen = follower(frame.pts, survey.shot_of(index), frame.image)
            recorder.add(frame.pts, seen)
            portraits.look(frame.pts, frame.image)
            if seen is not None and index % BRIGHTNESS_STRIDE == 0:
                brightness.append(face_brightness(frame.image, seen.face.box))
            ticker(f"Following the face in {video.name}", SCOUTING + (1 - SCOUTING) * (index + 1) / survey.frames)
    return brightness


@dataclass
class Ticker:
    """Tells the progress and the time left, not more often than anyone can read."""

    report: Report
    name: str
    pause: float = 0.1
    started: float = 0.0
    told: float = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        """`fraction` of this clip in [0, 1]."""
        now = time.monotonic()
        self.started = self.started or now
        if now - self.told < self.pause and fraction < 1:
            return
        self.told = now
        passed = now - self.started
        eta = passed * (1 - fraction) / fraction if fraction > 0.02 and passed > 1 else None
        self.report(Progress(stage, min(fraction, 1.0), eta))


@contextlib.contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Makes the folder first, so that one which cannot be written is known at once; takes it away if the work fails."""
    is_new = not folder.exists()
    with filesystem_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe_file = folder / ".writable"
        probe_file.touch()
        probe_file.unlink()
    try:
        yield
    except BaseException:
        if is_new:
            with contextlib.suppress(OSError):  # something else has been put into it
                folder.rmdir()
        raise


def no_face(video: Path, frames: int) -> SparkError:
    """What to tell when nobody is there."""
    return SparkError(
        f"{video}: no face in any of its {frames} frames; give a clip in which the face is visible, upright and at "
        "least about 40 pixels high"
    )


def average_rate(pts: np.ndarray, info: VideoInfo) -> float:
    """Shown frames a second; the header's word when there is a single frame."""
    return (len(pts) - 1) / float(pts[-1] - pts[0]) if len(pts) > 1 else info.rate


def digest_of(video: Path) -> str:
    """sha256 of the file."""
    digest = hashlib.sha256()
    with filesystem_errors(video), open(video, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
