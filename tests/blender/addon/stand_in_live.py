"""A live backend that films nothing: it plays a take over and over. What else it does is chosen by `--camera`.

Frames, commands, picture and recordings go the real way, through `spark_backend.protocol`.
"""

import os
import sys
import threading
import time
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np

from spark_backend.protocol import live as words
from spark_backend.protocol import live_commands as orders
from spark_backend.protocol.live import LiveFrame, LiveRecording, LiveStatus, encode_record, pose_from_vector
from spark_backend.protocol.live_picture import open_picture_memory
from spark_backend.protocol.live_recording import RecordingHeader, RecordingWriter, finish_recording
from spark_backend.protocol.take import load_take

HERE = Path(__file__).parent
INTERVAL = 1 / 60


def live(arguments):
    """`spark live` with these arguments."""
    camera = arguments[arguments.index("--camera") + 1]
    if camera == "99":
        sys.stderr.write("camera 99: not there; plug it in or choose another number\n")
        return 1
    memory = open_picture_memory(arguments[arguments.index("--picture-memory") + 1])
    commands = []
    threading.Thread(target=listen, args=(commands,), daemon=True).start()
    return play(Path(arguments[0]), memory, commands)


def listen(commands):
    for line in sys.stdin.buffer:
        commands.append(orders.decode_command(line))
        with open(Path.cwd() / "commands.txt", "ab") as file:
            file.write(line)
    commands.append(orders.Stop())
    time.sleep(1.5)
    os._exit(1)


def play(project, memory, commands):
    take = load_take(HERE / "take.npz")
    vectors = np.concatenate([np.asarray(getattr(take, n), float) for n, _ in words.POSE_PARTS], axis=1)
    tell(LiveStatus("tracking", "Tracking"))
    writer, number, held, paused = None, 0, None, False
    while True:
        for command in [commands.pop(0) for _ in range(len(commands))]:
            if isinstance(command, orders.Stop):
                save(project, writer)
                return 0
            if isinstance(command, orders.Pause):
                paused = command.paused
                tell(LiveStatus(*(("paused", "Paused") if paused else ("tracking", "Tracking"))))
            if isinstance(command, orders.Calibrate):
                tell(words.LiveCalibration(True, "Calibrated"))
            if isinstance(command, orders.Restart):
                held = 0  # the tests look at one pose
            if isinstance(command, orders.StartRecording):
                sound = write_tone(project / "tone.wav") if command.sound else ""
                header = RecordingHeader(command.name, (640, 480), 960.0, "0", "stand-in", False, sound=sound)
                writer = RecordingWriter(project / "takes" / f"{command.name}.live", header)
                tell(LiveRecording("recording", command.name))
            if isinstance(command, orders.StopRecording):
                writer = save(project, writer)
        if not paused:
            number += 1
            row = number % len(vectors) if held is None else held
            seen = number, number / 30, True, 1.0, 0.012, 60.0, 0, pose_from_vector(vectors[row])
            frame = LiveFrame(*seen, waited=0.004, sent=time.perf_counter(), malformed=2)
            tell(frame)
            memory.write(np.full((90, 160, 3), number % 256, np.uint8))
            if writer is not None:
                writer.add(frame.pts, True, 1.0, frame.pose)
        time.sleep(INTERVAL)


def save(project, writer):
    if writer is not None:
        writer.close()
        path = finish_recording(writer.path, writer.path.with_suffix(".npz"))
        tell(replace(LiveRecording("saved", path.stem, writer.last), path=str(path), sound=writer.header.sound))


def write_tone(path):
    """A second of sound, as WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((9000 * np.sin(np.arange(16000))).astype("<i2").tobytes())
    return str(path)


def tell(record):
    sys.stdout.buffer.write(encode_record(record))
    sys.stdout.buffer.flush()
