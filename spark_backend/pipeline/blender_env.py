"""Which Blender writes the files: a Python environment with pip's `bpy`, or a Blender application."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..protocol.errors import SparkError
from ..protocol.storage import read_json

BPY_VERSION = "4.5.15"
ENVIRONMENT = ".venv-bpy"
INSIDE = ("bin/python", "Scripts/python.exe", "blender", "blender.exe", "Contents/MacOS/Blender")
APPLICATIONS = (
    "/Applications/Blender.app/Contents/MacOS/Blender",
    "C:/Program Files/Blender Foundation/Blender 5.2/blender.exe",
    "C:/Program Files/Blender Foundation/Blender 5.0/blender.exe",
    "C:/Program Files/Blender Foundation/Blender 4.5/blender.exe",
    "C:/Program Files/Blender Foundation/Blender 4.2/blender.exe",
)


@dataclass(frozen=True)
class BlenderProgram:
    """Something that runs a script inside Blender."""

    path: Path
    found_by: str
    """How it was found, for people."""

    @property
    def is_python(self) -> bool:
        """Whether it is a Python with the module `bpy`, not the application."""
        return self.path.stem.lower().startswith("python")

    def command(self, script: Path, argument: str) -> list[str]:
        """The command line that runs `script` with one argument, untouched by the user's settings and packages."""
        if self.is_python:
            return [str(self.path), "-I", "-u", str(script), argument]
        return [str(self.path), "--background", "--factory-startup", "--python", str(script), "--", argument]

    def environment(self, scratch: Path) -> dict[str, str]:
        """The child's environment: without anything that would put the backend's packages into it.

        Blender's own temporary files go to `scratch`, because a child that ends at once leaves them behind.
        """
        hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__")
        kept = {name: value for name, value in os.environ.items() if name not in hidden}
        return kept | dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(scratch))


def find_blender(explicit: Path | None = None) -> BlenderProgram:
    """The first of: `explicit`, SPARK_BLENDER, the user's config; then what lies in the habitual places.

    A wish that names nothing is a `SparkError`, as is finding none at all.
    """
    for wish, origin in wishes(explicit):
        program = as_program(wish)
        if program is None:
            raise SparkError(f"{wish}: no Blender and no Python with bpy here (from {origin}); correct the path")
        return BlenderProgram(program, origin)
    for path, origin in habitual_places():
        program = as_program(path)
        if program is not None:
            return BlenderProgram(program, origin)
    raise SparkError(f"no Blender found; {remedy()}")


def wishes(explicit: Path | None) -> Iterator[tuple[Path, str]]:
    """What the user asked for, most explicit first."""
    if explicit is not None:
        yield explicit, "the option --blender"
    if os.environ.get("SPARK_BLENDER"):
        yield Path(os.environ["SPARK_BLENDER"]), "the environment variable SPARK_BLENDER"
    config = config_path()
    if config.exists() and (configured := read_json(config).get("blender")):
        yield Path(configured), str(config)


def habitual_places() -> Iterator[tuple[Path, str]]:
    """Where a Blender may lie without anyone having said so."""
    yield Path(sys.prefix).parent / ENVIRONMENT, f"{ENVIRONMENT} beside this environment"
    on_path = shutil.which("blender")
    if on_path:
        yield Path(on_path), "PATH"
    for application in APPLICATIONS:
        yield Path(application), "its usual place"


def as_program(path: Path) -> Path | None:
    """The program that a path means: itself, or what lies in an environment's or an application's folder."""
    path = path.expanduser()
    candidates = [path / inside for inside in INSIDE] if path.is_dir() else [path]
    # absolute, not resolved: an environment's python is a link, and the link's place says which packages it has
    return next((candidate.absolute() for candidate in candidates if candidate.is_file()), None)


def config_path() -> Path:
    """The user's settings, one JSON file; the key `blender` holds a path."""
    home = os.environ.get("SPARK_HOME")
    if home:
        return Path(home) / "config.json"
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData/Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library/Application Support"
    else:
        base = Path(os.environ.get("XDG_CONFIG_HOME", Path.home() / ".config"))
    return base / "spark" / "config.json"


def remedy() -> str:
    """How to get a Blender, as the second half of a sentence."""
    return (
        f"make one with `python3.11 -m venv {ENVIRONMENT}` and `{ENVIRONMENT}/bin/python -m pip install "
        f"bpy=={BPY_VERSION}`, or name a Blender with --blender"
    )


@dataclass(frozen=True)
class BlenderState:
    """What is known of the Blender in use."""

    path: str
    """Empty when there is none."""
    found_by: str
    version: str
    """Empty when it does not start."""
    problem: str = ""
    """One sentence with a remedy, empty when all is well."""


def describe(explicit: Path | None = None, timeout: float = 60.0) -> BlenderState:
    """Finds Blender and starts it once to learn its version. Takes a second or two."""
    try:
        program = find_blender(explicit)
    except SparkError as error:
        return BlenderState("", "", "", str(error))
    command = [str(program.path), "--version"]
    if program.is_python:
        script = "import os, bpy; print('Blender', bpy.app.version_string, flush=True); os._exit(0)"
        command = [str(program.path), "-I", "-c", script]
    try:
        with tempfile.TemporaryDirectory(prefix="spark-") as scratch:
            environment = program.environment(Path(scratch))
            output = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout, env=environment, check=False
            )
    except (OSError, subprocess.TimeoutExpired) as error:
        return BlenderState(str(program.path), program.found_by, "", f"{program.path} does not start: {error}")
    version = next((line.removeprefix("Blender ") for line in output.stdout.splitlines() if "Blender " in line), "")
    problem = "" if version else f"{program.path} has no bpy that starts; {remedy()}"
    return BlenderState(str(program.path), program.found_by, version, problem)
