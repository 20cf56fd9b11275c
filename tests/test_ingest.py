"""Videos with a known face in a known place become clips that say so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from video_files import numbered, write_video

from spark_backend.models import find_model
from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.job import Progress
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.project import ClipInfo, Frames, load_clip, portrait_path
from spark_backend.video.decode import read_selected
from spark_backend.video.ingest import ingest_clip
from spark_backend.video.mirror import mirror_face
from spark_backend.video.networks import Landmarker
from spark_backend.video.portraits import portrait

CHECKOUT = Path(__file__).resolve().parents[1]


def astronaut(scale: float = 1.0) -> np.ndarray:
    """Head and shoulders on 288 x 256 pixels; the face is about 110 pixels high."""
    picture = skimage.data.astronaut()[:256, 96:384]
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)


def somebody_else(scale: float = 1.0) -> np.ndarray:
    """The same photograph made another person: mirrored, narrower, darker, in green light."""
    picture = astronaut(scale)[:, ::-1]
    height, width = picture.shape[:2]
    picture = cv2.resize(picture, (round(0.82 * width), height), interpolation=cv2.INTER_AREA)
    picture = cv2.copyMakeBorder(picture, 0, 0, 0, width - picture.shape[1], cv2.BORDER_REPLICATE)
    return (picture * (0.35, 0.75, 0.3)).astype(np.uint8)


def on_canvas(
    picture: np.ndarray | None, x: int = 0, y: int = 0, size: tuple[int, int] = (480, 320), wall: int = 90
) -> np.ndarray:
    """The picture with its upper left corner at (x, y) of a plain background; parts outside are cut off."""
    canvas = np.full((size[1], size[0], 3), wall, np.uint8)
    if picture is not None:
        left, top = max(x, 0), max(y, 0)
        right, bottom = min(x + picture.shape[1], size[0]), min(y + picture.shape[0], size[1])
        if left < right and top < bottom:
            canvas[top:bottom, left:right] = picture[top - y : bottom - y, left - x : right - x]
    return canvas


def ingest(folder: Path, frames: list[np.ndarray], face: int | None = None, rate: int = 10) -> tuple[ClipInfo, Frames]:
    """Encodes and ingests."""
    video = write_video(folder / "video.mp4", frames, rate)
    ingest_clip(video, folder / "clip", face=face, report=lambda event: None)
    return load_clip(folder / "clip")


def visit(n: int) -> int | None:
    """Where the astronaut is in frame n: out until 8, then moving right, gone from 24 on."""
    return 20 + 6 * n if 8 <= n < 24 else None


@pytest.fixture(scope="module")
def visited(tmp_path_factory) -> tuple[ClipInfo, Frames]:
    """A clip of 32 frames in which the astronaut comes and goes."""
    places = [visit(n) for n in range(32)]
    frames = [on_canvas(None if x is None else astronaut(), x or 0, 40) for x in places]
    return ingest(tmp_path_factory.mktemp("visit"), frames)


def test_every_frame_is_kept_and_only_those_with_a_face_are_valid(visited):
    info, frames = visited
    np.testing.assert_array_equal(frames.valid, [visit(n) is not None for n in range(32)])
    np.testing.assert_allclose(frames.pts, np.arange(32) / 10, atol=1e-9)
    assert info.frames == 32
    assert info.coverage == 0.5
    assert info.faces == 1
    assert info.size == (480, 320)
    assert info.rate == pytest.approx(10)


def test_frames_without_a_face_hold_nothing(visited):
    _, frames = visited
    gone = ~frames.valid
    assert np.isnan(frames.landmarks[gone]).all()
    assert np.isnan(frames.box[gone]).all()
    assert (frames.scores[gone] == 0).all()
    assert (frames.confidence[gone] == 0).all()
    assert np.isfinite(frames.landmarks[frames.valid]).all()


def test_landmarks_move_with_the_face(visited):
    _, frames = visited
    seen = np.flatnonzero(frames.valid)
    moved = frames.landmarks[seen, :, :2].mean(axis=1)
    expected = np.array([[visit(n), 0] for n in seen])
    np.testing.assert_allclose(moved - moved[0], expected - expected[0], atol=0.5)


def test_landmarks_lie_where_the_face_is(visited):
    _, frames = visited
    first = int(np.flatnonzero(frames.valid)[0])
    eyes = frames.landmarks[first, [468, 473], :2] - (visit(first), 40)
    # Pupils of the photograph, read off it by eye.
    np.testing.assert_allclose(eyes, [[107.5, 101.5], [151, 103]], atol=2)
    box = frames.box[first]
    np.testing.assert_allclose(box[:2], frames.landmarks[first, :, :2].min(axis=0), atol=1e-3)
    np.testing.assert_allclose(box[2:], frames.landmarks[first, :, :2].max(axis=0), atol=1e-3)


def test_depth_grows_away_from_the_camera_in_the_unit_of_x(visited):
    _, frames = visited
    face = frames.landmarks[np.flatnonzero(frames.valid)[4]]
    nose, ears = face[1, 2], face[[234, 454], 2].mean()
    assert 0.3 < (ears - nose) / np.ptp(face[:, 0]) < 1.5


def test_scores_have_the_names_of_arkit(visited):
    _, frames = visited
    scores = dict(zip(ARKIT_52, frames.scores[frames.valid].mean(axis=0), strict=True))
    assert scores["mouthSmileLeft"] > 0.5
    assert scores["mouthSmileRight"] > 0.5
    assert scores["tongueOut"] == 0
    assert max(scores[name] for name in ("jawOpen", "mouthPucker", "browInnerUp", "cheekPuff")) < 0.3


def test_confidence_is_high_on_a_clear_face_and_falls_when_it_is_covered(tmp_path, visited):
    _, frames = visited
    assert np.median(frames.confidence[frames.valid]) > 0.75
    covered = astronaut()
    covered[110:190, 60:200] = np.random.default_rng(0).integers(0, 255, (80, 140, 1))
    _, poor = ingest(tmp_path, [on_canvas(covered, 100, 40)] * 6)
    if poor.valid.any():
        assert np.median(poor.confidence[poor.valid]) < np.median(frames.confidence[frames.valid]) - 0.1


def test_size_of_the_picture_only_scales_the_landmarks(tmp_path):
    """Half a pixel of offset would show as a quarter of a pixel here."""
    found = []
    for scale in (1, 2):
        (tmp_path / str(scale)).mkdir()
        picture = on_canvas(astronaut(scale), 60 * scale, 20 * scale, (480 * scale, 320 * scale))
        _, frames = ingest(tmp_path / str(scale), [picture] * 4)
        found.append(frames.landmarks[-1] / scale)
    np.testing.assert_allclose((found[1] - found[0]).mean(axis=0)[:2], 0, atol=0.12)


def test_small_face_in_a_large_picture(tmp_path):
    frames = [on_canvas(astronaut(0.45), 300 + 4 * n, 420, (1280, 720)) for n in range(8)]
    info, found = ingest(tmp_path, frames)
    assert found.valid.all()
    assert 30 < np.median(found.box[:, 3] - found.box[:, 1]) < 60
    assert any("pixels high" in sentence for sentence in info.warnings)


@pytest.fixture(scope="module")
def pair(tmp_path_factory) -> Path:
    """A video of two people, the left one larger; they sway."""
    frames = []
    for n in range(12):
        sway = round(10 * np.sin(n))
        canvas = on_canvas(astronaut(1.1), 20 + sway, 20, (720, 360))
        canvas[100:, 420:] = on_canvas(somebody_else(0.85), 420 + sway, 100, (720, 360))[100:, 420:]
        frames.append(canvas)
    return write_video(tmp_path_factory.mktemp("pair") / "video.mp4", frames, 10)


@pytest.mark.parametrize(("face", "left_half"), [(None, True), (0, True), (1, False)])
def test_the_chosen_person_is_followed(tmp_path, pair, face, left_half):
    info = ingest_clip(pair, tmp_path / "clip", face=face, report=lambda event: None)
    _, frames = load_clip(tmp_path / "clip")
    assert info.faces == 2
    assert info.face == (face or 0)
    assert frames.valid.all()
    assert ((frames.landmarks[:, 1, 0] < 360) == left_half).all()


def test_several_people_have_a_picture_each(tmp_path, pair):
    """Where each was largest; an older reading's pictures are gone. Somebody alone needs none."""
    folder = tmp_path / "clip"
    folder.mkdir()
    portrait_path(folder, 7).touch()
    ingest_clip(pair, folder, report=lambda event: None)
    assert sorted(folder.glob("person-*")) == [portrait_path(folder, number) for number in (0, 1)]
    left, right = (cv2.imread(str(portrait_path(folder, number))).astype(float) for number in (0, 1))
    assert left.shape == right.shape == (128, 128, 3)
    assert left[40:100, 40:90].mean() > 2 * right[40:100, 40:90].mean(), "the second is the darker one"
    assert left[40:100, 40:90, 2].mean() > 1.05 * left[40:100, 40:90, 1].mean(), "skin is red"
    assert right[40:100, 40:90, 1].mean() > 1.2 * right[40:100, 40:90, 2].mean(), "in green light"
    (tmp_path / "alone").mkdir()
    ingest(tmp_path / "alone", [on_canvas(astronaut(), 100, 40)] * 3)
    assert list((tmp_path / "alone" / "clip").glob("person-*")) == []


