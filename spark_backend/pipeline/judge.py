"""Judges the takes of a clip, all on the same frames: every measure of `evaluate/` as one value a frame."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..evaluate.crops import face_crop
from ..evaluate.landmarks import FAN_68, LIDS, LIPS, MEDIAPIPE_105, aperture_error, ndc_l1
from ..evaluate.measures import MEASURES, sample_frames, second_difference
from ..models import resolve_model
from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from ..protocol.posing import pose_vertices
from ..protocol.project import ClipInfo, Frames
from ..protocol.take import Take
from ..video.face import Face
from ..video.networks import Landmarker
from .pairs import Evidence, Judged, Pairing, judge_pair, mesh_landmarks, prepare
from .parallel import in_order
from .progress import warned
from .sights import CLOSE_SIZE, Sight, paired_sights
from .trackers import Contender
from .views import intrinsics_at, project_points

WORST = 3
"""Frames of each take that are kept as pictures."""


@dataclass(frozen=True)
class Protocol:
    """Which frames are drawn from a clip, and what says what they show."""

    interval: int
    count: int
    seed: int
    labels: Path | None = None
    """Folder with the clip's label pictures; None for the built-in labelling."""


@dataclass(frozen=True)
class Verdict:
    """What was measured of one take."""

    clip: str
    tracker: str
    seconds: np.ndarray
    """(T,)."""
    values: Mapping[str, np.ndarray]
    """(T,) by the names of `MEASURES`; NaN where nothing was measured."""
    classes: np.ndarray
    """(N, C) intersection over union by region, of the frames drawn."""
    unseen: int
    """Renders in which no face was found."""
    worst: Sequence[Evidence]
    """The frames that the warped one fits least, worst first."""


@dataclass
class Ledger:
    """One take's values as they come in."""

    values: dict[str, np.ndarray]
    classes: list[np.ndarray] = field(default_factory=list)
    worst: list[tuple[float, int, Evidence]] = field(default_factory=list)
    unseen: int = 0

    def add(self, pairing: Pairing, seen: Face | None, again: Face | None) -> None:
        """Writes down a pair of frames; `seen` and `again` are the faces found in the frame and in the render."""
        sight = pairing.evidence.sight
        for name, value in pairing.values.items():
            self.values[name][sight.frame] = value
        if again is None:
            self.unseen += 1
        elif seen is not None:
            side = sight.crop.side * CLOSE_SIZE / sight.close_crop.side
            error = ndc_l1(again.landmarks[:, :2], seen.landmarks[:, :2], side, MEDIAPIPE_105)
            self.values["redetected"][sight.frame] = error
        self.classes.append(pairing.classes)
        heapq.heappush(self.worst, (pairing.evidence.error, sight.frame, pairing.evidence))
        if len(self.worst) > WORST:
            heapq.heappop(self.worst)


def judge_clip(
    avatar: Avatar,
    clip: str,
    info: ClipInfo,
    frames: Frames,
    rivals: Sequence[Contender],
    protocol: Protocol,
    report: Report,
) -> list[Verdict]:
    """One verdict for each take. Frames in which any of them is not valid are left out of all."""
    valid = frames.valid & np.all([rival.take.valid for rival in rivals], axis=0)
    chosen = sample_frames(valid, protocol.interval, protocol.count, protocol.seed)
    if not chosen:
        raise SparkError(
            f"{clip}: no two frames with the face are {protocol.interval} apart; choose a smaller --frame-interval"
        )
    ledgers = [Ledger(every_frame(avatar, rival.take, frames, valid)) for rival in rivals]
    judged = prepare(avatar, [r.take for r in rivals], Path(info.source), protocol.labels is None)
    pairs = paired_sights(info, frames, chosen, protocol.interval, protocol.labels)
    bundle = resolve_model("face_landmarker", warned(report)).read_bytes()
    with Landmarker(bundle, follow=False) as landmarker:
        for number, pairings in enumerate(judge_pairs(judged, pairs)):
            seen = landmarker(pairings[0].evidence.sight.close)
            for ledger, pairing in zip(ledgers, pairings, strict=True):
                ledger.add(pairing, seen, landmarker(pairing.render))
            report(Progress(f"Judging {clip}", (number + 1) / len(chosen)))
    return [
        Verdict(
            clip,
            rival.name,
            frames.pts,
            ledger.values,
            np.stack(ledger.classes),
            ledger.unseen,
            [evidence for *_, evidence in sorted(ledger.worst, key=lambda entry: -entry[0])],
        )
        for rival, ledger in zip(rivals, ledgers, strict=True)
    ]


def judge_pairs(judged: Sequence[Judged], pairs: Iterator[tuple[Sight, Sight]]) -> Iterator[list[Pairing]]:
    """What each pair says of each take."""
    return in_order(lambda pair: [judge_pair(one, *pair) for one in judged], pairs)


def every_frame(avatar: Avatar, take: Take, frames: Frames, valid: np.ndarray) -> dict[str, np.ndarray]:
    """(T,) of every measure: filled where no picture is needed, NaN for the others."""
    values = {name: np.full(len(frames.pts), np.nan) for name in MEASURES}
    face = avatar.regions["face"]
    size, start, before = tuple(int(side) for side in take.size), 0, np.zeros((0, int(face.sum()), 3))
    for block in pose_vertices(avatar, take):
        landmarks = mesh_landmarks(avatar, block)
        for row in np.flatnonzero(valid[start : start + len(block)]).tolist():
            frame, truth = start + row, frames.landmarks[start + row, :, :2]
            found = project_points(landmarks[row], intrinsics_at(take, frame))
            side = face_crop(truth, size).side
            values["landmarks_105"][frame] = ndc_l1(found, truth, side, MEDIAPIPE_105)
            values["landmarks_68"][frame] = ndc_l1(found, truth, side, FAN_68)
            values["lips"][frame] = aperture_error(found, truth, LIPS)
            values["lids"][frame] = aperture_error(found, truth, LIDS)
        surface = np.concatenate([before, block[:, face]])
        first = start - len(before)
        for row in range(1, len(surface) - 1):
            if valid[first + row - 1 : first + row + 2].all():
                values["jitter"][first + row] = second_difference(surface[row - 1 : row + 2])
        start, before = start + len(block), surface[-2:]
    return values
