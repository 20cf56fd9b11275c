"""The set-up over a network that breaks: a made-up index that hangs up in the middle of every large file.

pip itself is fetched once from the real index, because an older one cannot resume; without it the test is skipped.
"""

import os
import re
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from made_up_wheels import write_addon, write_packages, write_wheel
from test_backend_setup import finish, installed

from spark_backend.protocol.job import Done, Progress
from spark_blender.setup.builds import TORCH_INDEX

PIECE = 1 << 18
"""Bytes after which the made-up server hangs up."""


class BreakingIndex(BaseHTTPRequestHandler):
    """A package index as pip knows it, which sends at most `PIECE` bytes of a file at a time."""

    folder: ClassVar[Path]
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        name = self.path.rstrip("/").rpartition("/")[2]
        if name.endswith(".whl"):
            self.send_part((self.folder / name.replace("%2B", "+")).read_bytes(), name)
            return
        wheels = [w.name for w in self.folder.glob("*.whl") if w.name.partition("-")[0].replace("_", "-") == name]
        if not wheels:
            self.send_error(404)
            return
        page = "".join(f'<a href="/files/{w.replace("+", "%2B")}">{w}</a>' for w in wheels).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(page)))
        self.end_headers()
        self.wfile.write(page)

    def send_part(self, content: bytes, name: str) -> None:
        """A file from where it is asked for, cut off in the middle."""
        begin = int(found[1]) if (found := re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))) else 0
        self.asked.append(f"{name.partition('-')[0]} from {begin}")
        self.send_response(206 if begin else 200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", '"same"')
        self.send_header("Content-Length", str(len(content) - begin))
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        self.wfile.write(content if name.startswith("pip") else content[begin : begin + PIECE])
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The address of an index with all packages; torch's file takes several connections."""
    folder = write_packages(tmp_path / "index")
    noise = Random(1).randbytes(4 * PIECE).hex()  # more pieces than pip takes up of itself
    write_wheel(folder, "torch", "2.13.0+cpu", {"torch/__init__.py": "DEVICE = 'CPU'\n", "torch/noise.txt": noise})
    fetch_pip(folder)
    BreakingIndex.folder, BreakingIndex.asked = folder, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), BreakingIndex)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def fetch_pip(folder: Path) -> None:
    """Puts a pip that can resume into the index; its own file is not broken off, for what fetches it cannot resume."""
    words = (sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), "pip>=25.1")
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no pip 25.1 or later to be had here: {done.stderr[-200:]}")


def replace_in_wheel(wheel: Path, before: str, after: str) -> None:
    """Other words in the files of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        content = {name: archive.read(name).replace(before.encode(), after.encode()) for name in archive.namelist()}
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)


@pytest.mark.slow
def test_a_download_that_breaks_off_goes_on_where_it_was(
    index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    addon = write_addon(tmp_path / "addon")
    replace_in_wheel(next((addon / "wheels").glob("*.whl")), TORCH_INDEX, index)
    for name in [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", f"{index}/simple")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    (addon / "constraints.txt").write_text("torch==2.13.0\n", "utf-8")
    run = finish(
        addon,
        {
            "folder": str(tmp_path / "environment"),
            "python": sys.executable,
            "wheel": str(next((addon / "wheels").glob("*.whl"))),
            "constraints": str(addon / "constraints.txt"),
            "wheels": None,
            "device": "cpu",
            "repair": False,
            "addon": str(addon),
            "blender": None,
        },
    )
    assert isinstance(run.end, Done), run.log
    begins = [int(line.rpartition(" ")[2]) for line in BreakingIndex.asked if line.startswith("torch")]
    assert len(begins) >= 8
    assert all(later - earlier == PIECE for earlier, later in pairwise(begins))
    assert installed({"folder": str(tmp_path / "environment")})["torch"] == "2.13.0+cpu"
    assert any("of" in event.stage for event in run.events if isinstance(event, Progress))
