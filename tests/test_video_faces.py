"""The parts of finding and following: windows, tiles, mirror images, who is who, frames made ahead."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.project import Frames
from spark_backend.video import follow
from spark_backend.video.ahead import ahead
from spark_backend.video.appearance import Appearance, align, blend, difference
from spark_backend.video.coverage import coverage_warnings, longest_gap
from spark_backend.video.face import Face
from spark_backend.video.follow import Observation, Sightings, belongs
from spark_backend.video.mirror import LANDMARK_PARTNER, average, disagreement, mirror_face
from spark_backend.video.networks import Candidate
from spark_backend.video.people import Linker, Person, Sighting, people_of
from spark_backend.video.scout import Change, CutDetector
from spark_backend.video.search import distinct, overlap, tile_corners
from spark_backend.video.window import Window, window_around


def some_face(seed: int = 0) -> Face:
    """Landmarks scattered over a face 200 px large, and scores."""
    random = np.random.default_rng(seed)
    return Face(random.uniform(100, 300, (478, 3)), random.uniform(0, 1, 52))


# Windows


@pytest.mark.parametrize("side", [60, 480, 1000, 1500])
@pytest.mark.parametrize("corner", [(-30, -20), (40, 50), (1800, 1000)])
def test_window_shows_each_point_where_it_says(side, corner):
    """A bright dot of the frame is found in the cut and comes back to its place."""
    frame = np.zeros((1080, 1920, 3), np.uint8)
    window = Window(*corner, side)
    dot = (corner[0] + side // 2, corner[1] + side // 2)
    if not (8 <= dot[0] < 1912 and 8 <= dot[1] < 1072):
        dot = (max(corner[0], 0) + 20, max(corner[1], 0) + 20)
    frame[dot[1] - 4 : dot[1] + 4, dot[0] - 4 : dot[0] + 4] = 255
    cut = window.cut(frame)[..., 0].astype(float)
    assert cut.shape[0] == cut.shape[1] <= side
    y, x = np.indices(cut.shape) + 0.5
    centre = [(cut * x).sum() / cut.sum(), (cut * y).sum() / cut.sum(), 0]
    found = window.to_frame(Face(np.tile(centre, (478, 1)), np.zeros(52))).landmarks[0]
    np.testing.assert_allclose(found[:2], dot, atol=0.15)


def test_window_goes_on_beyond_the_edge():
    frame = np.full((100, 100, 3), 77, np.uint8)
    assert (Window(-20, 60, 70).cut(frame) == 77).all()


@given(st.floats(0, 1900), st.floats(0, 1000), st.floats(10, 900))
def test_a_new_window_suits_its_face(x, y, size):
    box = np.array([x - size / 2, y - size / 2, x + size / 2, y + size / 2])
    window = window_around(box)
    assert window.suits(box)
    assert window.side % window.reduction == 0
    assert not window.suits(box + size)
    assert not window.suits(np.array([x - size, y - size, x + size, y + size]))


# Tiles


@given(st.integers(300, 700), st.integers(300, 700), st.integers(96, 300), st.data())
def test_each_face_lies_whole_in_a_tile(width, height, side, data):
    """Tiles overlap by half: a square of half their side fits into one of them wherever it lies."""
    tiles = list(tile_corners(width, height, side))
    small = side // 2 - 2
    left, top = data.draw(st.integers(0, width - small)), data.draw(st.integers(0, height - small))
    assert any(x <= left and left + small <= x + side and y <= top and top + small <= y + side for x, y in tiles)


def test_overlapping_candidates_are_one():
    a, b, c = np.array([0.0, 0, 10, 10]), np.array([1.0, 1, 11, 11]), np.array([20.0, 0, 30, 10])
    assert overlap(a, a) == pytest.approx(1)
    assert overlap(a, b) == pytest.approx(81 / 119)
    assert overlap(a, c) == 0
    kept = distinct([Candidate(a, 0.5), Candidate(b, 0.9), Candidate(c, 0.6)])
    assert [candidate.score for candidate in kept] == [0.9, 0.6]


# Mirror images


def test_partners_change_places():
    np.testing.assert_array_equal(LANDMARK_PARTNER[LANDMARK_PARTNER], np.arange(478))
    # Corners of eyes and mouth, wings of the nose, irises; and tip of the nose and chin on the midline.
    for right, left in ((33, 263), (133, 362), (61, 291), (98, 327), (468, 473), (1, 1), (152, 152)):
        assert LANDMARK_PARTNER[right] == left


def test_mirroring_twice_changes_nothing_and_names_change_sides():
    face = some_face()
    mirrored = mirror_face(face, 640)
    twice = mirror_face(mirrored, 640)
    np.testing.assert_allclose(twice.landmarks, face.landmarks)
    np.testing.assert_array_equal(twice.scores, face.scores)
    left, right = ARKIT_52.index("mouthSmileLeft"), ARKIT_52.index("mouthSmileRight")
    assert mirrored.scores[left] == face.scores[right]
    assert mirrored.landmarks[33, 0] == 640 - face.landmarks[263, 0]


def test_disagreement_is_a_part_of_the_face():
    face = some_face()
    size = np.ptp(face.landmarks[:, :2], axis=0).max()
    moved = Face(face.landmarks + np.array([3, 4, 100]), face.scores)
    assert disagreement(face, moved) == pytest.approx(5 / size)
    np.testing.assert_allclose(average(face, moved).landmarks, face.landmarks + np.array([1.5, 2, 50]))


# Who is who


def look(person: int, noise: float = 0.05) -> Appearance:
    """How a person looks this time."""
    fixed, random = np.random.default_rng(person), np.random.default_rng()
    parts = [(0.05, (478, 3)), (1.0, (28, 32)), (40.0, (9, 6, 3))]
    return Appearance(*(s * (fixed.normal(size=shape) + noise * random.normal(size=shape)) for s, shape in parts))


def box_at(x: float, size: float = 100) -> np.ndarray:
    """A face at height 200."""
    return np.array([x - size / 2, 200 - size / 2, x + size / 2, 200 + size / 2])


def link(frames: list[tuple[float, int, list[tuple[int, float]]]], same_scene: bool = False) -> list[Person]:
    """People from (seconds, shot, [(who it is, where)])."""
    linker = Linker()
    for pts, shot, faces in frames:
        setup = 0 if same_scene else shot
        linker.add([(Sighting(pts, shot, box_at(x), setup), look(who)) for who, x in faces])
    return people_of(linker.tracklets)


def places(person: Person) -> list[float]:
    """Horizontal middles over time."""
    return [float(sighting.box[[0, 2]].mean()) for sighting in person.sightings]


def test_two_people_who_pass_each_other_stay_apart():
    times = np.arange(0, 5, 0.25)
    people = link([(t, 0, [(1, 100 + 100 * t), (2, 600 - 100 * t)]) for t in times])
    ways = sorted((places(person) for person in people), key=min)
    np.testing.assert_allclose(ways, [100 + 100 * times, 600 - 100 * times])


def test_someone_who_comes_back_is_known_again():
    there = [(t, 0, [(1, 300)]) for t in (0, 0.25, 0.5)]
    back = [(t, 0, [(1, 500)]) for t in (20, 20.25)]
    assert len(link(there + back)) == 1


def test_someone_else_at_the_same_place_is_not():
    there = [(t, 0, [(1, 300)]) for t in (0, 0.25, 0.5)]
    other = [(t, 0, [(2, 300)]) for t in (20, 20.25)]
    assert [len(person.sightings) for person in link(there + other)] == [3, 2]


def test_across_a_cut_looks_decide():
    shots = [(0.25 * n, n // 4, [(1 if n // 4 % 2 == 0 else 2, 300)]) for n in range(12)]
    assert [len(person.sightings) for person in link(shots)] == [8, 4]


def test_across_a_jump_cut_place_helps():
    """Somebody who looks quite different is somebody else, unless the face stays where it was."""
    changed = blend(look(1), look(2), 0.75)
    for same_scene in (False, True):
        linker = Linker()
        for n in range(8):
            sighting = Sighting(n / 4, n // 4, box_at(300), 0 if same_scene else n // 4)
            linker.add([(sighting, look(1) if n < 4 else changed)])
        assert len(people_of(linker.tracklets)) == (1 if same_scene else 2)


def test_one_face_that_looks_different_for_a_moment_is_one():
    frames = [(0.25 * n, 0, [(3 if n == 4 else 1, 300 + 5 * n)]) for n in range(9)]
    assert len(link(frames)) == 1


def test_large_for_long_is_prominent():
    linker = Linker()
    for n in range(8):
        faces = [(Sighting(n / 4, 0, box_at(100, 60)), look(1))]
        faces += [(Sighting(n / 4, 0, box_at(400, 100)), look(2))] if n < 6 else []
        linker.add(faces)
    assert places(people_of(linker.tracklets)[0]) == [400] * 6


def test_difference_is_small_for_one_and_large_for_two():
    assert difference(look(1, 0), look(1, 0)) == pytest.approx(0, abs=1e-6)
    assert difference(look(1), look(1)) < 1 < 2 < difference(look(1), look(2))


def test_alignment_takes_out_pose_and_size():
    shape = some_face().landmarks
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    np.testing.assert_allclose(align(2.5 * shape @ turn + 7, shape), align(shape, shape), atol=1e-9)


def test_a_cut_is_told_from_movement_and_flicker():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 255, (2, 24, 32)).astype(np.uint8)
    change_at = CutDetector()
    shaky = [np.roll(first, n, axis=1) for n in range(10)] + [second] * 10
    assert {change_at(picture) for picture in shaky} == {Change.NONE}, "a picture that changes wholly has no cut"
    change_at = CutDetector()
    calm = [np.clip(first.astype(int) + 6 * (n % 2), 0, 255).astype(np.uint8) for n in range(10)]
    changes = [change_at(picture) for picture in calm + [second] * 10]
    assert [n for n, change in enumerate(changes) if change is not Change.NONE] == [10]
    assert changes[10] is Change.CUT


def test_a_jump_cut_keeps_the_background():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 255, (2, 24, 32)).astype(np.uint8)
    second[:, :14] = first[:, :14]
    change_at = CutDetector()
    assert [change_at(picture) for picture in [first] * 5 + [second] * 2][5] is Change.JUMP


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
