"""Sound beside a take: heard at its true time, in step with the picture, kept when the process is killed."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
from test_live_recording import make_recorder, shot
from test_live_streams import frame

from spark_backend.live.media import MediaWriter
from spark_backend.live.sound import Microphone, library
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live_commands import StartRecording
from spark_backend.protocol.take import load_take

RATE = 16000
START = 100.0
"""`time.perf_counter()` of a made-up recording's first frame."""


class MadeUpMicrophone:
    """Hears what the test lets it hear."""

    rate = RATE
    closed = False

    def __init__(self, hear) -> None:
        self.hear = hear

    def close(self) -> None:
        self.closed = True


def beep(seconds: float, at: float, length: float = 0.02) -> np.ndarray:
    """Silence, and a tone that begins at a second of it."""
    t = np.arange(round(seconds * RATE)) / RATE
    tone = 12000 * np.sin(2 * np.pi * 1000 * (t - at))
    return np.where((t >= at) & (t < at + length), tone, 0).astype(np.int16)


def read_sound(path: Path) -> np.ndarray:
    """(N,) the samples of a file, from its time 0."""
    with av.open(str(path)) as file:
        frames = list(file.decode(audio=0))
    assert frames[0].time == 0
    return np.concatenate([part.to_ndarray()[0] for part in frames])


def onset(samples: np.ndarray) -> float:
    """Seconds at which the tone begins."""
    return float(np.argmax(np.abs(samples) > 3000)) / RATE


@pytest.mark.parametrize("video", [True, False])
def test_a_flash_and_a_beep_of_the_same_moment_stay_together(video: bool, tmp_path: Path):
    microphones = []

    def listen(hear) -> MadeUpMicrophone:
        microphones.append(MadeUpMicrophone(hear))
        return microphones[-1]

    recorder, told = make_recorder(tmp_path, listen=listen)
    recorder.start(StartRecording("a", video=video, sound=True), 0.0)
    (microphone,) = microphones
    sound, block = beep(2.5, 1.5), RATE // 20
    microphone.hear(START - 0.5, sound[:block])  # before the first frame: left out
    for index in range(60):
        seconds = index / 30
        image = np.full((48, 64, 3), 255 if 1.0 <= seconds < 1.1 else 0, np.uint8)
        recorder.add(frame(index, index, 7 + seconds), shot(START + seconds, image))
        heard = range(round((0.5 + seconds) * 20), round((0.5 + seconds + 1 / 30) * 20))
        for number in heard:
            microphone.hear(START - 0.5 + number / 20, sound[number * block : (number + 1) * block])
    recorder.stop()
    assert microphone.closed
    assert told[-1].message == ""
    file = tmp_path / "recordings" / ("a_film.mkv" if video else "a.mka")
    assert told[-1].sound == str(file.absolute())
    assert told[-1].video == (told[-1].sound if video else "")
    assert load_take(Path(told[-1].path)).source["sound"] == told[-1].sound
    assert onset(read_sound(file)) == pytest.approx(1.0, abs=0.002)
    if video:
        with av.open(str(file)) as film:
            flash = next(f.time for f in film.decode(video=0) if f.to_ndarray(format="gray8").mean() > 128)
        assert flash == pytest.approx(1.0, abs=0.002)


def test_missing_sound_becomes_silence_and_a_drifting_clock_is_followed(tmp_path: Path):
    writer, block = MediaWriter(tmp_path / "a.mka", picture=False, sound_rate=RATE), RATE // 20
    tone = np.full(block, 9000, np.int16)
    for number in [*range(10), *range(30, 300)]:
        writer.add_sound(number / 20 * 1.01, tone)  # the card is slow by 1 %
    writer.add(15.0, None)
    assert writer.close() == []
    samples = read_sound(tmp_path / "a.mka")
    assert len(samples) / RATE == pytest.approx(300 / 20 * 1.01, abs=0.06)
    assert not samples[round(0.56 * RATE) : round(1.5 * RATE)].any()
    assert samples[round(1.6 * RATE)] == 9000


def test_a_microphone_that_falls_silent_is_told(tmp_path: Path):
    writer = MediaWriter(tmp_path / "a.mka", picture=False, sound_rate=RATE)
    writer.add_sound(0.0, np.ones(RATE, np.int16))
    writer.add(9.0, None)
    assert writer.close() == ["The sound ends after 1 s; was the microphone unplugged?"]


