"""Recordings: what is kept when a process is killed, takes at true times, countdown, video beside them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from test_live_streams import frame
from toy_avatar import toy_take

from spark_backend.live import media
from spark_backend.live.camera import Shot
from spark_backend.live.recorder import Recorder, take_name
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import POSE_COLUMNS, LiveFrame, LiveRecording, pose_from_vector
from spark_backend.protocol.live_commands import StartRecording
from spark_backend.protocol.live_recording import (
    ROW,
    RecordingHeader,
    RecordingWriter,
    read_recording,
    recover_recordings,
    take_from_recording,
    unfinished_recordings,
)
from spark_backend.protocol.take import load_take

HEADER = RecordingHeader("one", (640, 480), 960.0, "0", "landmarks", False)


def performance(count: int = 30):
    """(seconds, pose) of a toy performance at uneven times."""
    take = toy_take(count)
    vectors = np.concatenate([np.asarray(getattr(take, name), float) for name in POSE_COLUMNS], axis=1)
    seconds = 100.0 + np.cumsum(np.random.default_rng(0).uniform(0.02, 0.05, count))
    return [(float(t), pose_from_vector(v)) for t, v in zip(seconds, vectors, strict=True)], take


def record(path: Path, count: int = 30) -> Path:
    writer = RecordingWriter(path, HEADER)
    for index, (seconds, pose) in enumerate(performance(count)[0]):
        writer.add(seconds, index % 5 != 4, 0.9, pose)
    writer.close()
    return path


def test_a_recording_becomes_a_take_at_true_times(tmp_path: Path):
    rows, truth = performance()
    take = take_from_recording(record(tmp_path / "one.live"))
    np.testing.assert_allclose(take.pts, [t - rows[0][0] for t, _ in rows], atol=1e-12)
    np.testing.assert_allclose(take.weights, truth.weights, atol=1e-6)
    np.testing.assert_allclose(np.abs((take.head_rotation * truth.head_rotation).sum(1)), 1, atol=1e-6)
    assert (np.diff(np.sign((take.head_rotation[1:] * take.head_rotation[:-1]).sum(1))) == 0).all()
    np.testing.assert_array_equal(take.valid, np.arange(30) % 5 != 4)
    assert take.K[0, 0] == 960
    assert take.source["live"]


def test_every_cut_of_the_file_gives_what_is_whole(tmp_path: Path):
    data = record(tmp_path / "one.live", 6).read_bytes()
    head = data.index(b"\n") + 1
    for length in range(head, len(data) + 1, 37):
        (tmp_path / "cut.live").write_bytes(data[:length])
        assert len(read_recording(tmp_path / "cut.live")[1]) == (length - head) // ROW.itemsize
    (tmp_path / "cut.live").write_bytes(data + bytes(5 * ROW.itemsize))  # as after a loss of power
    assert len(read_recording(tmp_path / "cut.live")[1]) == 6
    for nonsense in (b"", b"hello", b"\xff\xfe\n", b"[]\n", b'{"format_version": 1}\n', b'{"format_version": 99}\n'):
        (tmp_path / "cut.live").write_bytes(nonsense)
        with pytest.raises(SparkError):
            read_recording(tmp_path / "cut.live")


def test_times_that_do_not_rise_are_left_out(tmp_path: Path):
    writer, pose = RecordingWriter(tmp_path / "one.live", HEADER), frame().pose
    for seconds in (5.0, 5.1, 5.1, 5.05, 5.2):
        writer.add(seconds, True, 1.0, pose)
    writer.close()
    np.testing.assert_allclose(take_from_recording(tmp_path / "one.live").pts, [0, 0.1, 0.2])


PROGRAM = """
import sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
from test_live_recording import HEADER, performance
from spark_backend.protocol.live_recording import RecordingWriter
writer = RecordingWriter(Path(sys.argv[1]), HEADER)
for index, (seconds, pose) in enumerate(performance(3000)[0]):
    writer.add(seconds, True, 1.0, pose)
    print(index, flush=True)
    time.sleep(0.002)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_process_loses_no_written_frame(tmp_path: Path):
    path = tmp_path / "takes" / "one.live"
    here = Path(__file__).parent
    child = subprocess.Popen((sys.executable, "-c", PROGRAM, path, here, here.parent), stdout=subprocess.PIPE)
    written = [int(child.stdout.readline()) for _ in range(60)][-1]
    assert unfinished_recordings(path.parent) == []  # it is locked while it is written
    os.kill(child.pid, 9)
    rest = child.stdout.read().split()
    child.wait()
    written = int(rest[-1]) if rest else written
    takes, faults = recover_recordings(path.parent)
    assert (takes, faults) == ([path.with_suffix(".npz")], [])
    take = load_take(takes[0])
    assert len(take.pts) >= written + 1
    assert not path.exists()


