"""`spark live` itself, as a process: MediaPipe, the solver, a real face, faults on both sides, a recording cut off."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from astronaut import astronaut
from processes import is_running
from video_files import write_video

from spark_backend.heads.anny import load_anny
from spark_backend.protocol.avatar import save_avatar
from spark_backend.protocol.live import LiveCalibration, LiveRecording, LiveStatus
from spark_backend.protocol.live_commands import Calibrate, Restart, StartRecording
from spark_backend.protocol.live_picture import memory_folder
from spark_backend.protocol.live_process import LiveProcess
from spark_backend.protocol.live_recording import recover_recordings
from spark_backend.protocol.project import create_project
from spark_backend.protocol.take import load_take

CHECKOUT = Path(__file__).resolve().parents[1]
# The variables of a host program are kept from the child, so its own code says where ours is.
START = f"import sys; sys.path.insert(0, {str(CHECKOUT)!r}); from spark_backend.__main__ import main; sys.exit(main())"
COMMAND = (sys.executable, "-u", "-c", START)
PATIENCE = 90.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The average head, and a face that drifts slowly through the picture for four seconds."""
    folder = tmp_path_factory.mktemp("live") / "anna.spark"
    create_project(folder)
    head = load_anny()
    save_avatar(folder / "avatar", head.avatar(np.zeros(len(head.identity))))
    picture = np.pad(astronaut(), ((0, 0), (64, 64), (0, 0)), mode="edge")
    frames = (np.roll(picture, round(20 * np.sin(i / 15)), axis=1)[:480] for i in range(120))
    write_video(folder / "face.mp4", frames, rate=30)
    return folder


class Watched:
    """A live process and all that it has told."""

    def __init__(self, process: LiveProcess) -> None:
        self.process, self.told, self.frames = process, [], []

    def until(self, condition: Callable[[], bool], patience: float = PATIENCE) -> float:
        """Polls until the condition holds; gives the seconds that it took."""
        begun = time.monotonic()
        while not condition():
            frame, told = self.process.poll()
            self.frames += [frame] if frame is not None else []
            self.told += told
            if time.monotonic() - begun > patience:
                raise TimeoutError([*self.told, *self.process.folder.glob("log.txt")])
            time.sleep(0.005)
        return time.monotonic() - begun

    def has(self, kind: type, **values: object) -> bool:
        """Whether such a record has come."""
        return any(
            isinstance(record, kind) and all(getattr(record, name) == value for name, value in values.items())
            for record in self.told
        )


@pytest.fixture
def watched(project: Path, tmp_path: Path) -> Iterator[Watched]:
    """A process that tracks the video."""
    result = Watched(LiveProcess.start(COMMAND, tmp_path, [str(project), "--camera", str(project / "face.mp4")]))
    try:
        result.until(lambda: bool(result.frames))
        yield result
    finally:
        result.process.kill()
        result.process.close()


def test_tracks_calibrates_records_and_stops(watched: Watched, project: Path, tmp_path: Path):
    process = watched.process
    process.send(Calibrate(0.3))
    watched.until(lambda: watched.has(LiveCalibration, done=True))
    watched.until(lambda: watched.has(LiveStatus, state="waiting"))  # the video is over
    process.send(StartRecording("first", video=True))
    process.send(Restart())
    watched.until(lambda: watched.has(LiveRecording, state="saved"))
    pictures = process.picture()
    assert pictures is not None
    assert pictures.shape == (240, 320, 3)
    assert (pictures == (80, 255, 120)).all(-1).sum() > 150  # landmarks on the face
    take = load_take(project / "takes" / "first.npz")
    assert take.valid.mean() > 0.9
    assert len(take.pts) > 20
    np.testing.assert_allclose(take.pts * 30, np.round(take.pts * 30), atol=0.01)  # the file's own times
    assert take.source["video"].endswith("first_film.mkv")
    assert Path(take.source["video"]).exists()
    turned = 2 * np.arccos(np.clip(np.abs(take.neck[:, 0]), 0, 1))
    assert np.degrees(turned.max()) < 15  # counted from the calibrated pose, of a face that does not turn
    travel = np.ptp(take.head_translation[:, 0])
    assert 0.02 < travel < 0.12
    process.stop()
    assert watched.until(lambda: process.ended) < 4
    assert watched.told[-1] == LiveStatus("ended", "Stopped")
    again = Watched(LiveProcess.start(COMMAND, tmp_path, [str(project), "--camera", str(project / "face.mp4")]))
    again.until(lambda: again.has(LiveCalibration, done=True) or again.process.ended)
    again.process.kill()
    again.process.close()
    assert "as the last time" in next(r for r in again.told if isinstance(r, LiveCalibration)).message


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_killed_while_recording_loses_next_to_nothing(watched: Watched, project: Path):
    watched.process.send(Restart())
    watched.process.send(StartRecording("cut"))
    watched.until(lambda: any(isinstance(r, LiveRecording) and r.seconds >= 1 for r in watched.told))
    os.kill(watched.process.process_id, signal.SIGKILL)
    assert watched.until(lambda: watched.process.ended) < 1.0
    assert watched.told[-1].fault
    assert "ended unexpectedly" in watched.told[-1].message
    takes, faults = recover_recordings(project / "takes")
    assert [path.name for path in takes] == ["cut.npz"]
    assert faults == []
    assert load_take(takes[0]).pts[-1] >= 1.0


LAUNCHER = f"""
import sys, time
sys.path.insert(0, {str(CHECKOUT)!r})
from pathlib import Path
from spark_backend.protocol.live_process import LiveProcess
process = LiveProcess.start({COMMAND!r}, Path(sys.argv[1]), sys.argv[2:])
print(process.process_id, flush=True)
while True:
    frame, told = process.poll()
    if any("Starting with" in record.message for record in told):
        print("loading", flush=True)
    if frame is not None:
        print("tracking", flush=True)
        time.sleep(600)
    time.sleep(0.01)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize(("when", "patience"), [("starting", 2.0), ("loading", 1.0), ("tracking", 2.0)])
def test_the_backend_and_the_shared_memory_go_when_the_launcher_is_killed(
    when: str, patience: float, project: Path, tmp_path: Path
):
    words = (sys.executable, "-c", LAUNCHER, str(tmp_path), str(project), "--camera", str(project / "face.mp4"))
    launcher = subprocess.Popen(words, stdout=subprocess.PIPE)
    child = int(launcher.stdout.readline())
    while when != "starting" and launcher.stdout.readline() != f"{when}\n".encode():
        pass
    assert is_running(child)
    launcher.kill()
    launcher.wait()
    launcher.stdout.close()
    begun = time.monotonic()
    while is_running(child) and time.monotonic() - begun < 10:
        time.sleep(0.01)
    assert time.monotonic() - begun < patience
    assert not list(memory_folder().glob(f"spark-picture-{launcher.pid}-*"))


def test_what_cannot_start_says_why(tmp_path: Path):
    process = LiveProcess.start(COMMAND, tmp_path, [str(tmp_path / "none.spark")])
    watched = Watched(process)
    watched.until(lambda: process.ended)
    assert watched.told[-1].fault
    assert "not a project" in watched.told[-1].message
    process.close()


def test_without_blender_it_tells_people_and_programs(project: Path):
    words = (*COMMAND, "live", project, "--camera", project / "face.mp4", "--record", "alone", "--json")
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    for line in process.stdout:
        if "recorded alone" in line:
            break
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait(20) in (0, 1)
    assert json.loads(rest[-1])["event"] in ("Done", "Failed")
    assert load_take(project / "takes" / "alone.npz").valid.any()
