"""Cameras of this computer by name, and why one of them cannot be opened."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2

from ..protocol.errors import SparkError

BACKENDS = {"win32": (cv2.CAP_MSMF, cv2.CAP_DSHOW), "darwin": (cv2.CAP_AVFOUNDATION,)}
"""OpenCV's ways to cameras on each system, the one that it prefers first; V4L2 on all others. Programs that make up a
camera, such as OBS, are often seen by DirectShow only.
"""
BACKEND_STEP = 100
"""Numbers of OpenCV's backends are multiples of it: 1402 is the third camera of Media Foundation."""
ALLOW = {
    "darwin": "System Settings > Privacy & Security > Camera",
    "win32": "Settings > Privacy & security > Camera",
}
"""Where a system keeps who may use cameras."""

Enumerate = Callable[[int], Iterable[Any]]
"""`cv2_enumerate_cameras.enumerate_cameras`: a backend's cameras, each with `index` and `name`."""


@dataclass(frozen=True)
class Device:
    """One camera."""

    number: int
    """What OpenCV opens."""
    name: str
    """No two cameras have the same."""


def list_cameras(enumerate_cameras: Enumerate | None = None, system: str = sys.platform) -> list[Device]:
    """The cameras, those of the same name numbered; `SparkError` without the library that knows them."""
    look = library() if enumerate_cameras is None else enumerate_cameras
    found: list[Device] = []
    for backend in BACKENDS.get(system, (cv2.CAP_V4L2,)):
        known = {device.name for device in found}
        seen = sorted(((camera.index, camera.name) for camera in look(backend)), key=lambda camera: camera[0])
        first = backend if len(BACKENDS.get(system, ())) > 1 else 0
        found += [Device(first + index, name) for index, name in numbered(seen) if name not in known]
    return found


def library() -> Enumerate:
    """The library that lists cameras."""
    try:
        from cv2_enumerate_cameras import enumerate_cameras
    except ImportError as error:
        raise SparkError(
            "Cameras are known by number only: run `pip install cv2-enumerate-cameras` for their names"
        ) from error
    return enumerate_cameras


def numbered(cameras: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    """The same with names told apart: `Webcam`, `Webcam (2)`."""
    times: dict[str, int] = {}
    result = []
    for index, name in cameras:
        times[name] = times.get(name, 0) + 1
        result.append((index, name if times[name] == 1 else f"{name} ({times[name]})"))
    return result


def find_camera(wanted: str, devices: Sequence[Device]) -> Device:
    """The camera of that name, or the only one whose name contains it; upper and lower case are the same."""
    low = wanted.strip().casefold()
    exact = [device for device in devices if device.name.casefold() == low]
    near = exact or [device for device in devices if low in device.name.casefold()]
    if len(near) == 1:
        return near[0]
    if near:
        raise SparkError(f"{wanted}: may be {' or '.join(d.name for d in near)}; write more of the name")
    there = ", ".join(device.name for device in devices) or "none at all"
    raise SparkError(f"{wanted}: no camera of that name, and no video; the cameras are: {there}")


def why_not(number: int, system: str = sys.platform, devices: Path = Path("/dev")) -> str:
    """Why a camera of this computer cannot be opened, as far as the system tells."""
    if system.startswith("linux"):
        device = devices / f"video{number % BACKEND_STEP}"
        if not device.exists():
            return "not there; plug it in or choose another"
        if not os.access(device, os.R_OK | os.W_OK):
            return f"no permission for {device}; add yourself to the group `video` and log in again"
        return "cannot be opened; close the program that uses it, or choose another"
    allow = ALLOW.get(system, "the system's settings")
    return (
        f"cannot be opened; plug it in, close the program that uses it, and allow cameras to desktop "
        f"programs in {allow}"
    )
