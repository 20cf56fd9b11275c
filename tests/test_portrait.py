"""The picture of a head, and what a fit notes of how it went."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.fit.refine.outcome import Outcome
from spark_backend.heads.anny import load_anny
from spark_backend.pipeline import fit as fitting
from spark_backend.pipeline.look import backdrop
from spark_backend.pipeline.options import FitOptions
from spark_backend.pipeline.portrait import SIZE, portrait
from spark_backend.pipeline.progress import overheard
from spark_backend.protocol.avatar import Avatar
from spark_backend.protocol.job import Event, Progress, Warning
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


def test_warnings_are_noted_once_and_go_on() -> None:
    heard: list[str] = []
    passed: list[Event] = []
    report = overheard(passed.append, heard)
    events = [Warning("dark"), Progress("Fitting", 0.5), Warning("dark"), Warning("far")]
    for event in events:
        report(event)
    assert heard == ["dark", "far"]
    assert passed == events


def test_a_heads_report_tells_of_its_clips_and_not_of_the_computer(
    rendered_project: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The solvers stand still here: what counts is who says what."""
    folder, avatar, take = rendered_project
    shutil.copytree(folder, tmp_path / "person.spark")
    noted: list[str] = []

    def saying(sentence: str, place: int, answer: object):
        return lambda *given: given[place](Warning(sentence)) or answer

    focal, nobody = float(take.K[0, 0]), np.zeros(len(load_anny().identity))
    evidence = evidence_of_scores(np.zeros((len(take.pts), 52)), SolveOptions())
    stages = {
        "find_person": saying("The networks are prepared", 3, (Person(nobody, np.array([focal])), [evidence])),
        "warn_of_strangers": saying("film: seems to show somebody else", 3, None),
        "track_clip": lambda *given: None,
        "state_to_take": lambda *given: take,
        "refine": saying("The GPU's memory is full", 6, Outcome(avatar, (focal,), (take,))),
        "write_avatar": lambda project, outcome, clips, size, quality, report: noted.extend(quality["warnings"]),
    }
    for name, stand_in in stages.items():
        monkeypatch.setattr(fitting, name, stand_in)
    passed: list[Event] = []
    fitting.fit(FitOptions(tmp_path / "person.spark", "draft"), passed.append)
    assert noted[0] == "film: seems to show somebody else"
    assert [sentence.split(" shows ")[0] for sentence in noted[1:]] == ["No frame"]
    assert sum(isinstance(event, Warning) for event in passed) == 4
