"""What Blender tells the live backend: one JSON object a line, to its stdin. See docs/formats/live.md."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from .live import from_content


@dataclass(frozen=True)
class Calibrate:
    """Take the face of the next second for the resting one."""

    seconds: float = 1.0


@dataclass(frozen=True)
class ForgetCalibration:
    """Go back to the face as it is seen."""


@dataclass(frozen=True)
class Adjust:
    """How the performance is handed on."""

    strength: float = 1.0
    """Of all expressions."""
    strengths: Mapping[str, float] = field(default_factory=dict)
    """Of single expressions, by name, on top."""
    smoothing: float = 0.5
    """0 none, 0.5 as a rule, 1 the most."""


@dataclass(frozen=True)
class StartRecording:
    """Record a take, after counting down."""

    name: str
    count_in: float = 0.0
    """Seconds."""
    video: bool = False
    """Keep the picture too."""
    sound: bool = False
    """Keep the sound of the computer's microphone too."""


@dataclass(frozen=True)
class StopRecording:
    """End the recording and make a take of it; also ends a countdown."""


@dataclass(frozen=True)
class Pause:
    """Stop tracking and hold the pose, or go on."""

    paused: bool = True


@dataclass(frozen=True)
class Restart:
    """Open the camera anew; a file starts from its beginning."""


@dataclass(frozen=True)
class Stop:
    """End."""


LiveCommand = Calibrate | ForgetCalibration | Adjust | StartRecording | StopRecording | Pause | Restart | Stop
COMMANDS = {
    kind.__name__: kind
    for kind in (Calibrate, ForgetCalibration, Adjust, StartRecording, StopRecording, Pause, Restart, Stop)
}


def encode_command(command: LiveCommand) -> bytes:
    """One line, with its end."""
    return json.dumps({"command": type(command).__name__, **asdict(command)}).encode() + b"\n"


def decode_command(line: bytes) -> LiveCommand | None:
    """The command of a line; None for what is not understood."""
    try:
        content = json.loads(line)
        return from_content(COMMANDS[content.pop("command")], content)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
