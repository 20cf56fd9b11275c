"""The imports of the source keep the order of the design: a layer uses what lies below it, never its neighbours."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[1]
BACKEND = CHECKOUT / "spark_backend"
ADDON = CHECKOUT / "spark_blender"
OWN_PROGRAMS = (ADDON / "run.py",)
"""Run in a process of their own and never imported by Blender, so that they may use how the backend does jobs."""

LAYERS = (
    ("protocol",),
    ("geometry", "models"),
    ("video", "heads", "render", "encoders"),
    ("fit", "adapt", "solve", "smirk", "evaluate"),
    ("track",),
    ("live",),
    ("pipeline",),
    ("__main__",),
)
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}


def imported_modules(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """Full names of all that `source`, a module of `package`, imports anywhere in it, functions included."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            stem = ".".join((*base, *([node.module] if node.module else [])))
            yield from (f"{stem}.{alias.name}" for alias in node.names)


def modules(root: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    """Each Python file below `root` and the package that it belongs to."""
    for path in sorted(root.rglob("*.py")):
        yield path, path.relative_to(root.parent).parent.parts


def layer_faults(layer: str, source: str, package: tuple[str, ...]) -> list[str]:
    """What a module of the backend's `layer` imports from the backend and may not."""
    faults = []
    for name in imported_modules(source, package):
        parts = name.split(".")
        if parts[0] != "spark_backend" or len(parts) < 2 or parts[1] in (layer, "__version__"):
            continue
        if parts[1] not in LEVEL or LEVEL[parts[1]] >= LEVEL[layer]:
            faults.append(name)
    return faults


def root_imports(source: str) -> set[str]:
    """First names of all absolute imports."""
    return {name.split(".")[0] for name in imported_modules(source, ("x", "x", "x", "x"))} - {"x"}


def layer_of(path: Path) -> str:
    """The layer a file of the backend belongs to."""
    part = path.relative_to(BACKEND).parts[0]
    return part.removesuffix(".py")


def test_every_module_belongs_to_a_layer():
    layers = {layer_of(path) for path, _ in modules(BACKEND)} - {"__init__"}
    assert layers <= set(LEVEL), f"name the layer of {sorted(layers - set(LEVEL))} in {Path(__file__).name}"


def test_imports_point_to_lower_layers():
    faults = {
        str(path.relative_to(CHECKOUT)): faults
        for path, package in modules(BACKEND)
        if layer_of(path) != "__init__" and (faults := layer_faults(layer_of(path), path.read_text("utf-8"), package))
    }
    assert not faults


def test_protocol_needs_only_the_standard_library_and_numpy():
    allowed = set(sys.stdlib_module_names) | {"numpy"}
    for path, package in modules(BACKEND / "protocol"):
        text = path.read_text("utf-8")
        assert root_imports(text) <= allowed, path
        assert not layer_faults("protocol", text, ("spark_backend", *package)), path


def test_nothing_in_the_backend_imports_blender():
    for path, _ in modules(BACKEND):
        assert not root_imports(path.read_text("utf-8")) & {"bpy", "bmesh", "mathutils", "spark_blender"}, path


@pytest.mark.skipif(not ADDON.is_dir(), reason="there is no spark_blender in this checkout")
def test_the_addon_uses_the_protocol_only():
    for path, package in modules(ADDON):
        text = path.read_text("utf-8")
        assert not root_imports(text) & {"torch", "scipy", "cv2", "mediapipe", "warp", "trimesh", "av"}, path
        outside = [n for n in imported_modules(text, package) if n.startswith("spark_backend.")]
        allowed = {"protocol", "__version__", *(("pipeline",) if path in OWN_PROGRAMS else ())}
        assert all(n.split(".")[1] in allowed for n in outside), f"{path}: {outside}"


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("render", "from ..pipeline.fit import fit"),
        ("render", "from ..video import decode"),
        ("geometry", "def f():\n    import spark_backend.heads.anny"),
        ("protocol", "from spark_backend.geometry import camera"),
        ("solve", "from .. import fit"),
    ],
)
def test_a_violation_is_found(layer: str, source: str):
    assert layer_faults(layer, source, ("spark_backend", layer))


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("render", "from ..geometry.camera import project\nfrom .colour import to_srgb\nimport torch"),
        ("pipeline", "from ..video import decode\nfrom .. import __version__"),
        ("protocol", "from .errors import SparkError"),
    ],
)
def test_what_is_allowed_passes(layer: str, source: str):
    assert not layer_faults(layer, source, ("spark_backend", layer))
