"""The Blenders that tests run in, and how a probe is run in one of them.

`SPARK_BPY_PYTHONS` adds pythons that have bpy, separated by the system's path separator.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from toy_avatar import toy_avatar, toy_take

from spark_backend.pipeline.blender_env import BlenderProgram, find_blender
from spark_backend.protocol.avatar import save_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.take import save_take

HERE = Path(__file__).parent
RUNNER = HERE.parents[1] / "spark_blender" / "scene" / "runner.py"


def programs() -> list[BlenderProgram]:
    """The Blender that exports use and those of SPARK_BPY_PYTHONS."""
    named = [Path(path) for path in os.environ.get("SPARK_BPY_PYTHONS", "").split(os.pathsep) if path]
    found = [BlenderProgram(path, "SPARK_BPY_PYTHONS") for path in named]
    try:
        found.insert(0, find_blender())
    except SparkError as error:
        if not found:
            sys.stderr.write(f"Blender tests are skipped: {error}\n")
    return list({program.path: program for program in found}.values())


def blender_parameters() -> list[Any]:
    """For `pytest.mark.parametrize` or a fixture's `params`: one per Blender, or one that skips with the reason."""
    parameters = [pytest.param(program, id=identifier(program)) for program in programs()]
    if parameters:
        return parameters
    reason = "no Blender found; make .venv-bpy as the README says, or set SPARK_BLENDER"
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason), id="none")]


def identifier(program: BlenderProgram) -> str:
    """The folder of the environment or application."""
    return program.path.parent.parent.name if program.is_python else program.path.parent.name


def run_probe(program: BlenderProgram, probe: str, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Runs `probe` (a file beside this one) in Blender; it reads the request and writes the answer, both JSON."""
    answer = folder / f"{probe}.answer.json"
    question = folder / f"{probe}.request.json"
    question.write_text(json.dumps({**request, "answer": str(answer), "runner": str(RUNNER)}, default=str))
    process = subprocess.run(
        program.command(HERE / probe, str(question)),
        capture_output=True,
        text=True,
        timeout=300,
        env=program.environment(folder),
        cwd=folder,
        check=False,
    )
    assert answer.exists(), f"{probe} in {program.path} ended with {process.returncode}:\n{process.stderr[-3000:]}"
    return json.loads(answer.read_text())


def run_toy_probe(program: BlenderProgram, probe: str, folder: Path) -> dict[str, Any]:
    """`run_probe` about the toy head and a take of it."""
    save_avatar(folder / "avatar", toy_avatar())
    save_take(folder / "one.npz", toy_take())
    request = {"avatar": folder / "avatar", "take": folder / "one.npz", "folder": folder}
    answer = run_probe(program, probe, request, folder)
    assert "error" not in answer, answer["error"]
    return answer
