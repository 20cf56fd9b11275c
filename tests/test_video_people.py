"""Who is who: faces joined to people by place, looks and time, and shots told apart."""

import numpy as np
import pytest
from made_up_faces import box_at, some_face

from spark_backend.video.appearance import Appearance, align, blend, difference
from spark_backend.video.people import Linker, Person, Sighting, people_of
from spark_backend.video.scout import Change, CutDetector


def look(person: int, noise: float = 0.05) -> Appearance:
    """How a person looks this time."""
    fixed, random = np.random.default_rng(person), np.random.default_rng()
    parts = [(0.05, (478, 3)), (1.0, (28, 32)), (40.0, (9, 6, 3))]
    return Appearance(*(s * (fixed.normal(size=shape) + noise * random.normal(size=shape)) for s, shape in parts))


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
