"""Cameras by name, on made-up computers, and each reason for which one cannot be opened, in words."""

import os
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock, create_autospec

import cv2
import numpy as np
import pytest

from spark_backend.live import camera as camera_module
from spark_backend.live import devices
from spark_backend.live.camera import FileCamera, Newest, Shot, open_source
from spark_backend.live.devices import Device, find_camera, list_cameras, why_not
from spark_backend.protocol.errors import SparkError

DESK = [Device(0, "Built-in Camera"), Device(2, "HD Webcam C920"), Device(4, "HD Webcam C920 (2)")]


def computer(**cameras: list[str]):
    """Stands in for the library: each backend's cameras, by its name in OpenCV."""
    known = {getattr(cv2, f"CAP_{name}"): names for name, names in cameras.items()}
    return lambda backend: [SimpleNamespace(index=i, name=name) for i, name in enumerate(known.get(backend, []))]


def test_numbers_are_what_opencv_opens():
    assert list_cameras(computer(V4L2=["A", "B"], GSTREAMER=["A", "B"]), "linux") == [Device(0, "A"), Device(1, "B")]
    assert list_cameras(computer(AVFOUNDATION=["FaceTime"]), "darwin") == [Device(0, "FaceTime")]
    found = list_cameras(computer(MSMF=["A", "B"], DSHOW=["B", "OBS", "A"]), "win32")
    assert found == [Device(cv2.CAP_MSMF, "A"), Device(cv2.CAP_MSMF + 1, "B"), Device(cv2.CAP_DSHOW + 1, "OBS")]


def test_cameras_of_one_name_are_told_apart():
    names = [device.name for device in list_cameras(computer(V4L2=["C920", "C920", "Other"]), "linux")]
    assert names == ["C920", "C920 (2)", "Other"]


def test_the_library_lists_what_this_computer_has():
    for device in list_cameras():
        assert device.name


@pytest.mark.parametrize(("text", "number"), [("built-in", 0), ("HD Webcam C920", 2), ("hd webcam c920 (2)", 4)])
def test_a_camera_is_found_by_its_name(text: str, number: int):
    assert find_camera(text, DESK).number == number


def test_what_names_none_or_several_is_told():
    with pytest.raises(SparkError, match=r"may be HD Webcam C920 or HD Webcam C920 \(2\)"):
        find_camera("webcam", DESK)
    with pytest.raises(SparkError, match="the cameras are: Built-in Camera, HD Webcam"):
        find_camera("nope.mp4", DESK)
    with pytest.raises(SparkError, match="none at all"):
        find_camera("any", [])


def test_without_the_library_names_are_refused_in_words(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cv2_enumerate_cameras", None)
    with pytest.raises(SparkError, match="pip install cv2-enumerate-cameras"):
        list_cameras()


@pytest.fixture
def capture(monkeypatch) -> Mock:
    """Stands in for every `cv2.VideoCapture`: it opens and gives red pictures."""
    made = create_autospec(cv2.VideoCapture, instance=True)
    made.isOpened.return_value = made.grab.return_value = True
    made.retrieve.return_value = True, np.full((4, 4, 3), (0, 0, 255), np.uint8)
    made.opens = Mock(return_value=made)
    monkeypatch.setattr(cv2, "VideoCapture", made.opens)
    monkeypatch.setattr(camera_module, "list_cameras", lambda: DESK)
    return made


def test_a_name_opens_its_camera(capture):
    source = open_source("built-in camera", (64, 48), 30, 0.0)
    capture.opens.assert_called_once_with(0)
    assert tuple(source.read().content[0, 0]) == (255, 0, 0)
    capture.grab.return_value = False
    with pytest.raises(SparkError, match="Built-in Camera: gives no picture any more; was it unplugged"):
        source.read()


def test_a_damaged_picture_is_passed_over(capture):
    good, damaged = capture.retrieve.return_value, (False, None)
    capture.retrieve.side_effect = [damaged, good, *[damaged] * 30]
    source = open_source("0", (64, 48), 30, 0.0)
    assert source.read().content.shape == (4, 4, 3)
    with pytest.raises(SparkError, match="gives no picture any more"):
        source.read()


def test_a_camera_that_another_program_has_is_told(capture):
    capture.grab.return_value = False
    with pytest.raises(SparkError, match="camera 0: is there but gives no picture; close the program that uses it"):
        open_source("0", (64, 48), 30, 0.0)
    capture.isOpened.return_value = False
    with pytest.raises(SparkError, match="camera 77: "):
        open_source("77", (64, 48), 30, 0.0)


def test_every_reason_is_a_sentence_with_a_remedy(tmp_path: Path, monkeypatch):
    assert "not there" in why_not(0, "linux", tmp_path)
    (tmp_path / "video0").touch()
    assert "close the program" in why_not(0, "linux", tmp_path)
    monkeypatch.setattr(devices.os, "access", lambda path, mode: path != tmp_path / "video0" or mode == os.F_OK)
    assert "group `video`" in why_not(0, "linux", tmp_path)
    assert "System Settings" in why_not(0, "darwin")
    assert "Settings > Privacy & security" in why_not(1400, "win32")


def test_a_file_that_is_no_video_is_told(tmp_path: Path):
    (tmp_path / "a.mp4").write_text("no")
    with pytest.raises(SparkError, match="cannot be opened as a video"):
        FileCamera(tmp_path / "a.mp4", 0.0)


def test_no_answer_from_an_address_is_told():
    with pytest.raises(SparkError, match="no camera answers"):
        open_source("http://127.0.0.1:9/video", (64, 48), 30, 0.0)


def test_the_newest_picture_wins():
    newest = Newest()
    shots = [Shot(None, float(i), 0.0) for i in range(4)]
    for shot in shots:
        newest.put(shot)
    assert newest.take(0.1) is shots[-1]
    assert newest.dropped == 3
    assert newest.take(0.01) is None