def test_recovery_keeps_names_apart_and_lays_damage_aside(tmp_path: Path):
    record(tmp_path / "one.live")
    (tmp_path / "one.npz").touch()
    (tmp_path / "two.live").write_bytes(b"nonsense")
    takes, faults = recover_recordings(tmp_path)
    assert [path.name for path in takes] == ["one_2.npz"]
    assert len(faults) == 1
    assert (tmp_path / "two.damaged").exists()
    assert recover_recordings(tmp_path) == ([], [])


def shot(arrived: float = 0.0, image: np.ndarray | None = None) -> Shot:
    """What the camera gave."""
    return Shot(image, arrived, arrived)


def make_recorder(folder: Path, **parts) -> tuple[Recorder, list[LiveRecording]]:
    told: list[LiveRecording] = []
    describe = lambda name, *files: RecordingHeader(name, (64, 48), 96.0, "0", "t", False, *files)  # noqa: E731
    return Recorder(folder, describe, told.append, **parts), told


def test_counts_in_records_and_saves(tmp_path: Path):
    recorder, told = make_recorder(tmp_path)
    recorder.start(StartRecording("Take 1!", count_in=2.0), 10.0)
    for now in (10.1, 10.9, 11.1, 11.9):
        recorder.tick(now)
        recorder.add(frame(pts=now), shot())
    assert [(t.state, t.seconds) for t in told] == [("counting", 2.0), ("counting", 1.0)]
    recorder.tick(12.0)
    for index in range(40):
        recorder.add(frame(index, index, 20 + index / 30), shot())
    recorder.stop()
    assert told[-1].state == "saved"
    take = load_take(Path(told[-1].path))
    assert Path(told[-1].path) == tmp_path / "takes" / "Take_1.npz"
    np.testing.assert_allclose(take.pts, np.arange(40) / 30, atol=1e-12)
    assert [t.state for t in told].count("recording") >= 2
    assert list((tmp_path / "takes").iterdir()) == [tmp_path / "takes" / "Take_1.npz"]


def test_a_second_take_of_the_same_name_gets_a_number(tmp_path: Path):
    recorder, told = make_recorder(tmp_path)
    for _ in range(2):
        recorder.start(StartRecording("a"), 0.0)
        recorder.add(frame(pts=1.0), shot())
        recorder.stop()
    assert [Path(t.path).name for t in told if t.state == "saved"] == ["a.npz", "a_2.npz"]


def test_calling_off_and_recording_nothing_are_told(tmp_path: Path):
    recorder, told = make_recorder(tmp_path)
    recorder.start(StartRecording("a", count_in=3.0), 0.0)
    recorder.stop()
    assert told[-1].state == "failed"
    recorder.start(StartRecording("a"), 0.0)
    moment = frame()
    recorder.add(LiveFrame(1, 1.0, False, 0.0, 0.0, 30, 0, moment.pose), shot())
    recorder.stop()
    assert "no face" in told[-1].message
    assert list((tmp_path / "takes").iterdir()) == []


def test_a_folder_that_refuses_is_told(tmp_path: Path):
    (tmp_path / "takes").write_text("in the way")
    recorder, told = make_recorder(tmp_path)
    recorder.start(StartRecording("a"), 0.0)
    assert told[-1].state == "failed"
    recorder.add(frame(), shot())


def test_the_video_lies_beside_the_take_at_the_same_times(tmp_path: Path):
    recorder, told = make_recorder(tmp_path)
    recorder.start(StartRecording("a", video=True), 0.0)
    seconds = [0.0, 0.033, 0.1, 0.14, 0.3]
    for index, time_ in enumerate(seconds):
        recorder.add(frame(index, index, 5 + time_), shot(5 + time_, np.full((49, 65, 3), 40 * index, np.uint8)))
    recorder.stop()
    assert told[-1].video == str((tmp_path / "recordings" / "a_film.mkv").absolute())
    with av.open(told[-1].video) as file:
        frames = list(file.decode(video=0))
    np.testing.assert_allclose([f.time for f in frames], seconds, atol=1e-3)
    shades = [f.to_ndarray(format="rgb24").mean() for f in frames]
    np.testing.assert_allclose(shades, 40 * np.arange(5), atol=4)
    assert load_take(Path(told[-1].path)).source["path"] == told[-1].video


def test_a_slow_encoder_does_not_hold_the_performance_up(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(media.Tracks, "write_picture", lambda *_: time.sleep(0.05))  # 120 pictures: 6 s
    recorder, told = make_recorder(tmp_path)
    recorder.start(StartRecording("a", video=True), 0.0)
    big, begun = np.zeros((720, 1280, 3), np.uint8), time.perf_counter()
    for index in range(120):
        recorder.add(frame(index, index, index / 1000), shot(image=big))
    assert time.perf_counter() - begun < 3.0
    recorder.stop()
    assert told[-1].state == "saved"
    assert "pictures of the video are missing" in told[-1].message
    assert len(load_take(Path(told[-1].path)).pts) == 120


@pytest.mark.parametrize(("text", "name"), [("Take 1", "Take_1"), ("../../x", "x"), ("", "live"), ("ü ö", "ü_ö")])
def test_names_are_fit_for_files(text: str, name: str):
    assert take_name(text) == name
