"""VMC and Live Link Face: bytes against the standard's words and an independent implementation, and nonsense."""

import contextlib
import csv
import socket
import struct
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from toy_avatar import toy_avatar, toy_take

from spark_backend.live import livelink_in
from spark_backend.live.livelink_in import LiveLinkSource, LiveLinkTracker
from spark_backend.live.streams import LiveLink, Sender, Vmc, host_and_port, unity_quaternion
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import LiveFrame, LivePose
from spark_backend.protocol.livelink import (
    ANGLES,
    PACKET_ORDER,
    LiveLinkPacket,
    angles_of,
    decode_packet,
    encode_packet,
    head_from_angles,
)
from spark_backend.protocol.names import ARKIT_52
from spark_backend.protocol.posing import axis_quaternion

DEVICE = "$12345678-1234-1234-1234-123456789abc"


def frame(seed: int = 0, number: int = 7, pts: float = 1.5) -> LiveFrame:
    """A moment in which everything moves."""
    take = toy_take(5, seed=seed + 3)
    parts = ("weights", "head_rotation", "head_translation", "neck", "jaw", "eye_left", "eye_right")
    return LiveFrame(number, pts, True, 1.0, 0.01, 30, 0, LivePose(*(getattr(take, p)[2].astype(float) for p in parts)))


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def osc_messages(packet: bytes) -> list[tuple[str, list]]:
    """A packet by the words of the OSC 1.0 specification, written for this test."""
    if packet[:8] != b"#bundle\0":
        return [osc_message(packet)]
    found, place = [], 16  # after the time tag
    while place < len(packet):
        (size,) = struct.unpack_from(">i", packet, place)
        assert size % 4 == 0
        found += osc_messages(packet[place + 4 : place + 4 + size])
        place += 4 + size
    assert place == len(packet)
    return found


def osc_message(data: bytes) -> tuple[str, list]:
    address, place = osc_string(data, 0)
    tags, place = osc_string(data, place)
    assert tags[0] == ","
    values = []
    for tag in tags[1:]:
        if tag == "s":
            value, place = osc_string(data, place)
        else:
            (value,) = struct.unpack_from({"f": ">f", "i": ">i"}[tag], data, place)
            place += 4
        values.append(value)
    assert place == len(data)
    return address, values


def osc_string(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(b"\0", place)
    after = place + (end - place) // 4 * 4 + 4
    assert not any(data[end:after])
    return data[place:end].decode("ascii"), after


def test_vmc_packets_are_osc_and_say_everything():
    moment = frame()
    packets = Vmc().packets(moment)
    assert max(map(len, packets)) <= 1400
    messages = [message for packet in packets for message in osc_messages(packet)]
    blends = {values[0]: values[1] for address, values in messages if address == "/VMC/Ext/Blend/Val"}
    assert set(blends) == {name[0].upper() + name[1:] for name in ARKIT_52}
    for name, weight in zip(ARKIT_52, moment.pose.weights, strict=True):
        assert blends[name[0].upper() + name[1:]] == pytest.approx(weight, abs=1e-6)
    assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])
    assert messages[0] == ("/VMC/Ext/OK", [1])
    bones = {values[0]: values[1:] for address, values in messages if address == "/VMC/Ext/Bone/Pos"}
    assert set(bones) == {"Neck", "Jaw", "LeftEye", "RightEye"}
    np.testing.assert_allclose(bones["Jaw"][3:], unity_quaternion(moment.pose.jaw), atol=1e-6)
    assert all(np.linalg.norm(values[3:]) == pytest.approx(1, abs=1e-5) for values in bones.values())


