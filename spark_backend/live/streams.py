"""Performances sent to other programs over UDP: VMC (VRM's motion capture protocol over OSC) and Live Link Face.

Nothing is sent unless the user names where to. What cannot be sent is counted and forgotten: the next frame matters
more.
"""

import socket
import uuid
from typing import Protocol, runtime_checkable

import numpy as np
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from ..protocol.errors import SparkError
from ..protocol.live import LiveFrame
from ..protocol.livelink import LiveLinkPacket, angles_of, encode_packet
from ..protocol.names import ARKIT_52

PART = 16
"""OSC messages in a packet: about a kilobyte, which no network takes apart."""
RATE = 60.0
"""Frames a second of Live Link's frame numbers, as the app has it."""
BONES = {"neck": "Neck", "jaw": "Jaw", "eye_left": "LeftEye", "eye_right": "RightEye"}
"""Unity's names (HumanBodyBones), which VMC uses."""


@runtime_checkable
class Stream(Protocol):
    """Where a performance goes besides Blender."""

    def packets(self, frame: LiveFrame) -> list[bytes]:
        """The UDP packets of one frame."""


class Vmc:
    """VMC Protocol 2.x, "Marionette" to "Performer": 52 blend shapes by ARKit's names, neck, jaw and eyes as bones."""

    def packets(self, frame: LiveFrame) -> list[bytes]:
        """See `Stream`."""
        pose = frame.pose
        messages = [message("/VMC/Ext/OK", int(frame.valid)), message("/VMC/Ext/T", float(frame.pts))]
        for joint, bone in BONES.items():
            turn = unity_quaternion(getattr(pose, joint))
            messages.append(message("/VMC/Ext/Bone/Pos", bone, 0.0, 0.0, 0.0, *turn))
        for name, weight in zip(ARKIT_52, pose.weights.tolist(), strict=True):
            messages.append(message("/VMC/Ext/Blend/Val", name[0].upper() + name[1:], weight))
        messages.append(message("/VMC/Ext/Blend/Apply"))
        return [bundle(messages[start : start + PART]) for start in range(0, len(messages), PART)]


class LiveLink:
    """What Epic's app Live Link Face sends to Unreal."""

    def __init__(self, subject: str) -> None:
        self.subject, self.device = subject, f"${uuid.uuid1()}"

    def packets(self, frame: LiveFrame) -> list[bytes]:
        """See `Stream`."""
        pose, position = frame.pose, frame.pts * RATE
        angles = angles_of(pose.head_rotation[None], pose.eye_left[None], pose.eye_right[None])[0]
        number = int(position)
        packet = LiveLinkPacket(self.device, self.subject, number, position - number, RATE, pose.weights, angles)
        return [encode_packet(packet)]


class Sender:
    """Sends a stream's packets to one address."""

    def __init__(self, stream: Stream, address: str) -> None:
        self.stream, self.refused = stream, 0
        host, port = host_and_port(address)
        try:
            family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self.socket = socket.socket(family, kind)
            self.socket.setblocking(False)
            self.socket.connect(target)
        except OSError as error:
            raise SparkError(f"{address}: cannot be reached ({error.strerror}); check the address") from error

    def send(self, frame: LiveFrame) -> None:
        """Sends one frame, or counts what could not be sent."""
        for packet in self.stream.packets(frame):
            try:
                self.socket.send(packet)
            except OSError:  # nobody listens there, or the network is busy
                self.refused += 1

    def close(self) -> None:
        """Lets go of the socket."""
        self.socket.close()


def host_and_port(address: str) -> tuple[str, int]:
    """The two parts of `HOST:PORT`."""
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise SparkError(f"{address}: not an address; write HOST:PORT, as in 127.0.0.1:39539")
    return host.strip("[]"), int(port)


def unity_quaternion(rotation: np.ndarray) -> list[float]:
    """(4,) wxyz in the avatar's axes to x, y, z, w in Unity's, which are left-handed with +Y up and +Z out of the face.

    Unity's axes are (-x, z, -y) of ours; the change of hand turns the axis of a rotation round once more.
    """
    w, x, y, z = np.asarray(rotation, float).tolist()
    return [x, -z, y, w]


def message(address: str, *values: float | int | str):
    """One OSC message; floats are single."""
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


def bundle(messages: list) -> bytes:
    """One packet of several messages, to be acted on at once."""
    builder = OscBundleBuilder(IMMEDIATELY)
    for content in messages:
        builder.add_content(content)
    return builder.build().dgram
