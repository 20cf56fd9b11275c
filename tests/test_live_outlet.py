"""The way out to Blender: nobody is held up, the newest frame wins, the small picture shows the landmarks."""

import threading
import time

import numpy as np
from test_live_streams import frame

from spark_backend.live.outlet import RecordOutlet, small_picture
from spark_backend.protocol.live import LiveFrame, LiveStatus, RecordStream


def test_a_reader_that_does_not_read_holds_nobody_up():
    free, written = threading.Event(), []

    def write(data: bytes) -> None:
        free.wait(5)
        written.append(data)

    outlet, begun = RecordOutlet(write), time.perf_counter()
    outlet(LiveStatus("tracking", "first"))
    for number in range(500):
        outlet(frame(number=number))
    outlet(LiveStatus("paused", "last"))
    assert time.perf_counter() - begun < 2
    free.set()
    outlet.close()
    records = RecordStream().feed(b"".join(written))
    numbers = [r.number for r in records if isinstance(r, LiveFrame)]
    assert [r.message for r in records if isinstance(r, LiveStatus)] == ["first", "last"]
    assert numbers[-1] == 499
    assert len(numbers) < 5


def test_the_small_picture_shows_the_landmarks():
    landmarks = np.full((478, 2), -5.0)
    landmarks[:2] = (320.0, 240.0), (639.9, 479.9)
    picture = small_picture(np.zeros((480, 640, 3), np.uint8), landmarks)
    assert picture.shape == (240, 320, 3)
    assert tuple(picture[120, 160]) == (80, 255, 120)
    assert (picture.any(-1)).sum() == 2
