"""What the live backend tells Blender. See docs/formats/live.md.

The backend writes records to its stdout: a prefix, a JSON header, raw little-endian float32. Kinds and keys that are
not known are ignored, here and in the commands that come back (`live_commands`).
"""

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from .names import ARKIT_52

PREFIX = struct.Struct("<4sII")
"""Mark, bytes of the header, bytes of the payload."""
MARK = b"SPRK"
LARGEST_PART = 1 << 24
"""Bytes; a longer header or payload is none of ours."""

POSE_PARTS = (
    ("weights", len(ARKIT_52)),
    ("head_rotation", 4),
    ("head_translation", 3),
    ("neck", 4),
    ("jaw", 4),
    ("eye_left", 4),
    ("eye_right", 4),
)
POSE_SIZE = sum(width for _, width in POSE_PARTS)


@dataclass(frozen=True)
class LivePose:
    """What the head does at one moment, in the terms of a take's row."""

    weights: np.ndarray
    """(52,) in [0, 1], in the order of `ARKIT_52`."""
    head_rotation: np.ndarray
    """(4,) unit wxyz, avatar axes to camera axes."""
    head_translation: np.ndarray
    """(3,) metres, camera axes."""
    neck: np.ndarray
    """(4,) wxyz, like the three below in the avatar's axes about its joint."""
    jaw: np.ndarray
    eye_left: np.ndarray
    eye_right: np.ndarray

    def vector(self) -> np.ndarray:
        """(75,) all of it, in the order of `POSE_PARTS`."""
        return np.concatenate([getattr(self, name) for name, _ in POSE_PARTS])


def pose_from_vector(vector: np.ndarray) -> LivePose:
    """The inverse of `LivePose.vector`; `ValueError` for another length."""
    if vector.shape != (POSE_SIZE,):
        raise ValueError(f"a pose has {POSE_SIZE} numbers, not {vector.shape}")
    return LivePose(*(vector[columns] for columns in POSE_COLUMNS.values()))


def pose_columns() -> dict[str, slice]:
    """Where each part of a pose lies in its vector."""
    columns, start = {}, 0
    for name, width in POSE_PARTS:
        columns[name] = slice(start, start + width)
        start += width
    return columns


POSE_COLUMNS = pose_columns()


@dataclass(frozen=True)
class LiveFrame:
    """One frame of the camera, after tracking."""

    number: int
    """Counts the frames that were tracked."""
    pts: float
    """Seconds since the camera was started, of the moment at which the frame arrived; of a file, its own time."""
    valid: bool
    """Whether the face was seen. Without it the pose is the last one."""
    confidence: float
    latency: float
    """Seconds from the frame's arrival to its pose."""
    rate: float
    """Tracked frames a second, over the last second."""
    dropped: int
    """Frames of the camera so far that were left out because a newer one was there."""
    pose: LivePose
    waited: float = 0.0
    """Of the latency: seconds until the tracker had the picture, decoded."""
    sent: float = 0.0
    """`time.perf_counter()` at which the pose was handed over: a clock that the processes of a computer share."""
    malformed: int = 0
    """Packets so far that were none of the camera's protocol and were passed over."""


@dataclass(frozen=True)
class LiveStatus:
    """What goes on, in words; told whenever it changes."""

    state: str
    """`starting`, `tracking`, `searching`, `paused`, `waiting` (the camera gives nothing) or `ended`."""
    message: str
    """A sentence for people."""
    fault: bool = False
    """Whether the user must do something about it."""


@dataclass(frozen=True)
class LiveCalibration:
    """The resting face is being learnt."""

    done: bool
    message: str


@dataclass(frozen=True)
class LiveRecording:
    """How a recording goes."""

    state: str
    """`counting`, `recording`, `saved`, `failed`, or `recovered`: a take was made of what a crash has left."""
    name: str
    seconds: float = 0.0
    """Left to count, or recorded so far."""
    path: str = ""
    """Of the take, once saved."""
    video: str = ""
    """Of the recorded picture, when one was asked for."""
    message: str = ""
    sound: str = ""
    """Of the file with the recorded sound, when one was asked for."""


LiveRecord = LiveFrame | LiveStatus | LiveCalibration | LiveRecording
TOLD = {kind.__name__: kind for kind in (LiveStatus, LiveCalibration, LiveRecording)}


def encode_record(record: LiveRecord) -> bytes:
    """The bytes of one record."""
    payload = b""
    if isinstance(record, LiveFrame):
        content = {f.name: getattr(record, f.name) for f in fields(record) if f.name != "pose"}
        payload = record.pose.vector().astype("<f4").tobytes()
    else:
        content = asdict(record)
    header = json.dumps({"kind": type(record).__name__, **content}).encode()
    return PREFIX.pack(MARK, len(header), len(payload)) + header + payload


def decode_record(header: bytes, payload: bytes) -> LiveRecord | None:
    """One record; None for a kind that this version does not know. `ValueError` for what is no record."""
    content = json.loads(header)
    if not isinstance(content, dict):
        raise ValueError("the header is no JSON object")
    kind = content.pop("kind", None)
    if kind == "LiveFrame":
        pose = pose_from_vector(np.frombuffer(payload, "<f4").astype(float))
        return from_content(LiveFrame, {**content, "pose": pose})
    return from_content(TOLD[kind], content) if kind in TOLD else None


def from_content(kind: type, content: Mapping[str, Any]) -> Any:
    """A dataclass from its values by name; `ValueError` when one is missing. Unknown names are ignored."""
    try:
        return kind(**{name: value for name, value in content.items() if name in kind.__dataclass_fields__})
    except TypeError as error:
        raise ValueError(str(error)) from error


class RecordStream:
    """Takes bytes as they come and gives the records that they hold.

    What is no record – a library that prints to stdout, a record cut off – is passed over up to the next mark and
    counted.
    """

    def __init__(self) -> None:
        self.skipped = 0
        """Bytes and records that could not be read."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[LiveRecord]:
        """The records that are whole now."""
        self._buffer += data
        records = []
        while (parts := self._next_parts()) is not None:
            try:
                record = decode_record(*parts)
            except (ValueError, KeyError, UnicodeDecodeError):
                self.skipped += 1
                continue
            if record is not None:
                records.append(record)
        return records

    def _next_parts(self) -> tuple[bytes, bytes] | None:
        """Header and payload of the next record; None until it is whole."""
        while True:
            start = self._buffer.find(MARK)
            self._drop(len(self._buffer) - len(MARK) + 1 if start < 0 else start)
            if len(self._buffer) < PREFIX.size or start < 0:
                return None
            _, header, payload = PREFIX.unpack_from(self._buffer)
            if max(header, payload) > LARGEST_PART:
                self._drop(1)
                continue
            end = PREFIX.size + header + payload
            if len(self._buffer) < end:
                return None
            middle = PREFIX.size + header
            parts = bytes(self._buffer[PREFIX.size : middle]), bytes(self._buffer[middle:end])
            del self._buffer[:end]
            return parts

    def _drop(self, count: int) -> None:
        """Passes over bytes at the front."""
        if count > 0:
            self.skipped += count
            del self._buffer[:count]
