"""Following one person, the frames made ahead for it, and what the user is told about the result."""

import threading
from pathlib import Path

import numpy as np
import pytest
from made_up_faces import box_at, some_face

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.project import Frames
from spark_backend.video import follow
from spark_backend.video.ahead import ahead
from spark_backend.video.coverage import coverage_warnings, longest_gap
from spark_backend.video.face import Face
from spark_backend.video.follow import Observation, Sightings, belongs
from spark_backend.video.mirror import LANDMARK_PARTNER
from spark_backend.video.people import Person, Sighting
from spark_backend.video.record import Recorder


def test_expected_place_lies_between_sightings_of_the_same_shot():
    sightings = Sightings(
        [Sighting(0.0, 0, box_at(100)), Sighting(0.5, 0, box_at(200)), Sighting(0.75, 1, box_at(900))]
    )
    np.testing.assert_allclose(sightings.between(0.25, 0), box_at(150))
    np.testing.assert_allclose(sightings.at(0.5, 0), box_at(200))
    assert sightings.between(0.6, 0) is None
    np.testing.assert_allclose(sightings.at(0.6, 0), box_at(200))
    np.testing.assert_allclose(sightings.at(0.7, 1), box_at(900))
    assert sightings.at(1.3, 0) is None
    assert Sightings([]).at(0, 0) is None


def test_a_face_at_somebody_elses_place_is_not_theirs():
    own = Sightings([Sighting(0.0, 0, box_at(100)), Sighting(0.25, 0, box_at(100))])
    other = Sightings([Sighting(t, 0, box_at(190)) for t in (0.0, 0.25, 0.5, 2.0)])
    assert belongs(box_at(110), 0.1, 0, own, [other])
    assert not belongs(box_at(170), 0.1, 0, own, [other]), "nearer to the other's place"
    assert belongs(box_at(170), 0.1, 0, own, [])
    assert not belongs(box_at(300), 0.1, 0, own, []), "far from where both sightings are"
    assert not belongs(box_at(195), 2.0, 0, own, [other]), "only the other is known to be here now"
    assert belongs(box_at(300), 2.0, 0, own, [other])


class DotLandmarker:
    """Stands in for the network: the face is around a red dot, or else around a blue one."""

    def __init__(self, bundle: bytes, follow: bool) -> None:
        pattern = some_face().landmarks - 200
        partner = pattern[LANDMARK_PARTNER] * (-1, 1, 1)
        self.pattern = (pattern + partner) / 2

    def __call__(self, image: np.ndarray, elapsed: int = 1) -> Face | None:
        for channel in (0, 2):
            y, x = np.nonzero(image[..., channel] > 128)
            if len(x):
                return Face(self.pattern + np.array([x.mean() + 0.5, y.mean() + 0.5, 0]), np.zeros(52))
        return None

    def __exit__(self, *_: object) -> None:
        """Nothing to close."""


def dots(red: int | None, blue: int | None) -> np.ndarray:
    """A frame with dots at height 200."""
    frame = np.zeros((400, 1200, 3), np.uint8)
    for x, channel in ((red, 0), (blue, 2)):
        if x is not None:
            frame[196:204, x - 4 : x + 4, channel] = 255
    return frame


def middle(seen: Observation | None) -> float | None:
    """Where the followed face is."""
    return None if seen is None else round(float(seen.face.box[[0, 2]].mean()))


@pytest.fixture
def dot_landmarker(monkeypatch):
    """Following without MediaPipe."""
    monkeypatch.setattr(follow, "Landmarker", DotLandmarker)


def test_a_face_is_followed_beyond_its_sightings(dot_landmarker):
    offset = middle(Observation(DotLandmarker(b"", True)(dots(400, None)), 1)) - 400
    with follow.Follower(b"", [Sighting(0.0, 0, box_at(400 + offset, 200))], []) as follower:
        for n in range(40):
            seen = follower(n / 10, 0, dots(400 + 10 * n, None))
            assert middle(seen) == pytest.approx(400 + offset + 10 * n, abs=1)
            assert seen.confidence == pytest.approx(1, abs=0.02)
        assert follower(4.0, 0, dots(None, None)) is None


def test_when_somebody_else_stands_there_they_are_not_followed(dot_landmarker):
    offset = middle(Observation(DotLandmarker(b"", True)(dots(400, None)), 1)) - 400
    place = box_at(300 + offset, 200)
    with follow.Follower(b"", [Sighting(0.0, 0, place)], [[Sighting(1.0, 0, place)]]) as follower:
        assert follower(0.0, 0, dots(300, None)) is not None
        assert follower(1.0, 0, dots(None, 300)) is None