def test_vmc_is_received_by_oscpy():
    """Over a real socket, by another implementation of OSC than the one that wrote it."""
    server = pytest.importorskip("oscpy.server", reason="oscpy is not installed")
    received, over = [], threading.Event()

    def note(address: bytes, *values) -> None:
        received.append((address.decode(), [v.decode() if isinstance(v, bytes) else v for v in values]))
        if address.endswith(b"/Apply"):
            over.set()

    listener = server.OSCThreadServer(default_handler=note)
    socket_there = listener.listen("127.0.0.1", port=0, default=True)
    sender, moment = Sender(Vmc(), f"127.0.0.1:{socket_there.getsockname()[1]}"), frame()
    try:
        sender.send(moment)
        assert over.wait(5)
    finally:
        sender.close()
        listener.terminate_server()
        listener.join_server(5)
        socket_there.close()
    sent = [message for packet in Vmc().packets(moment) for message in osc_messages(packet)]
    assert [address for address, _ in received] == [address for address, _ in sent]
    blends = {values[0]: values[1] for address, values in received if address == "/VMC/Ext/Blend/Val"}
    for name, weight in zip(ARKIT_52, moment.pose.weights, strict=True):
        assert blends[name[0].upper() + name[1:]] == pytest.approx(weight, abs=1e-6)


@pytest.mark.parametrize(
    ("axis", "unity"),
    [
        (2, (0, -1, 0)),  # to the subject's left: in Unity's left-handed axes against +Y
        (0, (1, 0, 0)),  # down: +X there too, for the character's face looks along +Z
        (1, (0, 0, 1)),
    ],
)
def test_turns_in_unitys_axes(axis: int, unity: tuple[int, int, int]):
    x, y, z, w = unity_quaternion(axis_quaternion(axis, np.array(0.4)))
    np.testing.assert_allclose([x, y, z], np.array(unity) * np.sin(0.2), atol=1e-12)
    assert w == pytest.approx(np.cos(0.2))


