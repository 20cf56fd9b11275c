"""Names of this computer's cameras, where the system tells them without a library. Plain Python, no bpy."""

import sys
from pathlib import Path


def camera_name(number: int, root: Path = Path("/sys/class/video4linux")) -> str:
    """What the camera of that number is called; empty where that is not known."""
    if not sys.platform.startswith("linux"):
        return ""
    try:
        return (root / f"video{number}" / "name").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
