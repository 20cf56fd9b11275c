"""What the slow solver says of a person's clips, as the encoder is taught it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spark_backend.encoders.alignment import STEADY
from spark_backend.encoders.crop import crop_around
from spark_backend.geometry.landmarks import LandmarkHead
from spark_backend.pipeline import teacher
from spark_backend.pipeline.teacher import Pupil, taught_of, teach
from spark_backend.pipeline.tracked import Tracked
from spark_backend.protocol.errors import Cancelled
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import quaternion_to_matrix
from spark_backend.protocol.project import load_clip, open_project
from spark_backend.track.pose import PoseHead, pose_from_crop


@pytest.fixture
def pupil(rendered_project) -> Pupil:
    folder, _, _ = rendered_project
    _, frames = load_clip(open_project(folder).clip_folder("film"))
    return Pupil("film", frames, np.flatnonzero(frames.valid)[::2])


def test_the_encoders_pose_of_what_is_taught_is_the_takes(rendered_project, pupil):
    """There and back: a take's rotation in a crop's terms, and the head's place and rotation found from that."""
    _, avatar, take = rendered_project
    head, rows = LandmarkHead(avatar), pupil.rows
    taught = taught_of(head, take, pupil)
    rotation, place = quaternion_to_matrix(take.head_rotation[rows]), take.head_translation[rows]
    steady = rotation @ head.rest[list(STEADY)].mean(0).numpy() + place
    middle = (steady / steady[:, 2:] @ take.K.T)[:, :2]
    angle = np.array([crop_around(landmarks).angle for landmarks in pupil.frames.landmarks[rows]])
    scale = take.K[0, 0] / steady[:, 2]
    pose = pose_from_crop(taught.rotation.numpy(), middle, scale, angle, take.K, PoseHead(avatar))
    np.testing.assert_allclose(pose.rotation, rotation, atol=1e-3)
    np.testing.assert_allclose(pose.translation, place, atol=1e-3)
    smile = ARKIT_52.index("mouthSmileLeft")
    np.testing.assert_allclose(taught.weights[:, smile], take.weight("mouthSmileLeft")[rows], atol=1e-6)


def test_a_clip_is_solved_once_and_not_again_after_a_stop(rendered_project, pupil, tmp_path, monkeypatch):
    folder, avatar, take = rendered_project
    project, asked = open_project(folder), []

    def solved(project, avatar, options, report) -> Tracked:
        asked.append((options.clip, options.tracker))
        if len(asked) == 2:
            raise Cancelled
        return Tracked(take, pupil.frames, options.clip)

    monkeypatch.setattr(teacher, "solved", solved)
    both = [pupil, replace(pupil, clip="other")]
    with pytest.raises(Cancelled):
        teach(project, avatar, both, tmp_path, lambda event: None)
    answers = teach(project, avatar, both, tmp_path, lambda event: None)
    assert asked == [("film", "optimise"), ("other", "optimise"), ("other", "optimise")]
    torch.testing.assert_close(answers[0].weights, answers[1].weights)
