"""The picture of a head, and what a fit notes of how it went."""

import contextlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.fit.refine.outcome import Outcome
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline import fit as fitting
from spark_backend.pipeline.look import backdrop
from spark_backend.pipeline.options import FitOptions
from spark_backend.pipeline.portrait import SIZE, portrait
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.errors import Cancelled
from spark_backend.protocol.job import Event, Warning
from spark_backend.solve.evidence import evidence_of_scores
from spark_backend.solve.options import SolveOptions
from spark_backend.solve.person import Person


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


STRANGER = "film: seems to show somebody else"


@pytest.fixture
def fitted(rendered_project: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A project whose fit says something at every stage. The solvers stand still: what counts is who says what."""
    folder, avatar, take = rendered_project
    shutil.copytree(folder, tmp_path / "person.spark")
    told = SimpleNamespace(folder=tmp_path / "person.spark", stops=False, compared=0, noted=[])
    focal, nobody = float(take.K[0, 0]), np.zeros(len(load_anny().identity))
    evidence = evidence_of_scores(np.zeros((len(take.pts), 52)), SolveOptions())

    def find_person(head, clips, keyframes, report):
        report(Warning("The networks are prepared"))
        return Person(nobody, np.array([focal])), [evidence]

    def strange_clips(head, names, clips, report):
        told.compared += 1
        return [STRANGER]

    def refine(known, stages, keyframes, batch, work, key, report):
        if told.stops:
            raise Cancelled
        report(Warning("The GPU's memory is full"))
        return Outcome(avatar, (focal,), (take,))

    for stand_in in (find_person, strange_clips, refine):
        monkeypatch.setattr(fitting, stand_in.__name__, stand_in)
    monkeypatch.setattr(fitting, "track_clip", lambda *given: None)
    monkeypatch.setattr(fitting, "state_to_take", lambda *given: take)

    def write_avatar(project, outcome, clips, size, quality, report):
        told.noted.extend(quality["warnings"])
        told.written = outcome.avatar

    monkeypatch.setattr(fitting, "write_avatar", write_avatar)
    return told


def warnings_of(folder: Path) -> list[str]:
    """What a fit warns of."""
    passed: list[Event] = []
    with contextlib.suppress(Cancelled):
        fitting.fit(FitOptions(folder, "draft"), passed.append)
    return [event.message for event in passed if isinstance(event, Warning)]


def test_a_heads_report_tells_of_its_clips_and_not_of_the_computer(fitted: SimpleNamespace) -> None:
    passed = warnings_of(fitted.folder)
    assert fitted.noted[0] == STRANGER
    assert [sentence.split(" shows ")[0] for sentence in fitted.noted[1:]] == ["No frame"]
    assert passed == ["The networks are prepared", *fitted.noted, "The GPU's memory is full"]


def test_a_fit_that_goes_on_says_again_what_is_wrong_with_its_clips(fitted: SimpleNamespace) -> None:
    fitted.stops = True
    assert STRANGER in warnings_of(fitted.folder)
    assert not fitted.noted
    fitted.stops = False
    assert warnings_of(fitted.folder)[0] == STRANGER
    assert fitted.noted[0] == STRANGER
    assert fitted.compared == 1


def test_the_finished_head_is_subdivided_when_asked_for(fitted: SimpleNamespace) -> None:
    counts = []
    for subdivide in (False, True):
        fitting.fit(FitOptions(fitted.folder, "draft", subdivide=subdivide), lambda event: None)
        counts.append(len(fitted.written.neutral))
    assert 3.5 * counts[0] < counts[1] < 4.5 * counts[0]
