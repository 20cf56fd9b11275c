"""Finding a model's file: the user's cache, then installed packages, then the official address, always by digest."""

import hashlib
import importlib.util
import os
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path

from ..protocol.errors import SparkError
from ..protocol.storage import filesystem_errors, write_atomic
from .catalogue import MODELS, Model

BLOCK = 1 << 20
TIMEOUT = 30.0  # seconds without an answer
OFFLINE = "SPARK_OFFLINE"
"""Environment variable: 1 forbids every download. Blender's add-on sets it when Blender may not go online."""


def cache_folder() -> Path:
    """Where models and derived assets are kept: `SPARK_HOME`, else the platform's folder for a program's data."""
    if home := os.environ.get("SPARK_HOME"):
        return Path(home).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "spark"
    if sys.platform == "darwin":
        return Path.home() / "Library/Application Support/spark"
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "spark"


def find_model(name: str) -> Path | None:
    """A file with the right digest in the cache or an installed package; None without one. Never asks the network.

    A file of that name in the cache with other content is a `SparkError`: using it would give other results than
    documented, and passing it over in silence would hide that it is there.
    """
    model = known_model(name)
    cached = model_path(model)
    if cached.is_file():
        check_digest(cached, model)
        return cached
    carried = (path for path in map(packaged_file, model.packages) if path is not None)
    return next((path for path in carried if file_digest(path) == model.sha256), None)


def resolve_model(name: str, say: Callable[[str], None]) -> Path:
    """Like `find_model`, then from the official address into the cache, told through `say` before it is asked."""
    found = find_model(name)
    if found is not None:
        return found
    model = known_model(name)
    target = model_path(model)
    if os.environ.get(OFFLINE) == "1":
        raise SparkError(
            f"{model.file}: is not on this computer, and the network may not be used; allow it (in Blender: "
            f"Preferences > System > Network), or get {model.source} by other means and choose it for {model.name}"
        )
    say(f"Downloading {model.file} ({model.size / 1e6:.1f} MB, {model.licence}) from {model.source} to {target.parent}")
    try:
        content = download(model)
    except (OSError, ValueError) as error:
        raise SparkError(
            f"{model.file}: could not be downloaded from {model.source} ({error}); get the file with sha256 "
            f"{model.sha256} by other means and put it at {target}"
        ) from error
    write_atomic(target, lambda file: file.write(content))
    return target


def adopt_model(name: str, file: Path) -> Path:
    """Copies a file that was got by other means into the cache, when it is that model."""
    model = known_model(name)
    if not file.is_file():
        raise SparkError(f"{file}: no such file; choose {model.file}")
    if file_digest(file) != model.sha256:
        raise SparkError(
            f"{file}: is not the {model.file} that SPARK knows (sha256 {model.sha256}); choose another file"
        )
    target = model_path(model)
    content = file.read_bytes()
    write_atomic(target, lambda out: out.write(content))
    return target


def model_path(model: Model) -> Path:
    """Where the cache has, or would have, this model."""
    return cache_folder() / "models" / model.file


def known_model(name: str) -> Model:
    """The entry of this name."""
    if name not in MODELS:
        raise SparkError(f"{name}: no such model; there are {', '.join(MODELS)}")
    return MODELS[name]


def packaged_file(location: str) -> Path | None:
    """A file inside an installed package, found without importing the package."""
    package, _, inside = location.partition("/")
    spec = importlib.util.find_spec(package)
    roots = spec.submodule_search_locations if spec is not None else None
    paths = (Path(root) / inside for root in roots or ())
    return next((path for path in paths if path.is_file()), None)


def check_digest(path: Path, model: Model) -> None:
    """Refuses a file that is not the model."""
    if file_digest(path) != model.sha256:
        raise SparkError(
            f"{path}: is not the {model.file} that SPARK knows (sha256 {model.sha256}); delete it to get it anew"
        )


def file_digest(path: Path) -> str:
    """sha256 of a file's content, read in blocks."""
    digest = hashlib.sha256()
    with filesystem_errors(path), open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def download(model: Model) -> bytes:
    """The model's bytes from its official address. `ValueError` when they are others, `OSError` without a network."""
    request = urllib.request.Request(model.source, headers={"User-Agent": "spark-backend"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        content = answer.read(model.size + 1)
    if hashlib.sha256(content).hexdigest() != model.sha256:
        raise ValueError("the file there has another digest")
    return content
