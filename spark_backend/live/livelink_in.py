"""An iPhone with Live Link Face as a camera and tracker: its packets, received at the address that the user names."""

import socket
import time

import numpy as np

from ..protocol.avatar import Avatar
from ..protocol.errors import SparkError
from ..protocol.livelink import LiveLinkPacket, decode_packet, head_from_angles
from ..protocol.posing import quaternion_to_matrix
from .camera import Shot
from .streams import host_and_port
from .tracker import Tracked

SCHEME = "livelink://"
PATIENCE = 2.0
"""Seconds without a packet after which the phone has gone."""
LARGEST_PACKET = 2048
DISTANCE = 0.5
"""Metres from the phone at which the head is put: the packets do not say."""


class LiveLinkSource:
    """Packets in place of pictures; what is no packet is counted and passed over."""

    def __init__(self, name: str, started: float) -> None:
        self.address, self.started = name.removeprefix(SCHEME), started
        host, port = host_and_port(self.address)
        try:
            family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
            self.socket = socket.socket(family, kind)
            self.socket.bind(target)
        except OSError as error:
            raise SparkError(
                f"{self.address}: cannot listen there ({error.strerror}); another program may use the port, or the "
                "address is not this computer's"
            ) from error

    def read(self) -> Shot:
        """See `camera.Source`."""
        malformed, deadline = 0, time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                data = self.socket.recv(LARGEST_PACKET)
            except TimeoutError:
                break
            except OSError:  # Windows tells so of a packet that is too long
                malformed += 1
                continue
            arrived = time.perf_counter()
            try:
                packet = decode_packet(data)
            except ValueError:
                malformed += 1
                continue
            return Shot(packet, arrived - self.started, arrived, malformed)
        raise SparkError(f"{self.address}: {silence(malformed)}")

    def close(self) -> None:
        """See `camera.Source`."""
        self.socket.close()


def silence(malformed: int) -> str:
    """What to say of `PATIENCE` seconds without a packet but for so many that were none."""
    if malformed:
        return f"{malformed} packets came, none of Live Link Face; let only the phone's app send to this port"
    return "no packet of Live Link Face comes; start streaming to this computer on the phone"


class LiveLinkTracker:
    """Takes over what the phone has tracked."""

    def __init__(self, avatar: Avatar) -> None:
        self.pivot = np.asarray(avatar.joints[avatar.joint_names.index("head")], float)

    def look(self, content: LiveLinkPacket | None) -> LiveLinkPacket | None:
        """See `LiveTracker`; None when the phone sees no face."""
        return content

    def read(self, sight: LiveLinkPacket | None, seconds: float) -> Tracked | None:
        """See `LiveTracker`."""
        if sight is None:
            return None
        rotation = head_from_angles(sight.angles[:3])
        place = np.array([0.0, 0.0, DISTANCE]) - quaternion_to_matrix(rotation) @ self.pivot
        return Tracked(np.clip(sight.weights, 0, 1), rotation, place, 1.0)

    def forget(self) -> None:
        """See `LiveTracker`."""

    def close(self) -> None:
        """See `LiveTracker`."""
