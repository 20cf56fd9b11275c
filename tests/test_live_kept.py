"""What the project keeps for live, strengths and the resting face: written, come back, damaged, of another camera."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import toy_avatar

from spark_backend.live.calibration import CalibrationFile
from spark_backend.live.shaping import FACING, Rest
from spark_backend.live.tracker import Tracked
from spark_backend.pipeline.live import make_shaper
from spark_backend.pipeline.options import LiveOptions
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import LiveCalibration
from spark_backend.protocol.live_strengths import LiveStrengths, load_strengths, save_strengths, strengths_path
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.project import Project, create_project

JAW, LID = ARKIT_52.index("jawOpen"), ARKIT_52.index("eyeBlinkLeft")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return create_project(tmp_path / "anna.spark")


@pytest.fixture
def calibration(project: Project) -> CalibrationFile:
    return CalibrationFile(project.folder / "live" / "calibration.json", "0", "generic")


def resting(jaw: float) -> Rest:
    """A face whose jaw hangs."""
    weights = np.zeros(52)
    weights[JAW] = jaw
    return Rest(weights, FACING, np.array([0.01, 0.02, 0.6]))


def seen(weight: float) -> Tracked:
    """A face with every expression that strong."""
    return Tracked(np.full(52, weight), FACING, np.array([0.0, 0.0, 0.6]), 1.0)


def test_strengths_come_back_with_the_project(project: Project):
    assert load_strengths(project.folder) == LiveStrengths()
    strengths = LiveStrengths(0.8, 0.25, {"jaw": 1.5, "eyes": 0.5}, {"eyeBlinkLeft": 1.2})
    save_strengths(project.folder, strengths)
    assert load_strengths(project.folder) == strengths
    adjust = strengths.adjust()
    assert (adjust.strength, adjust.smoothing) == (0.8, 0.25)
    assert adjust.strengths["jawOpen"] == 1.5
    assert adjust.strengths["eyeBlinkLeft"] == pytest.approx(0.6)
    assert adjust.strengths["mouthSmileLeft"] == 1.0


@pytest.mark.parametrize("content", [{"strength": "much"}, {"keys": {"jawOpen": -1}}, {"regions": [1]}, {"keys": 1}])
def test_damaged_strengths_are_told(project: Project, content: dict):
    strengths_path(project.folder).parent.mkdir()
    strengths_path(project.folder).write_text(json.dumps({"format_version": 1, **content}))
    with pytest.raises(SparkError, match=r"strengths\.json: strengths must be numbers"):
        load_strengths(project.folder)


def test_a_calibration_comes_back_for_the_same_camera_and_tracker(calibration: CalibrationFile):
    assert calibration.load() is None
    calibration.save(resting(0.2))
    again = calibration.load()
    for name in ("weights", "rotation", "pivot"):
        np.testing.assert_array_equal(getattr(again, name), getattr(resting(0.2), name))
    assert replace(calibration, camera="1").load() is None
    assert replace(calibration, tracker="adapted").load() is None
    calibration.save(None)
    assert calibration.load() is None
    calibration.save(None)  # taken back twice


@pytest.mark.parametrize("change", [{"weights": {}}, {"rotation": [1, 2]}, {"rotation": [0, 0, 0, 0]}, {"pivot": "x"}])
def test_a_damaged_calibration_is_told_and_live_begins_without(project: Project, calibration, change: dict):
    calibration.save(resting(0.2))
    calibration.path.write_text(json.dumps(json.loads(calibration.path.read_text()) | change))
    with pytest.raises(SparkError, match="not a calibration; delete the file"):
        calibration.load()
    told = []
    shaper = make_shaper(LiveOptions(project.folder), project, toy_avatar(), calibration, told.append)
    assert shaper.rest is None
    assert [(record.done, "not a calibration" in record.message) for record in told] == [(False, True)]


def test_the_next_session_begins_with_both(project: Project, calibration: CalibrationFile):
    save_strengths(project.folder, LiveStrengths(0.5, 0.0, {"eyes": 2.0}, {}))
    calibration.save(resting(0.2))
    told = []
    shaper = make_shaper(LiveOptions(project.folder), project, toy_avatar(), calibration, told.append)
    pose = shaper(seen(0.4), 0.0)
    assert pose.weights[LID] == pytest.approx(0.5 * 2.0 * 0.4)
    assert pose.weights[JAW] == pytest.approx(0.5 * (0.4 - 0.2) / (1 - 0.2))
    assert isinstance(told[0], LiveCalibration)
    assert told[0].done


def test_a_smoothing_that_is_asked_for_wins(project: Project, calibration: CalibrationFile):
    save_strengths(project.folder, LiveStrengths(smoothing=1.0))
    late, quick = (
        make_shaper(LiveOptions(project.folder, smoothing=wish), project, toy_avatar(), calibration, print)
        for wish in (None, 0.0)
    )
    for shaper in (late, quick):
        shaper(seen(0.0), 0.0)
    assert quick(seen(0.5), 1 / 30).weights[JAW] == pytest.approx(0.5)
    assert late(seen(0.5), 1 / 30).weights[JAW] < 0.45
