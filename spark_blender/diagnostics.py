"""The report that a user can send when something goes wrong, without anything private in it. Plain Python, no bpy."""

import getpass
import json
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spark_backend import __version__
from spark_backend.protocol.launch import log_tail

from .job_state import JobState
from .session import Backend

LOG_LINES = 40
KEPT_NAMES = re.compile(r"\.(py|npz|json|jsonl|png|task|so|dll|dylib|whl|txt|exe)$")
"""Endings of file names that tell of the program, not of the person."""
PATH = re.compile(r"""(?<![\w.\])/])(?:[A-Za-z]:[\\/]|\\\\|~?/)[^\n"'`<>|:;,()\[\]{}*?]+""")
"""An absolute path, with blanks inside it, up to a sign that ends it in a sentence."""


@dataclass(frozen=True)
class Private:
    """What must not be in the report, by what stands there instead."""

    texts: Mapping[str, str]


def private_texts(people: Iterable[Path], videos: Iterable[Path], names: Iterable[str]) -> Private:
    """The user's, the computer's and the people's names, those of the clips' files and those of clips and takes."""
    texts = dict.fromkeys(names, "<clip>")
    for number, video in enumerate(videos, 1):
        texts |= {video.name: f"<clip {number}>", video.stem: f"<clip {number}>"}
    for number, folder in enumerate(people, 1):
        texts |= {folder.name: f"<person {number}>", folder.stem: f"<person {number}>"}
    texts |= dict.fromkeys((user_name(), Path.home().name), "<user>")
    texts |= {platform.node(): "<computer>"}
    return Private({text: stand_in for text, stand_in in texts.items() if text})


def user_name() -> str:
    """The name that the user goes by on this computer; empty where the system does not tell."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def scrub(text: str, private: Private) -> str:
    """The text without private names and without any absolute path: of a path stays the kind of place it leads to."""
    text = PATH.sub(lambda found: shorten(found[0]), text)
    for secret in sorted(private.texts, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", private.texts[secret], text, flags=re.IGNORECASE)
    return text


def shorten(path: str) -> str:
    """What is left of a path: the name of a program's own file, else that there was one."""
    name = re.split(r"[\\/]", path.strip())[-1]
    return f"<path>/{name}" if KEPT_NAMES.search(name) else "<path>"


def write_report(
    blender: Mapping[str, str],
    backend: Backend,
    checks: Sequence[Mapping[str, Any]],
    jobs: Mapping[str, JobState | None],
    private: Private,
) -> str:
    """The whole report."""
    lines = [
        f"SPARK {__version__} in Blender {', '.join(f'{name} {value}' for name, value in blender.items())}",
        f"{platform.system()} {platform.release()} {platform.machine()}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores",
        f"Backend: {backend.status}, {backend.message}",
        *(f"  {row.get('what')}: {row.get('state')}, {row.get('detail')}" for row in checks),
    ]
    for kind, state in jobs.items():
        lines += describe_job(kind, state) if state is not None else []
    return "\n".join(scrub(line, private) for line in lines) + "\n"


def describe_job(kind: str, state: JobState) -> list[str]:
    """One job: what was asked for, how it ended, its last words."""
    return [
        "",
        f"Job {kind}: {state.command}, {state.status} at {100 * state.fraction:.0f} % of {state.stage!r}",
        f"Options: {json.dumps(dict(state.options), default=str, ensure_ascii=False)}",
        *([f"Message: {state.message}"] if state.message else []),
        *(f"Warning: {warning}" for warning in state.warnings),
        "Log:",
        *(f"  {line}" for line in log_tail(state.folder, LOG_LINES)),
    ]
