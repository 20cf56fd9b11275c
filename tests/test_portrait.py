"""The picture of a head, and what a fit notes of how it went."""

from dataclasses import replace

import numpy as np
import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.pipeline.look import backdrop
from spark_backend.pipeline.portrait import SIZE, portrait
from spark_backend.pipeline.progress import overheard
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.job import Event, Progress, Warning


@pytest.fixture(scope="module")
def avatar() -> Avatar:
    return replace(toy_avatar(), regions={})  # no neck: the middle of the egg is that of the head


def test_the_head_stands_in_the_middle_and_leaves_air_around(avatar: Avatar) -> None:
    picture = portrait(avatar, toy_take())
    assert picture.shape == (*SIZE[::-1], 3)
    drawn = (picture != backdrop(SIZE)).any(-1)
    rows, columns = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    for found, side in ((rows, SIZE[1]), (columns, SIZE[0])):
        assert abs((found.min() + found.max()) / 2 - side / 2) < 10
        assert 20 < found.min() < side / 3
    assert 0.1 < drawn.mean() < 0.6


def test_it_shows_the_face_at_rest_whatever_the_take_does(avatar: Avatar) -> None:
    one, other = (portrait(avatar, toy_take(seed=seed)) for seed in (3, 4))
    np.testing.assert_array_equal(one, other)


def test_warnings_are_noted_once_and_go_on() -> None:
    heard: list[str] = []
    passed: list[Event] = []
    report = overheard(passed.append, heard)
    events = [Warning("dark"), Progress("Fitting", 0.5), Warning("dark"), Warning("far")]
    for event in events:
        report(event)
    assert heard == ["dark", "far"]
    assert passed == events