def test_without_a_microphone_the_take_is_kept_and_it_is_told(tmp_path: Path):
    def refuse(hear):
        raise SparkError("No sound: there is no microphone")

    recorder, told = make_recorder(tmp_path, listen=refuse)
    recorder.start(StartRecording("a", sound=True), 0.0)
    assert "no microphone" in told[-1].message
    recorder.add(frame(pts=1.0), shot())
    recorder.stop()
    assert (told[-1].state, told[-1].sound) == ("saved", "")
    assert "no microphone" in told[-1].message


def test_a_phone_films_nothing_but_sound_is_recorded(tmp_path: Path):
    recorder, told = make_recorder(tmp_path, films=False, listen=MadeUpMicrophone)
    recorder.start(StartRecording("a", video=True, sound=True), 0.0)
    recorder.add(frame(pts=1.0), shot(START))
    recorder.microphone.hear(START, beep(0.5, 0.1))
    recorder.stop()
    assert told[-1].video == ""
    assert "sends no picture" in told[-1].message
    assert onset(read_sound(Path(told[-1].sound))) == pytest.approx(0.1, abs=0.002)


def made_up_library(*, fault: Exception | None = None) -> SimpleNamespace:
    """Stands in for sounddevice."""
    made = SimpleNamespace(PortAudioError=type("PortAudioError", (Exception,), {}), streams=[])

    class InputStream:
        def __init__(self, **options) -> None:
            self.options, self.closed = options, False
            made.streams.append(self)

        def start(self) -> None:
            if fault is not None:
                raise made.PortAudioError(str(fault))

        def close(self) -> None:
            self.closed = True

    made.InputStream, made.query_devices = InputStream, lambda kind: {"default_samplerate": 44100.0}
    return made


def test_blocks_come_with_the_time_at_which_they_were_heard():
    sound, heard = made_up_library(), []
    microphone = Microphone(lambda seconds, samples: heard.append((seconds, samples)), sound)
    (stream,) = sound.streams
    assert (microphone.rate, stream.options["channels"], stream.options["dtype"]) == (44100, 1, "int16")
    block = np.arange(2205, dtype=np.int16)[:, None]
    for now, adc, delay in ((50.0, 49.92, 0.08), (50.0, 0.0, 0.05)):  # some drivers tell no time
        before = time.perf_counter()
        stream.options["callback"](block, 2205, SimpleNamespace(currentTime=now, inputBufferAdcTime=adc), None)
        assert heard[-1][0] == pytest.approx(before - delay, abs=0.02)
    block[:] = 0  # the library's memory is used again
    np.testing.assert_array_equal(heard[-1][1], np.arange(2205))
    microphone.close()
    assert stream.closed


def test_what_is_missing_is_told_with_its_remedy(monkeypatch):
    with pytest.raises(SparkError, match=r"does not open \(Device unavailable\); plug one in"):
        Microphone(lambda *_: None, made_up_library(fault=Exception("Device unavailable")))
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(SparkError, match="pip install sounddevice"):
        library()


PROGRAM = """
import sys, time
sys.path[:0] = sys.argv[2:]
from pathlib import Path
import numpy as np
from spark_backend.live.media import MediaWriter
writer = MediaWriter(Path(sys.argv[1]), picture=True, sound_rate=16000)
begun, blocks = time.perf_counter(), 0
noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
while True:
    seconds = time.perf_counter() - begun
    writer.add(seconds, noise)
    while (blocks + 1) / 20 < seconds:
        writer.add_sound(blocks / 20, np.full(800, 1000, np.int16))
        blocks += 1
    print(seconds, flush=True)
    time.sleep(1 / 30)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
def test_a_killed_process_loses_at_most_the_last_second(tmp_path: Path):
    path = tmp_path / "a.mkv"
    words = (sys.executable, "-c", PROGRAM, path, Path(__file__).parents[1])
    child = subprocess.Popen(words, stdout=subprocess.PIPE)
    while (reached := float(child.stdout.readline())) < 2.5:
        continue
    os.kill(child.pid, 9)
    child.wait()
    child.stdout.close()
    with av.open(str(path)) as file:
        last = {"video": 0.0, "audio": 0.0}
        for packet in file.demux():
            if packet.pts is not None:
                last[packet.stream.type] = float(packet.pts * packet.time_base)
    assert min(last.values()) > reached - 1.0
