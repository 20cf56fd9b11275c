"""The loop with made-up cameras and trackers: every fault in words, nothing queued up, commands obeyed."""

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from toy_avatar import toy_avatar

from spark_backend.live import camera as camera_module
from spark_backend.live.camera import CameraThread, Shot, open_source, why_not
from spark_backend.live.recorder import Recorder
from spark_backend.live.session import LiveSession
from spark_backend.live.shaping import FACING, Rest, Shaper
from spark_backend.live.tracker import LiveTracker, Tracked
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import LiveCalibration, LiveFrame, LiveRecording, LiveStatus
from spark_backend.protocol.live_commands import (
    Adjust,
    Calibrate,
    ForgetCalibration,
    Pause,
    Restart,
    StartRecording,
    Stop,
    StopRecording,
)
from spark_backend.protocol.live_recording import RecordingHeader
from spark_backend.protocol.take import load_take


class MadeUpCamera:
    """Gives a picture every few milliseconds until it is unplugged."""

    def __init__(self, interval: float = 0.005) -> None:
        self.interval, self.unplugged, self.closed = interval, False, 0
        self.begun = time.perf_counter()

    def read(self) -> Shot:
        time.sleep(self.interval)
        if self.unplugged:
            raise SparkError("camera 0: gives no picture any more; was it unplugged? Trying again")
        now = time.perf_counter()
        return Shot(np.zeros((48, 64, 3), np.uint8), now - self.begun, now)

    def close(self) -> None:
        self.closed += 1


class MadeUpTracker:
    """Opens the jaw; sees nothing while `blind`."""

    blind = False
    slow = 0.0
    jaw = 0.3
    forgotten = 0

    def look(self, content):
        time.sleep(self.slow)
        return content

    def read(self, sight, seconds: float) -> Tracked | None:
        time.sleep(self.slow)
        weights = np.zeros(52)
        weights[17] = self.jaw
        return None if self.blind else Tracked(weights, FACING, np.array([0, 0, 0.6]), 1.0)

    def forget(self) -> None:
        self.forgotten += 1

    def close(self) -> None:
        pass


def session_of(folder: Path, camera: CameraThread, tracker: LiveTracker, tell: Callable, **ways) -> LiveSession:
    """On a toy head; takes go into `folder`."""
    describe = lambda name, *files: RecordingHeader(name, (64, 48), 96.0, "0", "t", False, *files)  # noqa: E731
    parts = camera, tracker, Shaper(toy_avatar()), Recorder(folder, describe, tell)
    return LiveSession(*parts, tell=tell, commands=queue.SimpleQueue(), **ways)


class Running:
    """A session in a thread, and what it has told."""

    def __init__(self, folder: Path, open_camera: Callable, tracker: MadeUpTracker) -> None:
        self.told, self.tracker = [], tracker
        thread = CameraThread(open_camera, lambda fault: setattr(self.session, "fault", fault))
        self.kept = []
        self.session = session_of(folder, thread, tracker, self.told.append, keep=self.keep)
        self.send(Adjust(smoothing=0.0))
        self.thread = threading.Thread(target=self.session.run, daemon=True)  # a test that fails must not hang
        self.thread.start()

    def keep(self, rest: Rest | None) -> None:
        """Notes what is to be kept; the third time the disk is full."""
        self.kept.append(rest)
        if len(self.kept) > 2:
            raise SparkError("the disk is full")

    def send(self, command) -> None:
        self.session.commands.put(command)

    def wait(self, kind: type, condition: Callable = lambda record: True, after: int = 0):
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            for record in self.told[after:]:
                if isinstance(record, kind) and condition(record):
                    return record
            time.sleep(0.01)
        raise TimeoutError([r for r in self.told[after:] if not isinstance(r, LiveFrame)])

    def state(self, name: str, after: int = 0) -> LiveStatus:
        return self.wait(LiveStatus, lambda record: record.state == name, after)

    def stop(self) -> None:
        self.send(Stop())
        self.thread.join(8)
        assert not self.thread.is_alive()


