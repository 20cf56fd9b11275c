"""A network camera that is real but for its pictures: OpenCV's own capture code against an MJPEG server."""

import contextlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from spark_backend.live import camera as camera_module
from spark_backend.live.camera import CameraThread, Source, open_source
from spark_backend.protocol.errors import SparkError

INTERVAL = 0.02


class Pictures(BaseHTTPRequestHandler):
    """Sends grey pictures, each brighter than the one before, until the server is unplugged."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=f")
        self.end_headers()
        number = 0
        with contextlib.suppress(OSError):
            while not self.server.unplugged.wait(INTERVAL):
                picture = np.full((48, 64, 3), 10 + 4 * (number % 50), np.uint8)
                data = cv2.imencode(".jpg", picture)[1].tobytes()
                head = f"--f\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
                self.wfile.write(head.encode() + data + b"\r\n")
                number += 1

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def plugged_in(port: int = 0) -> Iterator[int]:
    """A camera at a port, which is given."""
    server = ThreadingHTTPServer(("127.0.0.1", port), Pictures)
    server.unplugged = threading.Event()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.unplugged.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def test_pictures_come_in_their_order_and_at_the_time_of_their_arrival():
    with plugged_in() as port:
        source = open_source(f"http://127.0.0.1:{port}/video", (64, 48), 30, time.perf_counter())
        shots = [source.read() for _ in range(10)]
        source.close()
    brightness = [float(shot.content.mean()) for shot in shots]
    assert np.all(np.diff(brightness) > 2)
    assert np.all(np.diff([shot.pts for shot in shots]) > 0)
    assert shots[0].content.shape == (48, 64, 3)
    assert 0 <= time.perf_counter() - shots[-1].arrived < 1


def read_to_the_end(source: Source) -> None:
    """Reads what is still on its way, for ten seconds at most."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        source.read()


def test_one_that_is_unplugged_is_told():
    with plugged_in() as port:
        source = open_source(f"http://127.0.0.1:{port}/video", (64, 48), 30, 0.0)
        source.read()
    begun = time.monotonic()
    with pytest.raises(SparkError, match="gives no picture any more; was it unplugged"):
        read_to_the_end(source)
    source.close()
    assert time.monotonic() - begun < camera_module.TIMEOUT + 1


def test_one_that_comes_back_goes_on_by_itself(monkeypatch):
    monkeypatch.setattr(camera_module, "RETRY", 0.1)
    told: list[str] = []
    with plugged_in() as port:
        address = f"http://127.0.0.1:{port}/video"
        thread = CameraThread(lambda: open_source(address, (64, 48), 30, 0.0), told.append)
        thread.start()
        assert thread.newest.take(10) is not None
    deadline = time.monotonic() + 10
    while not any("no camera answers" in sentence for sentence in told) and time.monotonic() < deadline:
        time.sleep(0.02)
    while thread.newest.take(0.1) is not None:  # what had come before
        pass
    with plugged_in(port):
        assert thread.newest.take(10) is not None
        thread.stop()
    assert told[0] == ""
    assert "unplugged" in told[1]
    assert "no camera answers there" in told[2]
    assert told[-1] == ""