def test_a_portrait_shows_the_face_and_repeats_the_edge_beyond_the_picture():
    image = np.zeros((100, 200, 3), np.uint8)
    image[:, :40], image[40:60, 0:20] = (10, 20, 30), (200, 100, 50)
    picture = portrait(image, np.array([0.0, 40.0, 20.0, 60.0]))
    assert picture.shape == (128, 128, 3)
    assert tuple(picture[64, 64]) == (200, 100, 50)
    assert tuple(picture[64, 5]) == (200, 100, 50), "left of the picture"
    assert tuple(picture[5, 64]) == (10, 20, 30)


def test_a_person_who_is_not_there_is_refused(tmp_path, pair):
    with pytest.raises(SparkError, match="faces 0 to 1, there is no face 2"):
        ingest_clip(pair, tmp_path / "clip", face=2, report=lambda event: None)
    assert not (tmp_path / "clip").exists()


def test_after_a_cut_somebody_else_is_not_followed(tmp_path):
    """Three shots; the second shows another person at the same place of the picture, before another wall."""
    shots = [on_canvas(astronaut(), 100, 40)] * 12 + [on_canvas(somebody_else(), 100, 40, wall=180)] * 9
    shots += [on_canvas(astronaut(), 120, 30)] * 9
    info, frames = ingest(tmp_path, shots)
    assert info.faces == 2
    np.testing.assert_array_equal(frames.valid, [True] * 12 + [False] * 9 + [True] * 9)


