"""Lag, jitter and lost blinks of live tracking by its smoothing constants, on rendered people whose motion is known.

    python benchmarks/smoothing.py [--seconds 12] [--people 3 8] [--keep FOLDER]

Two made-up people, each on the true head: some seconds of a performance, and two of a still face under the camera's
noise. Each picture is read once; what follows, the streaming solver and the one-euro filters, is run for every setting.

`lag` is the delay in milliseconds at which the weights correlate best with the true ones; `jitter` the root mean square
change from frame to frame of the weights (in thousandths) and of the head (in hundredths of a degree) while nothing
moves; `blink lost` how much lower the lids' peaks are than without a filter (%), on average and in the worst tenth;
`error` the mean distance of the weights from the truth, percent.

`motion` is `WEIGHT_MOTION` of the solver, `cutoff` and `speed` are the one-euro filter's of the weights (Hz, Hz for
each unit a second). One-euro's defaults are those of its authors' own code: 1 Hz and no speed term.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from spark_backend.heads.anny import load_anny
from spark_backend.live.encoded import FaceReader
from spark_backend.live.one_euro import OneEuro, OneEuroOptions
from spark_backend.live.shaping import WEIGHT_SPEED, resting_cutoff
from spark_backend.models import resolve_model
from spark_backend.pipeline.footage import FOCAL, RATE, SIZE, footage_frames, random_person
from spark_backend.pipeline.performance import perform
from spark_backend.pipeline.streamed import open_generic
from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.take import Take
from spark_backend.solve import streaming
from spark_backend.solve.evidence import evidence_of_encoder
from spark_backend.solve.landmark_model import landmark_model
from spark_backend.solve.options import SolveOptions

STILL = 60
"""Frames of a face that does not move."""
SETTLING = 10
"""Frames until a solve has come to rest."""
MOVES = 0.05
"""Standard deviation from which on a weight moves."""
BLINK = 0.8
"""True closure from which on a peak is a blink."""
REACH = 3
"""Frames about a blink in which the tracked peak is looked for."""
SHIFTS = np.arange(-0.05, 0.351, 0.0025)
"""Seconds of delay that are tried."""
LIDS = [ARKIT_52.index(f"eyeBlink{side}") for side in ("Left", "Right")]
SMOOTHINGS = (0.0, 0.25, 0.5, 0.75, 1.0)
CUTOFFS, SPEEDS, MOTIONS = (1.0, 2.0, 3.0, 5.0), (0.0, 5.0, 10.0, 20.0, 40.0), (0.05, 0.1, 0.2, 0.4, 1.0)


@dataclass(frozen=True)
class Reading:
    """What was read of a person's pictures, and the truth."""

    person: Path
    landmarks: np.ndarray
    """(T, 478, 2) pixels from the middle of the picture."""
    encoded: np.ndarray
    """(T, 52) weights, as the encoder reads them, and its `confidence` (T,)."""
    confidence: np.ndarray
    pts: np.ndarray
    weights: np.ndarray
    """(T, 52) the true ones; the last `STILL` frames are at rest."""


@dataclass(frozen=True)
class Solved:
    """What the solver makes of a reading."""

    weights: np.ndarray
    rotations: np.ndarray
    """(T, 3, 3)"""
    truth: np.ndarray
    pts: np.ndarray


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=12.0)
    parser.add_argument("--people", type=int, nargs="*", default=[3, 8], help="seeds")
    parser.add_argument("--keep", type=Path, help="folder for what was read, which a second run takes up")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.keep or Path(folder)
        readings = [reading_of(place / f"{seed}-{options.seconds:g}", seed, options.seconds) for seed in options.people]
    table("Solver, without a filter", [(f"motion {motion:g}", solve_all(readings, motion), None) for motion in MOTIONS])
    solved = solve_all(readings, streaming.WEIGHT_MOTION)
    ours = [(f"smoothing {s:g}", solved, filter_of(s)) for s in SMOOTHINGS]
    theirs = [("one-euro's defaults", solved, OneEuroOptions(1.0, 0.0))]
    table(f"The slider, motion {streaming.WEIGHT_MOTION:g}", [*ours, *theirs])
    swept = [OneEuroOptions(cutoff, speed) for cutoff in CUTOFFS for speed in SPEEDS]
    table("Weights' filter", [(f"cutoff {o.least_cutoff:g}, speed {o.speed_factor:g}", solved, o) for o in swept])


def filter_of(smoothing: float) -> OneEuroOptions | None:
    """The weights' filter at a place of the slider."""
    return OneEuroOptions(resting_cutoff(smoothing), WEIGHT_SPEED) if smoothing > 0 else None


def reading_of(folder: Path, seed: int, seconds: float) -> Reading:
    """Renders and reads a person, or takes up what an earlier run has read."""
    kept = folder / "reading.npz"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        person = random_person(load_anny(), folder, seed)
        K = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1]])
        take = with_rest(perform(person, seed, seconds, RATE, K, SIZE))
        bundle = resolve_model("face_landmarker", print).read_bytes()
        reader = FaceReader(open_generic(person, bundle, print), bundle)
        faces = [
            reader.read(reader.look(picture)) for _, picture in footage_frames(person, take, seed, lambda event: None)
        ]
        landmarks = np.stack([face.landmarks[:, :2] for face in faces]) - np.array(SIZE) / 2
        encoded, confidence = (np.stack([getattr(face, name) for face in faces]) for name in ("weights", "confidence"))
        truth = {"pts": take.pts, "weights": take.weights}
        np.savez(kept, landmarks=landmarks, encoded=encoded, confidence=confidence, **truth)
    with np.load(kept) as content:
        return Reading(folder, **content)


