"""The job folder: one piece of work asked for by a file, told by an append-only file. See docs/formats/job.md.

`job.json` is the request, `events.jsonl` the story, `log.txt` what the process printed; a file `cancel` stops it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .storage import filesystem_errors, read_json, write_json


@dataclass(frozen=True)
class Progress:
    """How far the job is."""

    stage: str
    """What is being done, for people: "Finding the face in abe_1"."""
    fraction: float
    """Of the whole job, in [0, 1]."""
    eta: float | None = None
    """Seconds left, when it can be told."""


@dataclass(frozen=True)
class Preview:
    """A picture to show while the job goes on."""

    path: str


@dataclass(frozen=True)
class Metric:
    """One figure of the result."""

    name: str
    value: float
    unit: str = ""


@dataclass(frozen=True)
class Warning:
    """A sentence the user should read; the job goes on."""

    message: str


@dataclass(frozen=True)
class Done:
    """The last line of a job that worked. Paths and other results by name."""

    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Failed:
    """The last line of a job that did not."""

    message: str
    kind: str = "user"
    """`user`: a sentence with a remedy; `cancelled`; `internal`: a bug, see log.txt."""


Event = Progress | Preview | Metric | Warning | Done | Failed
EVENTS = {kind.__name__: kind for kind in (Progress, Preview, Metric, Warning, Done, Failed)}

Report = Callable[[Event], None]
"""What a pipeline calls to tell how it goes. It raises `Cancelled` when the user asked to stop."""


@dataclass(frozen=True)
class Job:
    """A request: the command line's verb and its options by name."""

    command: str
    options: Mapping[str, Any] = field(default_factory=dict)


def write_job(folder: Path, job: Job) -> None:
    """Makes the job folder with its request."""
    write_json(folder / "job.json", asdict(job))


def read_job(folder: Path) -> Job:
    """The request of a job folder."""
    content = read_json(folder / "job.json")
    return Job(content["command"], content.get("options", {}))


def encode_event(event: Event) -> str:
    """One line of events.jsonl, without the line's end."""
    return json.dumps({"event": type(event).__name__, **asdict(event)}, ensure_ascii=False)


def decode_event(line: str) -> Event | None:
    """The event of one line; None for a kind that this version does not know. Unknown keys are ignored."""
    content = json.loads(line)
    kind = EVENTS.get(content.pop("event"))
    if kind is None:
        return None
    return kind(**{name: value for name, value in content.items() if name in kind.__dataclass_fields__})


def append_event(folder: Path, event: Event) -> None:
    """Adds one line to the story."""
    with filesystem_errors(folder), open(folder / "events.jsonl", "a", encoding="utf-8") as file:
        file.write(encode_event(event) + "\n")


def read_events(folder: Path, offset: int = 0, limit: int = -1) -> tuple[list[Event], int]:
    """The events from byte `offset` on, and the offset to go on from. A half-written last line is left for later.

    About `limit` bytes are read, all for -1. A line that is no event (a process died while writing it) is a `Warning`.
    """
    path = folder / "events.jsonl"
    if not path.exists():
        return [], offset
    with filesystem_errors(path), open(path, "rb") as file:
        file.seek(offset)
        data = file.read(limit)
        data += b"" if limit < 0 else file.readline()
    whole = data[: data.rfind(b"\n") + 1]
    events = [decode_event_or_warn(line) for line in whole.decode(errors="replace").split("\n")[:-1]]
    return [event for event in events if event is not None], offset + len(whole)


def decode_event_or_warn(line: str) -> Event | None:
    """`decode_event`, with a `Warning` for a line that cannot be read."""
    try:
        return decode_event(line)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Warning("An unreadable line of the backend was skipped")
