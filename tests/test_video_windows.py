"""Windows around faces, tiles over pictures and faces in the mirror."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_faces import some_face

from spark_backend.protocol.names import ARKIT_52
from spark_backend.video.face import Face
from spark_backend.video.mirror import LANDMARK_PARTNER, average, disagreement, mirror_face
from spark_backend.video.networks import Candidate
from spark_backend.video.search import distinct, overlap, tile_corners
from spark_backend.video.window import Window, window_around


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
