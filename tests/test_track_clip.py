"""A video through the stream's three threads: the same as in one, whatever their timing, a lost face included."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from video_files import write_video

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import Frames
from spark_backend.track import clip
from spark_backend.track.network import Encoder
from spark_backend.track.read import BATCH, Seen, read_faces
from spark_backend.track.stream import FaceStream, Sight
from spark_backend.video.decode import read_frames
from spark_backend.video.face import Box
from spark_backend.video.search import Candidate

SIZE, RADIUS = (192, 128), 22
COUNT = 2 * BATCH + 7
"""Frames: the last batch is not full."""
HIDDEN = range(20, 26)
RING = np.linspace(0, 2 * np.pi, 478)


def place(index: int) -> tuple[float, float]:
    """Where the made-up face is in a frame: it wanders, and is elsewhere after it was hidden."""
    return 60 + 0.7 * index + (40 if index >= HIDDEN.stop else 0), 64 + 15 * np.sin(0.2 * index)


def frame(index: int) -> np.ndarray:
    """A bright disc, or none."""
    x, y = place(index)
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    disc = np.hypot(columns + 0.5 - x, rows + 0.5 - y) < RADIUS
    return np.repeat(200 * (disc & (index not in HIDDEN))[..., None].astype(np.uint8), 3, -1)


def extent(image: np.ndarray) -> Box | None:
    """The disc's box."""
    rows, columns = np.nonzero(image[..., 0] > 100)
    return None if len(rows) < 50 else np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1], float)


class Detector:
    """Finds the disc in the whole frame."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, image: np.ndarray) -> list[Candidate]:
        box = extent(image)
        return [] if box is None else [Candidate(box, 0.9)]


class Cues:
    """Stands in for the landmark network, and takes its time as the machine likes: landmarks around the disc."""

    name = "stand-in"

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)

    def __call__(self, crops: np.ndarray) -> dict[str, np.ndarray]:
        time.sleep(self.random.choice([0.0, 0.001, 0.004]))
        box = extent(crops[0])
        centre, size = (np.zeros(2), 1.0) if box is None else ((box[:2] + box[2:]) / 2, (box[2:] - box[:2]).mean())
        ring = size / 2 * np.stack([-np.cos(RING), np.sin(RING), 0 * RING], 1) + np.append(centre, 0)
        return {
            "landmarks": ring[None].astype(np.float32),
            "presence": np.array([box is not None], np.float32),
            "deep": np.full((1, 2560), centre[0], np.float32),
            "local": np.full((1, 3584), size, np.float32),
        }


class Heads:
    """Stands in for the heads: numbers that tell each frame from every other."""

    name = "stand-in"

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.batches: set[int] = set()

    def __call__(self, *cues: np.ndarray) -> dict[str, np.ndarray]:
        landmarks, presence, deep, local = cues
        time.sleep(self.random.choice([0.0, 0.01]))
        self.batches.add(len(landmarks))
        return {
            "weights": deep[:, :52],
            "rotation": np.tile(np.eye(3, dtype=np.float32), (len(deep), 1, 1)),
            "middle": landmarks[:, :, :2].mean(1),
            "scale": local[:, 0],
            "confidence": 0.8 * presence,
        }


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(clip, "FaceDetector", Detector)
    return write_video(tmp_path / "disc.mp4", (frame(index) for index in range(COUNT)))


def watched(video: Path, seed: int, frames: Frames | None = None) -> tuple[list[Seen | None], Heads]:
    """Through the threads."""
    heads = Heads(seed)
    sightings = clip.watch_clip(video, b"", Encoder(Cues(seed), heads), frames, print, lambda part: None)
    np.testing.assert_allclose(sightings.pts, np.arange(COUNT) / 25, atol=1e-6)
    return list(sightings.seen), heads


def one_by_one(video: Path) -> Iterator[Seen | None]:
    """In one thread, each frame read by itself."""
    stream = FaceStream(Cues(0), Detector())
    for picture in read_frames(video, print):
        sight: Sight | None = stream(picture.image)
        yield None if sight is None else read_faces([sight], Heads(0))[0]


def assert_same(first: list[Seen | None], second: list[Seen | None]) -> None:
    assert len(first) == len(second) == COUNT
    for one, other in zip(first, second, strict=True):
        assert (one is None) == (other is None)
        for name, value in vars(one).items() if one is not None else ():
            np.testing.assert_array_equal(value, getattr(other, name))


def test_threads_give_what_one_thread_gives_every_time(video):
    expected = list(one_by_one(video))
    for seed in (1, 2):
        found, heads = watched(video, seed)
        assert_same(found, expected)
        assert heads.batches == {BATCH}


def test_a_face_is_lost_while_it_is_hidden_and_found_where_it_comes_back(video):
    seen, _ = watched(video, 0)
    assert [index for index, one in enumerate(seen) if one is None] == list(HIDDEN)
    for index, one in enumerate(seen):
        if one is not None:
            np.testing.assert_allclose(one.middle, place(index), atol=1.5)


def test_what_was_ingested_tells_where_the_person_is_and_where_not(video, monkeypatch):
    """Frames that ingest has marked are not looked at, though something bright is there; no detector is made."""
    monkeypatch.setattr(clip, "FaceDetector", None)
    valid = np.array([index not in HIDDEN and index % 10 > 0 for index in range(COUNT)])
    box = np.array([[x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS] for x, y in map(place, range(COUNT))])
    unused = np.zeros((COUNT, 478, 3), np.float32)
    frames = Frames(np.arange(COUNT) / 25, valid, box, unused, np.zeros((COUNT, 52)), np.ones(COUNT))
    seen, _ = watched(video, 0, frames)
    assert [one is not None for one in seen] == valid.tolist()


def test_a_video_without_a_face_is_refused(tmp_path, video):
    empty = write_video(tmp_path / "empty.mp4", [np.zeros((128, 192, 3), np.uint8)] * 5)
    with pytest.raises(SparkError, match="no face in any of its 5 frames"):
        clip.watch_clip(empty, b"", Encoder(Cues(0), Heads(0)), None, print, lambda part: None)
