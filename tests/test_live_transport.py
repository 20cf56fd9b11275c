"""Records, commands and the shared picture: round trips, garbage, torn reads, what stays after a crash."""

import os
import struct
import subprocess
import sys
import threading
import time
import zlib
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from spark_backend.protocol import live_commands, live_picture
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import (
    LARGEST_PART,
    MARK,
    POSE_SIZE,
    PREFIX,
    LiveFrame,
    LiveRecording,
    LiveStatus,
    RecordStream,
    encode_record,
    pose_from_vector,
)
from spark_backend.protocol.live_commands import COMMANDS, decode_command, encode_command
from spark_backend.protocol.live_picture import LARGEST, make_picture_memory, memory_folder, open_picture_memory

numbers = some.floats(-1e6, 1e6, width=32)
frames = some.builds(
    LiveFrame,
    number=some.integers(0, 2**40),
    pts=some.floats(0, 1e6),
    valid=some.booleans(),
    confidence=some.floats(0, 1),
    latency=some.floats(0, 10),
    rate=some.floats(0, 240),
    dropped=some.integers(0, 10**6),
    pose=some.lists(numbers, min_size=POSE_SIZE, max_size=POSE_SIZE).map(lambda v: pose_from_vector(np.array(v))),
)
told = some.builds(LiveStatus, some.sampled_from(["tracking", "waiting"]), some.text(), some.booleans()) | some.builds(
    LiveRecording, some.just("saved"), some.text(), some.floats(0, 1e4), some.text(), some.text(), some.text()
)


def same(a, b) -> bool:
    """Equal, poses compared number by number."""
    if isinstance(a, LiveFrame) and isinstance(b, LiveFrame):
        rest = all(getattr(a, f.name) == getattr(b, f.name) for f in fields(a) if f.name != "pose")
        return rest and np.array_equal(a.pose.vector(), b.pose.vector())
    return a == b


@settings(max_examples=40, deadline=None)
@given(some.lists(frames | told, max_size=5), some.integers(1, 400))
def test_records_come_back_however_they_are_cut(records, size):
    data = b"".join(map(encode_record, records))
    stream, read = RecordStream(), []
    for start in range(0, len(data), size):
        read += stream.feed(data[start : start + size])
    assert len(read) == len(records)
    assert all(same(a, b) for a, b in zip(read, records, strict=True))
    assert stream.skipped == 0


@settings(max_examples=40, deadline=None)
@given(told, some.binary(max_size=60).filter(lambda b: MARK not in b and not MARK.startswith(b[-3:] or b"x")))
def test_garbage_between_records_is_passed_over(record, garbage):
    stream = RecordStream()
    read = stream.feed(garbage + encode_record(record) + garbage + encode_record(record))
    assert read == [record, record]
    assert stream.skipped >= len(garbage)


def test_lying_headers_and_unknown_kinds_do_no_harm():
    good = LiveStatus("tracking", "Tracking")
    stream = RecordStream()
    lies = (
        PREFIX.pack(MARK, LARGEST_PART + 1, 0) + PREFIX.pack(MARK, 3, 0) + b"[1]" + PREFIX.pack(MARK, 2, 4) + b"{}abcd"
    )
    wrong = PREFIX.pack(MARK, 20, 4) + b'{"kind":"LiveFrame"}abcd'
    assert stream.feed(lies + wrong + encode_record(good)) == [good]
    assert stream.skipped > 0


@pytest.mark.parametrize("name", COMMANDS)
def test_commands_come_back(name):
    command = COMMANDS[name]("smile") if name == "StartRecording" else COMMANDS[name]()
    if name == "Adjust":
        command = replace(command, strengths={"jawOpen": 0.5}, smoothing=0.1)
    assert decode_command(encode_command(command)) == command


@given(some.binary(max_size=80))
def test_nonsense_is_no_command(line):
    assert decode_command(line) is None or line.strip().startswith(b"{")


def test_a_command_of_a_newer_version_is_ignored():
    assert decode_command(b'{"command": "Juggle"}') is None
    assert decode_command(b'{"command": "Pause", "paused": false, "why": "x"}') == live_commands.Pause(False)


def test_pictures_come_back_newest_first():
    reader = make_picture_memory()
    writer = open_picture_memory(reader.name)
    assert reader.read() is None
    pictures = [np.full((7, 5, 3), value, np.uint8) for value in (1, 2, 3)]
    for picture in pictures:
        writer.write(picture)
    np.testing.assert_array_equal(reader.read(), pictures[-1])
    assert reader.read() is None
    with pytest.raises(ValueError, match="fit"):
        writer.write(np.zeros((LARGEST[1] + 1, 4, 3), np.uint8))
    writer.close()
    reader.close()


def test_no_picture_is_torn():
    """A writer without pause; each picture holds one value, so a mixture of two would show."""
    reader = make_picture_memory()
    writer, stop = open_picture_memory(reader.name), threading.Event()

    def write() -> None:
        value = 0
        while not stop.is_set():
            value = (value + 1) % 256
            writer.write(np.full((120, 160, 3), value, np.uint8))

    thread = threading.Thread(target=write)
    thread.start()
    whole, deadline = 0, time.monotonic() + 1.0
    while time.monotonic() < deadline:
        picture = reader.read()
        if picture is not None:
            whole += 1
            assert picture.min() == picture.max()
    stop.set()
    thread.join()
    assert whole > 5


def test_a_picture_that_changes_while_it_is_copied_is_refused():
    reader = make_picture_memory()
    writer = open_picture_memory(reader.name)
    writer.write(np.full((4, 4, 3), 9, np.uint8))
    start = 64 + (1 % 2) * (struct.calcsize("<QIIIIQ") + LARGEST[0] * LARGEST[1] * 3)
    writer._memory[start + 32] ^= 255  # as a store of the next picture would that came early
    assert reader.read() is None
    content = bytes(writer._memory[start + 32 : start + 32 + 48])
    struct.pack_into("<I", writer._memory, start + 16, zlib.crc32(content))
    assert reader.read() is not None
    writer.close()
    reader.close()


def test_only_our_own_memory_is_opened():
    for name in ("../../etc/passwd", "other", "spark-picture-none"):
        with pytest.raises(SparkError):
            open_picture_memory(name)


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows the memory has no name in a folder")
def test_nothing_stays_when_both_ends_are_killed():
    program = (
        "import os, sys, time\n"
        "from spark_backend.protocol.live_picture import make_picture_memory, open_picture_memory\n"
        "memory = make_picture_memory()\n"
        "other = open_picture_memory(memory.name)\n"
        "print(memory.name, flush=True)\n"
        "time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    child = subprocess.Popen((sys.executable, "-c", program), stdout=subprocess.PIPE, env=environment)
    name = child.stdout.readline().decode().strip()
    child.kill()
    child.wait()
    child.stdout.close()
    assert name
    assert not (memory_folder() / name).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows the memory has no name in a folder")
def test_what_two_killed_processes_have_left_is_swept_away(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(live_picture, "memory_folder", lambda: tmp_path)
    old, foreign, waiting = (tmp_path / name for name in ("spark-picture-1-a", "other", "spark-picture-1-b"))
    for path in (old, foreign, waiting):
        path.touch()
    for path in (old, foreign):
        os.utime(path, (0, 0))
    memory = make_picture_memory()
    assert {path.name for path in tmp_path.iterdir()} == {foreign.name, waiting.name, memory.name}
    memory.close()
