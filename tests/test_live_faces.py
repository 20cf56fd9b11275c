"""The live reader against MediaPipe itself, on a real face; lost and found again; both ways agree."""

import numpy as np
import pytest
from astronaut import astronaut, bundle, followed

from spark_backend.live.faces import FaceReader
from spark_backend.protocol.names import ARKIT_52
from spark_backend.video.mirror import mirror_face


@pytest.fixture(scope="module")
def reader():
    result = FaceReader(bundle(), print)
    yield result
    result.close()


def settled(reader: FaceReader, picture: np.ndarray, looks: int = 6):
    reader.forget()
    for number in range(looks):
        seen = reader(picture, number / 30)
    return seen


def test_sees_what_mediapipe_sees(reader):
    seen, theirs = settled(reader, astronaut()), followed()
    distance = np.linalg.norm(seen.face.landmarks[:, :2] - theirs.landmarks[:, :2], axis=1)
    assert distance.mean() < 0.01 * np.ptp(theirs.landmarks[:, 0])  # which the mirrored look corrects
    difference = np.abs(seen.face.scores - theirs.scores)  # of one look and the mean of two
    assert difference.mean() < 0.02
    assert difference.max() < 0.25
    assert seen.face.scores[ARKIT_52.index("mouthSmileLeft")] > 0.5
    assert seen.confidence > 0.5


def test_the_mirror_image_gives_the_mirrored_face(reader):
    """The bias of the network is taken out: without the second look the two differ by a pixel."""
    picture = astronaut()
    straight = settled(reader, picture).face
    flipped = settled(reader, np.ascontiguousarray(picture[:, ::-1])).face
    back = mirror_face(flipped, picture.shape[1])
    assert np.linalg.norm(straight.landmarks[:, :2] - back.landmarks[:, :2], axis=1).mean() < 0.15
    np.testing.assert_allclose(straight.scores, back.scores, atol=0.03)


def test_of_fast_pictures_every_second_is_mirrored_and_the_others_agree(reader):
    """At 60 a second: half of the mirrored looks, and the same face on a still picture."""
    batches: list[int] = []
    engine = reader.engine

    def counting(crops: np.ndarray) -> dict[str, np.ndarray]:
        batches.append(len(crops))
        return engine(crops)

    expected = settled(reader, astronaut(), 12).face
    reader.engine = counting
    try:
        seen = [reader(astronaut(), 1 + number / 60).face for number in range(8)]
    finally:
        reader.engine = engine
    assert batches == [2, 1] * 4
    for face in seen:
        assert np.linalg.norm(face.landmarks[:, :2] - expected.landmarks[:, :2], axis=1).mean() < 0.05
        np.testing.assert_allclose(face.scores, expected.scores, atol=0.02)


def test_a_face_that_goes_is_lost_and_found_elsewhere(reader):
    picture = astronaut()
    assert settled(reader, picture) is not None
    assert reader(np.zeros_like(picture), 1.0) is None
    assert reader(np.zeros_like(picture), 1.03) is None
    moved = np.roll(picture, 120, axis=1)
    seen = reader(moved, 1.07)
    assert seen is not None
    shift = seen.face.landmarks[:, 0].mean() - followed().landmarks[:, 0].mean()
    assert shift == pytest.approx(120, abs=1.5)


def test_without_the_exporter_it_runs_on_torch_and_says_so(monkeypatch, tmp_path):
    from spark_backend.encoders import engines

    if engines.installed_engines()[0] == "torch":
        pytest.skip("no engine but torch is installed (extra track)")
    monkeypatch.setattr(engines, "installed_engines", lambda: ["openvino", "torch"])
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    monkeypatch.setenv("SPARK_HOME", str(tmp_path))
    told: list[str] = []
    reader = FaceReader(bundle(), told.append)
    seen = reader(astronaut(), 0.0)
    reader.close()
    assert reader.engine.name == "torch"
    assert seen is not None
    assert "spark-backend[track]" in told[0]
