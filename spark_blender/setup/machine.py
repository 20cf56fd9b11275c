"""What the machine has: graphics cards, Pythons, room on the disk."""

import json
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from spark_backend.protocol.errors import SparkError

from .builds import CPU, parse_capabilities, parse_cuda_version, torch_build
from .process import variables

OLDEST_PYTHON = (3, 11)
LOOK = """
import importlib.util as u, importlib.metadata as m, json, struct, sys
def version(name):
    try: return m.version(name)
    except m.PackageNotFoundError: return ""
print(json.dumps({"version": sys.version_info[:2], "bits": 8 * struct.calcsize("P"), "torch": version("torch"),
    "parts": [n for n in ("venv", "ensurepip", "pip") if u.find_spec(n)]}))
"""


@dataclass(frozen=True)
class PythonState:
    """What a Python says of itself."""

    version: tuple[int, int]
    bits: int
    torch: str
    """Version of the torch in it; empty when there is none."""
    parts: tuple[str, ...]
    """Which of venv, ensurepip and pip it has."""


def ask(words: tuple[str, ...], seconds: float = 120.0) -> str:
    """What a short program prints; empty when it is not there, fails or does not end."""
    try:
        done = subprocess.run(
            words,
            env=variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def find_build(device: str) -> str:
    """The build of torch for this machine; `device` is `auto` or `cpu`."""
    if device == "cpu":
        return torch_build(platform.system(), None, ())
    program = shutil.which("nvidia-smi")
    if program is None:
        return torch_build(platform.system(), None, ())
    cards = parse_capabilities(ask((program, "--query-gpu=compute_cap", "--format=csv,noheader")))
    build = torch_build(platform.system(), parse_cuda_version(ask((program,))), cards)
    return CPU if build.startswith("cu") and platform.machine().lower() not in ("x86_64", "amd64") else build


def look_at(python: Path) -> PythonState | None:
    """What a Python says of itself; None when it does not run."""
    try:
        told = json.loads(ask((str(python), "-I", "-c", LOOK)))
        return PythonState(tuple(told["version"]), told["bits"], told["torch"], tuple(told["parts"]))
    except ValueError:
        return None


def usable_python(python: Path, parts: tuple[str, ...]) -> PythonState:
    """What a Python says of itself, when it will do: new enough, of 64 bits, with these parts. Else a `SparkError`."""
    state = look_at(python)
    if state is None:
        raise SparkError(f"{python}: does not run; choose another Python")
    if state.version < OLDEST_PYTHON or state.bits != 64:
        version = ".".join(map(str, state.version))
        raise SparkError(f"{python}: is Python {version} of {state.bits} bits; choose one of 64 bits, 3.11 or later")
    missing = [part for part in parts if part not in state.parts]
    if missing:
        raise SparkError(f"{python}: has no {' and no '.join(missing)}; install that, or choose another Python")
    return state


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder that need not be there yet."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return shutil.disk_usage(there).free
