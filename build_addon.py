"""Builds the add-on: `python build_addon.py` writes dist/spark_blender-VERSION.zip, which Blender installs from disk.

The zip holds the files of spark_blender/, the manifest, the licences, the versions that were tested together and, in
wheels/, the backend's pure-Python wheel.
The same sources give the same bytes. Needs pip; with `setuptools` 77 or later installed it needs no network.
"""

import argparse
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent
SOURCES = ("spark_backend", "spark_blender", "LICENSES")
FILES = ("pyproject.toml", "README.md", "LICENSE", "constraints.txt")
NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.py[co]", ".*", "*.orig", "*~")
EPOCH = 315532800
"""1980-01-01, the oldest time a zip can hold; every file gets it, so that equal sources give equal bytes."""
ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class BuildError(Exception):
    """The add-on cannot be built; the text says why and what to do."""


def read_version(checkout: Path) -> str:
    """`__version__` of the backend, read without importing it."""
    text = (checkout / "spark_backend" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(\d+\.\d+\.\d+)"$', text, re.MULTILINE)
    if found is None:
        raise BuildError("spark_backend/__init__.py: no __version__ of the form 1.2.3; set it there")
    return found[1]


def stage(checkout: Path, folder: Path) -> None:
    """Copies what goes into wheel and zip. Building from a copy keeps leftovers of earlier builds out of the wheel."""
    for name in SOURCES:
        shutil.copytree(checkout / name, folder / name, ignore=NOT_SHIPPED)
    for name in FILES:
        shutil.copy(checkout / name, folder / name)


def build_wheel(staged: Path, output: Path) -> Path:
    """Builds the pure-Python wheel of the staged sources into `output`."""
    words = [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "--wheel-dir", str(output)]
    words += ["--no-build-isolation"] if has_build_backend() else []
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(words, cwd=staged, env=environment, capture_output=True, text=True, check=False)
    wheels = sorted(output.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise BuildError(f"pip could not build the wheel:\n{done.stdout}{done.stderr}")
    if not wheels[0].name.endswith("-py3-none-any.whl"):
        raise BuildError(f"{wheels[0].name}: not a pure-Python wheel; one zip could not serve every Blender")
    return wheels[0]


def has_build_backend() -> bool:
    """Whether a `setuptools` is installed that reads this project's pyproject.toml."""
    try:
        return int(importlib.metadata.version("setuptools").split(".")[0]) >= 77
    except importlib.metadata.PackageNotFoundError:
        return False


def manifest(template: str, version: str, wheel: str) -> str:
    """blender_manifest.toml from the template."""
    fields = {"version": f'"{version}"', "wheels": f'["./wheels/{wheel}"]'}
    for name, value in fields.items():
        template, count = re.subn(rf"^{name} = .*$", f"{name} = {value}", template, flags=re.MULTILINE)
        if count != 1:
            raise BuildError(f"addon_manifest.toml: has {count} lines `{name} = ...`; there must be one")
    return "".join(line for line in template.splitlines(keepends=True) if not line.startswith("#")).lstrip()


def collect(staged: Path, wheel: Path, manifest_text: str) -> dict[str, bytes]:
    """Name in the zip and contents of every file."""
    addon = staged / "spark_blender"
    content = {path.relative_to(addon).as_posix(): path.read_bytes() for path in files_below(addon)}
    content |= {path.relative_to(staged).as_posix(): path.read_bytes() for path in files_below(staged / "LICENSES")}
    for name in ("LICENSE", "constraints.txt"):
        content[name] = (staged / name).read_bytes()
    content["blender_manifest.toml"] = manifest_text.encode()
    content[f"wheels/{wheel.name}"] = wheel.read_bytes()
    return content


def files_below(folder: Path) -> Iterable[Path]:
    """All files of a folder."""
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def write_zip(path: Path, content: Mapping[str, bytes]) -> None:
    """Writes the files sorted by name, all of one time and mode."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with zipfile.ZipFile(temporary, "w") as archive:
        for name in sorted(content):
            entry = zipfile.ZipInfo(name, ZIP_TIME)
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(".whl") else zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content[name])
    temporary.replace(path)


def build(checkout: Path, output: Path) -> Path:
    """Builds the zip into the folder `output` and gives its path."""
    version = read_version(checkout)
    with tempfile.TemporaryDirectory() as name:
        staged, wheels = Path(name) / "source", Path(name) / "wheels"
        staged.mkdir()
        stage(checkout, staged)
        wheel = build_wheel(staged, wheels)
        text = manifest((checkout / "addon_manifest.toml").read_text(encoding="utf-8"), version, wheel.name)
        path = output / f"spark_blender-{version}.zip"
        write_zip(path, collect(staged, wheel, text))
    return path


def find_checker(checkout: Path) -> tuple[Path, Path] | None:
    """A Python with bpy and Blender's own checker for extensions in it; None when there is no bpy environment."""
    for environment in (checkout / ".venv-bpy", Path(sys.prefix).parent / ".venv-bpy"):
        for script in sorted(environment.glob("**/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")):
            for python in (environment / "bin" / "python", environment / "Scripts" / "python.exe"):
                if python.exists():
                    return python, script
    return None


def validate(path: Path, checker: tuple[Path, Path]) -> None:
    """Lets Blender's checker look at the zip, its list of allowed tags included."""
    python, script = checker
    tags = script.parents[3] / "modules" / "_bpy_internal" / "extensions" / "tags.py"
    words = [str(python), str(script), "validate", str(path)]
    words += ["--valid-tags", str(tags)] if tags.exists() else []
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BuildError(f"{path.name}: Blender's checker refuses it:\n{done.stdout}{done.stderr}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Builds and checks; gives the exit code."""
    parser = argparse.ArgumentParser(description="Build the add-on's zip.")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist", help="folder to write to (dist)")
    options = parser.parse_args(arguments)
    try:
        path = build(CHECKOUT, options.output)
        checker = find_checker(CHECKOUT)
        if checker is not None:
            validate(path, checker)
    except BuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    checked = "accepted by Blender's checker" if checker else "not checked: no .venv-bpy with bpy here"
    print(f"{path} ({path.stat().st_size / 1024:.0f} KB, {checked})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