def test_in_a_new_shot_the_person_is_where_they_were_seen_in_it(dot_landmarker):
    """A poster hangs where the face was before the cut."""
    offset = middle(Observation(DotLandmarker(b"", True)(dots(400, None)), 1)) - 400
    own = [Sighting(0.0, 0, box_at(300 + offset, 200)), Sighting(0.5, 1, box_at(900 + offset, 200))]
    with follow.Follower(b"", own, []) as follower:
        assert middle(follower(0.0, 0, dots(300, None))) == pytest.approx(300 + offset, abs=1)
        assert middle(follower(0.3, 1, dots(300, 900))) == pytest.approx(900 + offset, abs=1)


# What the user is told


def frames_of(valid: np.ndarray, size: float = 200, confidence: float = 0.9) -> Frames:
    """Frames at 10 a second."""
    count = len(valid)
    box = np.where(valid[:, None], box_at(300, size), np.nan)
    return Frames(
        np.arange(count) / 10,
        valid,
        box,
        np.full((count, 478, 3), np.nan),
        np.zeros((count, 52)),
        np.where(valid, confidence, 0),
    )


def person(size: float = 200) -> Person:
    """Someone seen four times."""
    return Person(tuple(Sighting(n / 4, 0, box_at(300, size)) for n in range(4)))


def test_a_good_clip_gives_no_warning():
    assert coverage_warnings(frames_of(np.ones(100, bool)), [120.0], (person(), person(50)), 0) == []


@pytest.mark.parametrize(
    ("frames", "brightness", "people", "says"),
    [
        (frames_of(np.ones(20, bool)), 120.0, (person(),), "Only 20 frames"),
        (frames_of(np.ones(100, bool), size=60), 120.0, (person(),), "60 pixels"),
        (frames_of(np.ones(100, bool)), 20.0, (person(),), "dark"),
        (frames_of(np.arange(100) % 60 < 40), 120.0, (person(),), "between 4.0 and 6.0 s"),
        (frames_of(np.ones(100, bool), confidence=0.3), 120.0, (person(),), "unsure in 100%"),
        (frames_of(np.ones(100, bool)), 120.0, (person(), person(150)), "--face 1"),
    ],
)
def test_each_weakness_is_told(frames, brightness, people, says):
    sentences = coverage_warnings(frames, [brightness], people, 0)
    assert len(sentences) == 1
    assert says in sentences[0]


def test_longest_gap():
    pts = np.arange(10) / 2
    assert longest_gap(pts, np.ones(10, bool)) == (0.0, 0.0)
    assert longest_gap(pts, np.array([1, 0, 1, 0, 0, 0, 1, 1, 0, 0], bool)) == (1.5, 3.0)


# Frames made ahead


def test_ahead_gives_all_items_in_order():
    with ahead(iter(range(100)), depth=3) as items:
        assert list(items) == list(range(100))


def test_ahead_passes_on_what_goes_wrong_after_what_went_well():
    def source():
        yield from (1, 2)
        raise ValueError("broken")

    seen = []
    with pytest.raises(ValueError, match="broken"), ahead(source()) as items:
        seen.extend(items)
    assert seen == [] or seen == [1, 2]


def test_ahead_stops_and_closes_its_source_when_the_user_stops():
    closed = threading.Event()

    def source():
        try:
            yield from range(10**9)
        finally:
            closed.set()

    def interrupted():
        with ahead(source()) as items:
            assert next(items) == 0
            raise KeyboardInterrupt

    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert closed.is_set()
    assert threading.active_count() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full, which Linux has")
def test_a_full_disk_is_told():
    with Recorder() as recorder:
        recorder.file.close()
        recorder.file = open("/dev/full", "wb", buffering=0)  # noqa: SIM115 - closed by the recorder
        with pytest.raises(SparkError, match="disk is full"):
            recorder.add(0.0, None)


def test_recorded_frames_come_back():
    with Recorder() as recorder:
        face = Face(np.random.default_rng(0).uniform(0, 500, (478, 3)), np.linspace(0, 1, 52))
        for pts, seen in ((0.0, None), (0.5, Observation(face, 0.75))):
            recorder.add(pts, seen)
        frames = recorder.frames()
        assert frames.valid.tolist() == [False, True]
        assert frames.pts.tolist() == [0.0, 0.5]
        np.testing.assert_allclose(frames.landmarks[1], face.landmarks, rtol=1e-6)
        np.testing.assert_allclose(frames.box[1], face.box, rtol=1e-6)
        np.testing.assert_allclose(frames.scores[1], face.scores, rtol=1e-6)
        assert frames.confidence[1] == 0.75
        assert isinstance(frames.landmarks, np.memmap), "it must not grow memory"
        del frames