def test_a_video_without_a_face_is_refused(tmp_path):
    video = write_video(tmp_path / "video.mp4", numbered(12, 320, 240))
    with pytest.raises(SparkError, match="no face in any of its 12 frames"):
        ingest_clip(video, tmp_path / "clip", report=lambda event: None)
    assert not (tmp_path / "clip").exists()


def test_progress_rises_to_the_end(tmp_path, pair):
    events = []
    ingest_clip(pair, tmp_path / "clip", report=events.append)
    fractions = [event.fraction for event in events if isinstance(event, Progress)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert any("Looking for faces" in event.stage for event in events)
    assert any("Following the face" in event.stage for event in events)


@pytest.mark.parametrize("stage", ["Looking", "Following"])
def test_cancelling_leaves_nothing(tmp_path, pair, stage):
    def cancel(event):
        if isinstance(event, Progress) and event.stage.startswith(stage):
            raise Cancelled

    with pytest.raises(Cancelled):
        ingest_clip(pair, tmp_path / "clip", report=cancel)
    assert not (tmp_path / "clip").exists()


def test_a_clip_that_cannot_be_read_anew_keeps_its_old_result(tmp_path, pair):
    ingest_clip(pair, tmp_path / "clip", report=lambda event: None)
    before = (tmp_path / "clip" / "clip.json").read_text()
    empty = write_video(tmp_path / "empty.mp4", numbered(5, 320, 240))
    with pytest.raises(SparkError):
        ingest_clip(empty, tmp_path / "clip", report=lambda event: None)
    assert (tmp_path / "clip" / "clip.json").read_text() == before
    there = sorted(path.name for path in (tmp_path / "clip").iterdir())
    assert there == ["clip.json", "frames.npz", "person-0.png", "person-1.png"]


def test_a_folder_that_cannot_be_made_is_told_before_the_work(tmp_path, pair):
    (tmp_path / "file").write_text("in the way")
    events = []
    with pytest.raises(SparkError, match="cannot be written"):
        ingest_clip(pair, tmp_path / "file" / "clip", report=events.append)
    assert not events


def test_nothing_native_is_heard_and_clip_json_is_plain(tmp_path, pair):
    """MediaPipe and TensorFlow Lite write to file descriptor 2; a user sees nothing of it."""
    script = (
        "import sys; from pathlib import Path; from spark_backend.video.ingest import ingest_clip\n"
        "ingest_clip(Path(sys.argv[1]), Path(sys.argv[2]), report=lambda event: None)"
    )
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    command = [sys.executable, "-c", script, str(pair), str(tmp_path / "clip")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    content = json.loads((tmp_path / "clip" / "clip.json").read_text())
    assert content["format_version"] == 1
    assert content["frames"] == 12


@pytest.mark.shared
def test_network_bias_is_taken_out(shared_data):
    """A picture and its mirror image give the same points; uncorrected they are 0.7 pixels apart at this size."""
    bundle = find_model("face_landmarker").read_bytes()
    apart = []
    for name in ("aoc_crop512", "expressive_woman_d10", "abe/abe_1"):
        with Landmarker(bundle, follow=True) as landmarker:
            for _, frame in read_selected(shared_data / f"talking/{name}.mp4", range(0, 60, 20)):
                pictures = (frame.image, frame.image[:, ::-1])
                one, other = ([landmarker(picture, 60_000) for _ in range(4)][-1] for picture in pictures)
                apart.append((mirror_face(other, frame.image.shape[1]).landmarks - one.landmarks).mean(axis=0))
    np.testing.assert_allclose(np.mean(apart, axis=0)[:2], 0, atol=0.25)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "frames", "least", "most"),
    [
        ("hard/asl_bird.mkv", 63, 0.9, 1.0),
        ("hard/asl_help.mkv", 58, 0.9, 1.0),
        ("hard/crowd_1080.mp4", 105, 0.9, 1.0),
        ("hard/face_then_noface_hevc_vfr.mov", 169, 0.40, 0.45),
        ("hard/broken_bit_errors.mp4", 134, 0.95, 1.0),
    ],
)
def test_hard_clips(shared_data, tmp_path, name, frames, least, most):
    info = ingest_clip(shared_data / name, tmp_path / "clip", report=lambda event: None)
    assert info.frames == frames
    assert least <= info.coverage <= most


@pytest.mark.shared
def test_cartoon_has_no_face(shared_data, tmp_path):
    with pytest.raises(SparkError, match="no face"):
        ingest_clip(shared_data / "hard/no_face.mp4", tmp_path / "clip", report=lambda event: None)
