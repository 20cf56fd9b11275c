"""Live Link Face, the iPhone app: its angles and its packets. See docs/formats/exports.md and docs/formats/live.md."""

import struct
from dataclasses import dataclass

import numpy as np

from .names import ARKIT_52
from .placement import WORLD_FROM_CAMERA_QUATERNION
from .posing import axis_quaternion, multiply_quaternions, quaternion_to_matrix
from .take import Take

ANGLES = tuple(f"{part}{angle}" for part in ("Head", "LeftEye", "RightEye") for angle in ("Yaw", "Pitch", "Roll"))
# Signs of the app's yaw, pitch and roll against turns about +Z, +X and +Y of the avatar. The eyes' follow from two real
# recordings, in which they are straight lines of the look weights (0.6 rad at weight 1); the head's are the other way
# round: it compensates the eyes' in a recording whose subject keeps looking at the phone.
HEAD_SIGNS = np.array([1.0, -1.0, -1.0])
EYE_SIGNS = -HEAD_SIGNS

# Packets carry the weights in the order of Unreal's EARFaceBlendShape, in which left comes before right throughout; the
# app's CSV, whose order is ours, has jaw and mouth the other way round.
SWAPPED = {"jawRight": "jawLeft", "jawLeft": "jawRight", "mouthRight": "mouthLeft", "mouthLeft": "mouthRight"}
PACKET_ORDER = tuple(SWAPPED.get(name, name) for name in ARKIT_52)
TO_PACKET = [ARKIT_52.index(name) for name in PACKET_ORDER]
VERSION = 6
COUNT = len(ARKIT_52) + len(ANGLES)
HEAD = struct.Struct("<i37s")
"""Version, little-endian; the device: `$` and a UUID as text."""
LENGTH = struct.Struct(">i")
TIME = struct.Struct(">ifiib")
"""Frame, part of a frame, rate, its denominator, count of the numbers that follow."""
LONGEST_NAME = 256


@dataclass(frozen=True)
class LiveLinkPacket:
    """One frame of a stream."""

    device: str
    subject: str
    frame: int
    part: float
    """Of a frame, in [0, 1)."""
    rate: float
    """Frames a second."""
    weights: np.ndarray
    """(52,) in the order of `ARKIT_52`."""
    angles: np.ndarray
    """(9,) radians, see `ANGLES`."""


def encode_packet(packet: LiveLinkPacket) -> bytes:
    """The UDP packet, as the app sends it. The rate is rounded to whole frames a second."""
    subject = packet.subject.encode()
    values = np.concatenate([packet.weights[TO_PACKET], packet.angles]).astype(">f4")
    return b"".join(
        (
            HEAD.pack(VERSION, packet.device.encode("ascii")),
            LENGTH.pack(len(subject)),
            subject,
            TIME.pack(packet.frame, packet.part, max(round(packet.rate), 1), 1, COUNT),
            values.tobytes(),
        )
    )


def decode_packet(data: bytes) -> LiveLinkPacket | None:
    """A packet of the app; None when it says that it sees no face. `ValueError` for what is no such packet."""
    try:
        version, device = HEAD.unpack_from(data)
        (length,) = LENGTH.unpack_from(data, HEAD.size)
        start = HEAD.size + LENGTH.size + length
        if version != VERSION or not 0 <= length <= LONGEST_NAME or start > len(data):
            raise ValueError("not a packet of version 6")
        subject = data[HEAD.size + LENGTH.size : start].decode()
        if len(data) < start + TIME.size:
            return None
        frame, part, rate, denominator, count = TIME.unpack_from(data, start)
        if count != COUNT or len(data) != start + TIME.size + 4 * COUNT:
            raise ValueError(f"{count} numbers, not {COUNT}")
        numbers = np.frombuffer(data, ">f4", COUNT, start + TIME.size)
        if not np.isfinite(numbers).all() or rate < 1 or denominator < 1:
            raise ValueError("numbers that are none")
        values = numbers.astype(float)
    except (struct.error, UnicodeDecodeError) as error:
        raise ValueError(str(error)) from error
    weights = np.empty(len(ARKIT_52))
    weights[TO_PACKET] = values[: len(ARKIT_52)]
    return LiveLinkPacket(
        device.decode("ascii", "replace"), subject, frame, part, rate / denominator, weights, values[len(ARKIT_52) :]
    )


def livelink_angles(take: Take) -> np.ndarray:
    """(T, 9) radians: yaw, pitch and roll of head, left and right eye in the app's signs."""
    return angles_of(take.head_rotation, take.eye_left, take.eye_right)


def angles_of(head_rotation: np.ndarray, eye_left: np.ndarray, eye_right: np.ndarray) -> np.ndarray:
    """(T, 9) radians from a take's rotations (T, 4)."""
    head = multiply_quaternions(WORLD_FROM_CAMERA_QUATERNION, head_rotation)
    parts = ((head, HEAD_SIGNS), (eye_left, EYE_SIGNS), (eye_right, EYE_SIGNS))
    return np.concatenate([yaw_pitch_roll(rotation) * signs for rotation, signs in parts], axis=1)


def head_from_angles(angles: np.ndarray) -> np.ndarray:
    """(4,) wxyz, avatar axes to camera axes, of a head's yaw, pitch and roll (3,) in the app's signs."""
    yaw, pitch, roll = np.split(angles * HEAD_SIGNS, 3)
    nod = multiply_quaternions(axis_quaternion(0, pitch), axis_quaternion(1, roll))
    to_camera = WORLD_FROM_CAMERA_QUATERNION * np.array([1.0, -1.0, -1.0, -1.0])
    return multiply_quaternions(to_camera, multiply_quaternions(axis_quaternion(2, yaw), nod))[0]


def yaw_pitch_roll(rotation: np.ndarray) -> np.ndarray:
    """(T, 4) wxyz to (T, 3) radians about +Z, +X and +Y of the avatar, R = Rz(yaw) Rx(pitch) Ry(roll)."""
    m = quaternion_to_matrix(rotation)
    yaw = np.arctan2(-m[:, 0, 1], m[:, 1, 1])
    pitch = np.arcsin(np.clip(m[:, 2, 1], -1, 1))
    roll = np.arctan2(-m[:, 2, 0], m[:, 2, 2])
    return np.stack([yaw, pitch, roll], axis=1)