def test_unitys_rotation_is_ours_seen_in_a_mirror():
    """The matrix of the quaternion, applied in Unity's axes, moves a point as ours does in ours."""
    from spark_backend.protocol.posing import quaternion_to_matrix

    to_unity = np.array([[-1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
    for seed in range(4):
        rotation = frame(seed).pose.neck
        x, y, z, w = unity_quaternion(rotation)
        theirs = quaternion_to_matrix(np.array([w, x, y, z]))  # the formula is the same in either hand
        np.testing.assert_allclose(theirs @ to_unity, to_unity @ quaternion_to_matrix(rotation), atol=1e-9)


def test_live_link_packets_are_read_by_pylivelinkface():
    pylivelinkface = pytest.importorskip("pylivelinkface", reason="pylivelinkface is not installed")
    moment = frame()
    (packet,) = LiveLink("Anna").packets(moment)
    there, face = pylivelinkface.PyLiveLinkFace.decode(packet)
    assert there
    assert (face.name, face.fps, face._frames) == ("Anna", 60, 90)
    for index, name in enumerate(ARKIT_52):
        shape = pylivelinkface.FaceBlendShape[name[0].upper() + name[1:]]
        assert face.get_blendshape(shape) == pytest.approx(moment.pose.weights[index], abs=1e-6)
    angles = angles_of(moment.pose.head_rotation[None], moment.pose.eye_left[None], moment.pose.eye_right[None])[0]
    for name, angle in zip(ANGLES, angles, strict=True):
        assert face.get_blendshape(pylivelinkface.FaceBlendShape[name]) == pytest.approx(angle, abs=1e-6)


def test_packets_of_pylivelinkface_are_read():
    pylivelinkface = pytest.importorskip("pylivelinkface", reason="pylivelinkface is not installed")
    face = pylivelinkface.PyLiveLinkFace("Phone", fps=60)
    for index, shape in enumerate(pylivelinkface.FaceBlendShape):
        face.set_blendshape(shape, index / 61, no_filter=True)
    packet = decode_packet(face.encode())
    assert packet.subject == "Phone"
    for index, name in enumerate(ARKIT_52):
        shape = pylivelinkface.FaceBlendShape[name[0].upper() + name[1:]]
        assert packet.weights[index] == pytest.approx(shape.value / 61, abs=1e-6)
    np.testing.assert_allclose(packet.angles, np.arange(52, 61) / 61, atol=1e-6)


@pytest.mark.shared
def test_a_real_stream_survives_the_packet(shared_data: Path):
    """A recorded ARKit stream, packed as the app packs it, sent and tracked: its weights and angles come back.

    The recording was unpacked by others; its raw packets are not public, so this does not prove the layout.
    """
    with open(shared_data / "expressions" / "livelink_dao_60fps.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[4:56] == tuple(name[0].upper() + name[1:] for name in PACKET_ORDER)
    tracker = LiveLinkTracker(toy_avatar())
    for row in rows[::7]:
        weights = np.array([float(row[name[0].upper() + name[1:]]) for name in ARKIT_52])
        angles = np.array([float(row[name]) for name in ANGLES])
        rate = int(row["rate_num"]) / int(row["rate_den"])
        sent = LiveLinkPacket(DEVICE, "dao", int(row["frame_number"]), float(row["sub_frame"]), rate, weights, angles)
        tracked = tracker.read(tracker.look(decode_packet(encode_packet(sent))), 0.0)
        np.testing.assert_allclose(tracked.weights, np.clip(weights, 0, 1), atol=1e-6)
        again = angles_of(tracked.rotation[None], tracked.rotation[None], tracked.rotation[None])[0, :3]
        np.testing.assert_allclose(again, angles[:3], atol=1e-6)


def test_head_angles_go_there_and_back():
    for seed in range(5):
        angles = np.random.default_rng(seed).uniform(-0.8, 0.8, 3)
        rotation = head_from_angles(angles)
        np.testing.assert_allclose(angles_of(*[rotation[None]] * 3)[0, :3], angles, atol=1e-9)


@given(some.binary(max_size=400))
def test_nonsense_is_refused_without_harm(data: bytes):
    try:
        packet = decode_packet(data)
    except ValueError:
        return
    assert packet is None


@given(some.integers(0, 324), some.integers(0, 255))
def test_a_spoilt_packet_gives_a_packet_or_an_error(place: int, value: int):
    (good,) = LiveLink("Anna").packets(frame())
    spoilt = bytearray(good)
    spoilt[min(place, len(good) - 1)] = value
    try:
        packet = decode_packet(bytes(spoilt))
    except ValueError:
        return
    assert packet is None or np.isfinite(packet.weights).all()


def test_a_phone_is_received_and_malformed_packets_are_counted():
    port = free_port()
    source = LiveLinkSource(f"livelink://127.0.0.1:{port}", 0.0)
    sender = Sender(LiveLink("Anna"), f"127.0.0.1:{port}")
    try:
        sender.socket.send(b"nonsense")
        sender.socket.send(b"\x06\0\0\0" + b"\xff" * 60)
        moment = frame()
        sender.send(moment)
        shot = source.read()
        np.testing.assert_allclose(shot.content.weights, moment.pose.weights, atol=1e-6)
        assert shot.malformed == 2
    finally:
        sender.close()
        source.close()


@pytest.mark.parametrize(("noise", "told"), [(0, "no packet"), (3, "3 packets came, none of Live Link Face")])
def test_a_phone_that_is_silent_or_sends_nonsense_is_told_in_time(noise: int, told: str, monkeypatch):
    monkeypatch.setattr(livelink_in, "PATIENCE", 0.2)
    source = LiveLinkSource(f"livelink://127.0.0.1:{free_port()}", 0.0)
    with contextlib.closing(source), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(noise):
            sender.sendto(b"nonsense", source.socket.getsockname())
        begun = time.monotonic()
        with pytest.raises(SparkError, match=told):
            source.read()
        assert time.monotonic() - begun < 1


def test_a_taken_port_and_a_wrong_address_are_told_in_words():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(SparkError, match="cannot listen there"):
            LiveLinkSource(f"livelink://127.0.0.1:{taken.getsockname()[1]}", 0.0)
    for address in ("localhost", "127.0.0.1:", ":39539", "127.0.0.1:99999", "127.0.0.1:x"):
        with pytest.raises(SparkError, match="HOST:PORT"):
            host_and_port(address)
    assert host_and_port("[::1]:11111") == ("::1", 11111)


def test_nobody_listening_is_counted():
    port = free_port()
    sender = Sender(Vmc(), f"127.0.0.1:{port}")
    for number in range(3):
        sender.send(frame(number=number))
    sender.close()
    assert sender.refused > 0
