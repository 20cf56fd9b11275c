"""`spark cameras`: the cameras of this computer."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from ..live.devices import list_cameras
from ..protocol.job import Report, Warning
from .options import CamerasOptions


def cameras(options: CamerasOptions, report: Report) -> Mapping[str, Any]:
    """Number and name of each camera, in `cameras`."""
    found = list_cameras()
    if not found:
        report(Warning("No camera is there; plug one in"))
    return {"cameras": [asdict(device) for device in found]}
