"""Where backend environments are found, and what a check of one says in words. Plain Python, no bpy."""

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spark_backend import __version__
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.launch import environment_python

from .session import Backend
from .setup.state import read_state

PIP_REMEDY = re.compile(r"run `pip install [^`]*`")
VARIABLE = "SPARK_BACKEND"
"""Environment variable with the path of a backend environment."""


def data_folder() -> Path:
    """Where SPARK keeps what a user's Blenders share: outside the extension, whose folder Blender deletes."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "spark"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "spark"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "spark"


def job_parent() -> Path:
    """Where jobs go that belong to no project."""
    return Path(tempfile.gettempdir()) / "spark-jobs"


def likely_environments() -> Iterator[Path]:
    """Where an environment may be when the user has named none, the likeliest first."""
    if os.environ.get(VARIABLE):
        yield Path(os.environ[VARIABLE])
    yield data_folder() / "environment"
    if program := shutil.which("spark"):
        yield Path(program).parent
        yield Path(program).parent.parent
    yield Path(__file__).resolve().parents[1] / ".venv"  # a checkout of the source


def find_backend(chosen: str) -> Backend:
    """The environment that the user has chosen, or the first likely one that has a Python."""
    if chosen:
        try:
            return known_backend(environment_python(Path(chosen)), "Not checked yet")
        except SparkError as error:
            return Backend(None, "broken", str(error))
    for folder in likely_environments():
        try:
            python = environment_python(folder)
        except SparkError:
            continue
        return known_backend(python, f"Found in {python.parent.parent}")
    return Backend(None, "missing", "No backend found; set it up or choose its environment")


def known_backend(python: Path, message: str) -> Backend:
    """What is known of an environment that has a Python: usable as far as can be told, or half set up."""
    state = read_state(python.parent.parent)
    if state is not None and not state.finished:
        return Backend(None, "missing", "The backend is set up in part; press Set Up Backend to go on")
    return Backend(python, "unchecked", message)


def describe_check(result: Mapping[str, Any]) -> tuple[str, str]:
    """Status and line about a backend, from the result of its `doctor`."""
    if not result.get("ready", True):
        faults = [check for check in result.get("checks", ()) if check.get("state") != "ok"]
        first = f": {faults[0].get('what')}, {faults[0].get('detail')}" if faults else ""
        return "broken", f"Not ready{first}"
    version, device = result.get("spark", ""), str(result.get("device") or "")
    differs = "" if version == __version__ else f"the add-on is {__version__}, update the older one"
    return "ready", "Ready: " + ", ".join(part for part in (f"SPARK {version}", device, differs) if part)


def describe_row(row: Mapping[str, Any]) -> str:
    """One row of a check in words; what the command line would have the user type is done by buttons here."""
    what, detail = str(row.get("what", "")), str(row.get("detail", ""))
    if row.get("state") == "ok":
        return f"{what} {detail}"
    if "spark models get" in detail:
        return f"{what} is missing; get it under Models"
    return f"{what} is {row.get('state')}: {PIP_REMEDY.sub('press Repair', detail)}"


def describe_failure(python: Path | None, message: str) -> str:
    """One sentence about a backend whose check has failed."""
    if "No module named" in message and "spark_backend" in message:
        return f"{python}: SPARK is not installed there; install it or choose another environment"
    return message
