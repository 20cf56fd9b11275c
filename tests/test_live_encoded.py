"""Live trackers on the encoder: generic, the adapted one that the project has, and the head solved to landmarks."""

from pathlib import Path

import numpy as np
import pytest
from astronaut import astronaut, followed
from toy_avatar import toy_avatar

from spark_backend.encoders import engines
from spark_backend.encoders.files import Tracker, save_tracker
from spark_backend.encoders.generic import generic_weights, readout_from_bytes
from spark_backend.geometry.landmarks import LandmarkHead
from spark_backend.heads.anny import load_anny
from spark_backend.live.tracker import LiveTracker
from spark_backend.pipeline.live import make_tracker, tracker_name
from spark_backend.pipeline.options import LiveOptions
from spark_backend.protocol.avatar import Avatar, save_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import quaternion_to_matrix
from spark_backend.protocol.project import Project, create_project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Of a toy head; networks run on torch, which needs no file."""
    monkeypatch.setattr(engines, "installed_engines", lambda: ["torch"])
    project = create_project(tmp_path / "anna.spark")
    save_avatar(project.avatar_folder, toy_avatar())
    return project


def tracker_of(project: Project, name: str, avatar: Avatar | None = None) -> LiveTracker:
    """As `spark live` makes it, for the toy head when no other is given."""
    return make_tracker(name, project, avatar or toy_avatar(), lambda width, height: 1.2 * width, lambda record: None)


def seen_by(tracker: LiveTracker):
    """The astronaut once the crop has settled, and the mean of where the head is."""
    try:
        for number in range(3):
            tracked = tracker.read(tracker.look(astronaut()), number / 60)
        return tracked
    finally:
        tracker.close()


def test_without_an_adapted_tracker_it_says_how_to_make_one(project):
    with pytest.raises(SparkError, match="no adapted tracker here; run `spark adapt`"):
        tracker_of(project, "adapted")


def test_the_best_tracker_that_the_project_has_is_meant_unless_one_is_named(project):
    named = LiveOptions(project.folder, tracker="landmarks")
    assert [tracker_name(wish, project) for wish in (LiveOptions(project.folder), named)] == ["generic", "landmarks"]
    rest = LandmarkHead(toy_avatar()).rest
    save_tracker(project.tracker_folder, Tracker(readout_from_bytes(generic_weights()), rest, 0 * rest, {}))
    assert tracker_name(LiveOptions(project.folder), project) == "adapted"
    assert tracker_name(LiveOptions(project.folder, camera="livelink://127.0.0.1:11111"), project) == "livelink"


def test_the_adapted_tracker_answers_with_its_own_heads(project):
    """One whose heads have learned that the right eye always looks a quarter less to the nose."""
    readout = readout_from_bytes(generic_weights())
    rest = LandmarkHead(toy_avatar()).rest
    look = ARKIT_52.index("eyeLookInRight")
    readout.leave.bias.data[look] -= 0.25
    save_tracker(project.tracker_folder, Tracker(readout, rest, 0 * rest, {}))
    generic, adapted = (seen_by(tracker_of(project, name)) for name in ("generic", "adapted"))
    others = [row for row, name in enumerate(ARKIT_52) if name.startswith("eyeLook") and row != look]
    assert adapted.weights[look] == pytest.approx(generic.weights[look] - 0.25, abs=0.02)
    np.testing.assert_allclose(adapted.weights[others], generic.weights[others], atol=0.02)
    distance = np.linalg.norm(adapted.landmarks - followed().landmarks[:, :2], axis=1)
    assert distance.mean() < 0.02 * np.ptp(followed().landmarks[:, 0])
    place = quaternion_to_matrix(adapted.rotation) @ rest.numpy().mean(0) + adapted.translation
    focal, middle = 1.2 * 512, followed().landmarks[:, :2].mean(0)
    np.testing.assert_allclose(focal * place[:2] / place[2] + 256, middle, atol=15)


def test_a_face_that_is_lost_is_found_again(project):
    tracker, nobody = tracker_of(project, "generic"), np.full((512, 512, 3), 90, np.uint8)
    sights = [tracker.look(picture) for picture in (astronaut(), nobody, nobody, astronaut())]
    seen = [tracker.read(sight, number / 60) for number, sight in enumerate(sights)]
    tracker.close()
    assert [tracked is not None for tracked in seen] == [True, False, False, True]
    np.testing.assert_allclose(seen[3].translation, seen[0].translation, atol=0.02)


def test_landmarks_are_met_by_the_solved_head_and_the_encoder_is_heard(project):
    """The average head on the astronaut: its landmarks fall on hers, and it smiles as the encoder says."""
    head = load_anny()
    avatar = head.avatar(np.zeros(len(head.identity)))
    tracked, read = (seen_by(tracker_of(project, name, avatar)) for name in ("landmarks", "generic"))
    smile = ARKIT_52.index("mouthSmileLeft")
    assert read.weights[smile] > 0.3
    assert tracked.weights[smile] == pytest.approx(read.weights[smile], abs=0.3)
    model = LandmarkHead(avatar)
    points = model.rest.numpy() @ quaternion_to_matrix(tracked.rotation).T + tracked.translation
    seen = 1.2 * 512 * points[:, :2] / points[:, 2:] + 256
    width = np.ptp(tracked.landmarks[:, 0])
    assert np.median(np.linalg.norm(seen - tracked.landmarks, axis=1)) < 0.06 * width
