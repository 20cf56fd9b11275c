"""`spark doctor` sees a MediaPipe or an engine that is installed and does not load."""

import pytest

from spark_backend.encoders import engines
from spark_backend.pipeline.doctor import doctor
from spark_backend.pipeline.options import DoctorOptions
from spark_backend.video.networks import FaceDetector


def looked_at() -> dict:
    """What doctor tells, its warnings left out."""
    return dict(doctor(DoctorOptions(), lambda event: None))


def test_all_is_well_here():
    told = looked_at()
    assert told["ready"], told["checks"]
    assert {"what": "finding faces", "state": "ok", "detail": "MediaPipe loads"} in told["checks"]


def test_a_library_of_the_system_is_missing(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError("libGLESv2.so.2: cannot open shared object file")

    monkeypatch.setattr(FaceDetector, "__init__", fail)
    told = looked_at()
    assert not told["ready"]
    (check,) = (check for check in told["checks"] if check["what"] == "finding faces")
    assert check["state"] == "broken"
    assert "libGLESv2.so.2" in check["detail"]
    assert "apt install" in check["detail"]


def test_an_engine_is_broken(monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise ImportError("libopenvino.so: cannot open shared object file")

    monkeypatch.setattr(engines, "ENGINES", dict.fromkeys(engines.ENGINES, fail))
    told = looked_at()
    assert not told["ready"]
    (check,) = (check for check in told["checks"] if check["what"] == "tracking networks")
    assert check["state"] == "broken"
    assert "libopenvino.so" in check["detail"]
    assert "Repair" in check["detail"]