@pytest.fixture
def running(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(camera_module, "RETRY", 0.05)
    cameras = [MadeUpCamera()]
    result = Running(tmp_path, lambda: cameras[-1], MadeUpTracker())
    result.cameras, result.folder = cameras, tmp_path
    yield result
    result.stop()


def test_the_made_up_tracker_is_a_tracker():
    assert isinstance(MadeUpTracker(), LiveTracker)


def test_tracks_and_tells_its_pace(running):
    running.state("tracking")
    frame = running.wait(LiveFrame, lambda f: f.number > 30)
    assert frame.valid
    assert 0 <= frame.waited < frame.latency < 1
    assert 0 <= time.perf_counter() - frame.sent < 10
    assert frame.rate > 5
    assert frame.pose.weights[17] == pytest.approx(0.3)


def test_a_slow_tracker_gets_the_newest_picture_and_the_rest_is_dropped(running):
    running.state("tracking")
    running.tracker.slow = 0.06
    mark = len(running.told)
    frame = running.wait(LiveFrame, lambda f: f.dropped > 20, mark)
    assert frame.latency < 0.5  # no queue: a backlog of 20 pictures would be a second


def test_a_picture_is_looked_at_while_the_last_one_is_read(running):
    running.state("tracking")
    tracker, begun = running.tracker, threading.Event()
    look = tracker.look
    tracker.look = lambda content: (begun.set(), look(content))[1]
    overlapped = []

    def read(sight, seconds: float) -> Tracked | None:
        begun.clear()
        overlapped.append(begun.wait(2))
        return MadeUpTracker.read(tracker, sight, seconds)

    tracker.read = read
    deadline = time.monotonic() + 8
    while not overlapped and time.monotonic() < deadline:
        time.sleep(0.01)
    del tracker.read
    assert overlapped[0]


def test_what_was_looked_at_before_forgetting_is_not_read(running):
    running.state("tracking")
    tracker = running.tracker
    inside, go_on = threading.Event(), threading.Event()

    def look(content):
        inside.set()
        assert go_on.wait(5)
        return "old"

    tracker.look = look
    assert inside.wait(5)
    read = []
    tracker.read = lambda sight, seconds: read.append(sight)
    running.send(Restart())
    deadline = time.monotonic() + 5
    while not tracker.forgotten and time.monotonic() < deadline:
        time.sleep(0.005)
    tracker.look = lambda content: (time.sleep(0.05), "new")[1]
    go_on.set()
    while not read and time.monotonic() < deadline:
        time.sleep(0.005)
    assert set(read) == {"new"}
    del tracker.read, tracker.look


def test_an_error_in_the_thread_that_looks_ends_the_session(tmp_path: Path):
    class Sick(MadeUpTracker):
        def look(self, content):
            raise RuntimeError("the network cannot be run")

    camera = CameraThread(MadeUpCamera, lambda fault: None)
    session = session_of(tmp_path, camera, Sick(), lambda record: None)
    end = threading.Timer(8, session.commands.put, [Stop()])  # a test that fails must not hang
    end.start()
    with pytest.raises(RuntimeError, match="cannot be run"):
        session.run()
    end.cancel()


def test_face_lost_and_found(running):
    running.state("tracking")
    running.tracker.blind = True
    status = running.state("searching")
    assert "No face" in status.message
    frame = running.wait(LiveFrame, lambda f: not f.valid)
    assert frame.pose.weights[17] == pytest.approx(0.3)  # the head holds its pose
    mark = len(running.told)
    running.tracker.blind = False
    running.state("tracking", mark)


def test_unplugged_and_plugged_in_again(running):
    running.state("tracking")
    running.cameras[0].unplugged = True
    status = running.state("waiting")
    assert status.fault
    assert "unplugged" in status.message
    mark = len(running.told)
    running.cameras.append(MadeUpCamera())
    running.state("tracking", mark)
    assert running.cameras[0].closed >= 1


def test_pause_holds_and_goes_on(running):
    running.state("tracking")
    running.send(Pause())
    running.state("paused")
    count = running.session.number
    time.sleep(0.1)
    assert running.session.number == count
    running.send(Pause(False))
    running.wait(LiveFrame, lambda f: f.number > count + 2)


def test_calibrates(running):
    running.state("tracking")
    running.send(Calibrate(0.2))
    running.wait(LiveCalibration, lambda c: not c.done)
    running.wait(LiveCalibration, lambda c: c.done)
    running.wait(LiveFrame, lambda f: f.pose.weights[17] < 1e-6)
    assert running.kept[0].weights[17] == pytest.approx(0.3)
    running.send(ForgetCalibration())
    running.wait(LiveCalibration, lambda c: "as it is" in c.message)
    assert running.kept[1] is None
    running.send(Calibrate(0.2))
    told = running.wait(LiveCalibration, lambda c: "disk is full" in c.message)
    assert told.done


def test_records_what_happens(running):
    running.state("tracking")
    running.send(StartRecording("a", count_in=0.1))
    running.wait(LiveRecording, lambda r: r.state == "recording")
    time.sleep(0.3)
    running.send(StopRecording())
    saved = running.wait(LiveRecording, lambda r: r.state == "saved")
    take = load_take(Path(saved.path))
    assert len(take.pts) > 5
    np.testing.assert_allclose(take.weight("jawOpen"), 0.3, atol=1e-6)


def test_stopping_saves_the_recording(running):
    running.state("tracking")
    running.send(StartRecording("a"))
    running.wait(LiveRecording, lambda r: r.state == "recording")
    number = running.session.number
    running.wait(LiveFrame, lambda f: f.number > number + 3)
    running.stop()
    running.wait(LiveRecording, lambda r: r.state == "saved")


def test_after_sleep_the_camera_is_opened_again(running):
    running.state("tracking")
    mark = len(running.told)
    running.session.clock -= 60  # the clock on the wall is a minute ahead
    assert "slept" in running.wait(LiveStatus, lambda s: "slept" in s.message, mark).message
    deadline = time.monotonic() + 5
    while not running.cameras[0].closed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert running.cameras[0].closed
    running.wait(LiveFrame, after=len(running.told))


def test_a_camera_that_hangs_is_told(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("spark_backend.live.session.SILENCE", 0.2)
    hung = threading.Event()

    class Hung(MadeUpCamera):
        def read(self) -> Shot:
            hung.wait(5)
            return super().read()

    running = Running(tmp_path, Hung, MadeUpTracker())
    assert "gives no picture" in running.state("waiting").message
    hung.set()
    running.state("tracking")
    running.stop()


def test_a_camera_that_is_not_there_is_told(tmp_path: Path):
    def refuse():
        raise SparkError(why_not(77, "linux"))

    running = Running(tmp_path, refuse, MadeUpTracker())
    status = running.state("waiting")
    assert "not there" in status.message
    assert status.fault
    running.stop()


def test_a_file_plays_once_at_its_own_pace_and_again_on_restart(tmp_path: Path):
    from video_files import numbered, write_video

    path = write_video(tmp_path / "a.mp4", numbered(8), rate=25)
    running = Running(tmp_path, lambda: open_source(str(path), (64, 48), 30, time.perf_counter()), MadeUpTracker())
    begun = time.perf_counter()
    assert "over" in running.state("waiting").message
    assert time.perf_counter() - begun > 0.2
    times = [record.pts for record in running.told if isinstance(record, LiveFrame)]
    np.testing.assert_allclose(np.array(times) * 25, np.round(np.array(times) * 25), atol=0.01)
    running.send(StartRecording("a"))
    running.wait(LiveRecording, lambda r: r.state == "recording")
    time.sleep(0.3)  # it waits for the video to play again
    mark = len(running.told)
    running.send(Restart())
    running.wait(LiveFrame, after=mark)
    saved = running.wait(LiveRecording, lambda r: r.state == "saved", mark)
    np.testing.assert_allclose(load_take(Path(saved.path)).pts[-1], times[-1], atol=0.05)
    running.stop()