def with_rest(take: Take) -> Take:
    """The take with a still face after it: its first frame, over and over."""
    rows = np.concatenate([np.arange(len(take.pts)), np.zeros(STILL, int)])
    names = ("weights", "head_rotation", "head_translation", "neck", "jaw", "eye_left", "eye_right")
    names += ("confidence", "valid")
    picked = {name: getattr(take, name)[rows] for name in names}
    return replace(take, pts=np.arange(len(rows)) / RATE, **picked)


def solve_all(readings: Sequence[Reading], motion: float) -> list[Solved]:
    """Every person's performance by the streaming solver with that `WEIGHT_MOTION`."""
    before, streaming.WEIGHT_MOTION = streaming.WEIGHT_MOTION, motion
    try:
        return [solve(reading) for reading in readings]
    finally:
        streaming.WEIGHT_MOTION = before


def solve(reading: Reading) -> Solved:
    """One person's."""
    model = landmark_model(load_anny(), load_avatar(reading.person))
    solver = streaming.StreamingSolver(model, FOCAL, SolveOptions())
    evidence = evidence_of_encoder(reading.encoded.astype(float), reading.confidence, SolveOptions())
    states = [
        solver(landmarks, evidence.select(np.array([row])), float(seconds))
        for row, (landmarks, seconds) in enumerate(zip(reading.landmarks, reading.pts, strict=True))
    ]
    weights = np.stack([solver.model.full_weights(state) for state in states])
    return Solved(weights, np.stack([state.rotation for state in states]), reading.weights, reading.pts)


def table(title: str, rows: Sequence[tuple[str, list[Solved], OneEuroOptions | None]]) -> None:
    """Prints one line for each setting, the mean over the people."""
    print(f"\n{title}\n\n| | lag ms | jitter weights, head | blink lost %: mean, worst tenth | error % |")
    print("|---|---|---|---|---|")
    for name, solved, options in rows:
        lag, weights, head, lost, worst, error = np.mean([list(figures(one, options)) for one in solved], axis=0)
        print(f"| {name} | {lag:.0f} | {weights:.2f}, {head:.2f} | {lost:.1f}, {worst:.1f} | {error:.2f} |", flush=True)


def figures(solved: Solved, options: OneEuroOptions | None) -> Iterator[float]:
    """Lag, jitter of the weights and the head, blinks lost on average and at worst, error."""
    weights = filtered(solved.weights, solved.pts, options)
    moving, still = slice(0, -STILL), slice(SETTLING - STILL, None)
    yield 1000 * lag(weights[moving], solved.truth[moving], solved.pts[moving])
    yield 1000 * np.sqrt(np.mean(np.diff(weights[still], axis=0) ** 2))
    turns = Rotation.from_matrix(solved.rotations[still])
    vectors = filtered((turns * turns[0].inv()).as_rotvec(), solved.pts[still], options)
    yield 100 * np.degrees(np.sqrt(np.mean(np.diff(vectors, axis=0) ** 2)))
    lost = 100 * blinks_lost(weights[moving], solved.weights[moving], solved.truth[moving])
    yield lost.mean()
    yield np.percentile(lost, 90)
    yield 100 * np.abs(weights[moving] - solved.truth[moving]).mean()


def filtered(values: np.ndarray, pts: np.ndarray, options: OneEuroOptions | None) -> np.ndarray:
    """What the filter makes of the values that come one after the other."""
    if options is None:
        return values
    smooth = OneEuro(options)
    return np.stack([smooth(row, float(seconds)) for row, seconds in zip(values, pts, strict=True)])


def lag(weights: np.ndarray, truth: np.ndarray, pts: np.ndarray) -> float:
    """Seconds by which the weights come late: the delay of the truth that correlates best, all that moves pooled."""
    moves = truth.std(0) > MOVES
    inside = (pts > pts[0] + SHIFTS.max()) & (pts < pts[-1] + SHIFTS.min())
    ours = (weights - weights.mean(0))[inside][:, moves]

    def agreement(shift: float) -> float:
        late = np.stack([np.interp(pts - shift, pts, column) for column in truth.T[moves]], 1)
        late = (late - late.mean(0))[inside]
        return float((late * ours).sum() / np.sqrt((late**2).sum() * (ours**2).sum()))

    return float(SHIFTS[np.argmax([agreement(shift) for shift in SHIFTS])])


def blinks_lost(weights: np.ndarray, raw: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(N,) part of each blink's tracked peak that the filter takes away."""
    lost = []
    for lid in LIDS:
        true = truth[:, lid]
        peaks = [i for i in range(REACH, len(true) - REACH) if true[i] > BLINK and true[i] == peak_about(true, i)]
        lost += [1 - peak_about(weights[:, lid], i) / peak_about(raw[:, lid], i) for i in peaks]
    return np.array(lost)


def peak_about(values: np.ndarray, index: int) -> float:
    """The highest value near a frame."""
    return float(values[index - REACH : index + REACH + 1].max())


if __name__ == "__main__":
    main()
