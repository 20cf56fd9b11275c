"""What the tests of the add-on share: its zip, and backend environments that do no work."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from toy_avatar import toy_avatar, toy_take, with_maps

from spark_backend.protocol.avatar import save_avatar
from spark_backend.protocol.take import save_take

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).parent / "addon"


def build_zip(output: Path) -> Path:
    """The add-on's zip, freshly built."""
    subprocess.run((sys.executable, CHECKOUT / "build_addon.py", "--output", output), check=True, capture_output=True)
    return next(output.glob("*.zip"))


def make_environments(folder: Path) -> dict[str, str]:
    """No environment, one without the backend, one whose check finds fault, and last the one that works."""
    make_environment(folder / "empty")
    packages = make_environment(folder / "full")
    package = packages / "spark_backend"
    shutil.copytree(CHECKOUT / "spark_backend" / "protocol", package / "protocol")
    (package / "pipeline").mkdir()
    for source in ("__init__.py", "pipeline/__init__.py", "pipeline/jobs.py"):
        shutil.copy(CHECKOUT / "spark_backend" / source, package / source)
    shutil.copy(HERE / "stand_in_backend.py", package / "__main__.py")
    shutil.copy(HERE / "stand_in_live.py", package / "stand_in_live.py")
    save_avatar(package / "avatar", with_maps(toy_avatar(), package / "avatar"))
    source = {"path": str(write_video(package / "plate.mp4", len(toy_take().pts))), "clip": "plate"}
    save_take(package / "take.npz", replace(toy_take(), source=source))
    picture = np.zeros((100, 300, 3), np.uint8)
    picture[:, :100, 2], picture[:, 100:200, 1], picture[:, 200:, 0] = 255, 255, 255  # red, green, blue
    cv2.imwrite(str(package / "preview.png"), picture)
    cv2.imwrite(str(package / "second.png"), picture[:, ::-1])
    (packages / "numpy.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    shutil.copytree(folder / "full", folder / "half", symlinks=True)
    (folder / "half" / package.relative_to(folder / "full") / "half").touch()
    return {"none": str(folder), **{name: str(folder / name) for name in ("empty", "half", "full")}}


def run_scenario(
    name: str, python: Path, addon_zip: Path, environments: Mapping[str, str], folder: Path, **more: object
) -> dict[str, Any]:
    """What each step of a scenario beside the stand-in backend gave in the Blender of that Python; `more` is for it."""
    (folder / "work").mkdir(exist_ok=True)
    wish = {
        "zip": str(addon_zip),
        "user": str(folder / "user"),
        "work": str(folder / "work"),
        "environments": environments,
        "result": str(folder / "result.json"),
        **more,
    }
    (folder / "request.json").write_text(json.dumps(wish), encoding="utf-8")
    words = (python, "-I", "-u", HERE / name, folder / "request.json")
    hidden = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SPARK_"))}
    hidden["HOME"] = hidden["XDG_DATA_HOME"] = str(folder)
    hidden["PATH"] = os.pathsep.join(path for path in hidden["PATH"].split(os.pathsep) if ".venv" not in path)
    done = subprocess.run(words, env=hidden, capture_output=True, text=True, timeout=300, check=False)
    assert (folder / "result.json").exists(), done.stdout + done.stderr
    return {**json.loads((folder / "result.json").read_text()), "log": done.stdout}


def step(seen: Mapping[str, Any], name: str) -> Any:
    """What one step gave; its traceback fails the test."""
    result = seen[name]
    assert not (isinstance(result, str) and result.startswith("Traceback")), result
    return result


def make_environment(folder: Path) -> Path:
    """An environment without pip; gives its folder for packages."""
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder), check=True)
    names = {"base": str(folder), "platbase": str(folder), "installed_base": str(folder)}
    return Path(sysconfig.get_path("purelib", "venv", names))


def write_video(path: Path, frames: int) -> Path:
    """A grey clip of 640 by 480 at 30 frames a second."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for _ in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((480, 640, 3), 90, np.uint8))))
        file.mux(stream.encode())
    return path
