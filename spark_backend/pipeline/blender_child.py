"""Runs a script in Blender as a child process, tells how far it is, ends it when the user cancels."""

import json
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..protocol.errors import SparkError
from ..protocol.job import Progress, Report
from .blender_env import BlenderProgram

POLL_SECONDS = 0.1


def run_blender_script(
    program: BlenderProgram, script: Path, request: Mapping[str, Any], outputs: Sequence[Path], report: Report
) -> dict[str, Any]:
    """Has `script` write `outputs` as the request describes; returns its answer.

    A sentence of the script is raised as `SparkError`, a bug in it as `RuntimeError` with its traceback.
    """
    with tempfile.TemporaryDirectory(prefix="spark-") as scratch:
        folder = Path(scratch)
        result = folder / "result.json"
        places = {"outputs": [str(output) for output in outputs], "maps": str(folder / "maps"), "result": str(result)}
        (folder / "request.json").write_text(json.dumps({**request, **places}), encoding="utf-8")
        log = folder / "log.txt"
        with open(log, "wb") as file:
            child = subprocess.Popen(
                program.command(script, str(folder / "request.json")),
                **({"creationflags": subprocess.CREATE_NO_WINDOW} if hasattr(subprocess, "CREATE_NO_WINDOW") else {}),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=program.environment(folder),
                cwd=folder,
            )
            follow(child, log, outputs, report)
        return read_answer(program, result, log, outputs)


def follow(child: subprocess.Popen, log: Path, outputs: Sequence[Path], report: Report) -> None:
    """Waits for the child, reporting each file it has written. Ends it when `report` raises."""
    try:
        while True:
            written = log.read_bytes().count(b"exported ")
            stage = f"Writing {outputs[min(written, len(outputs) - 1)].suffix} with Blender"
            report(Progress(stage, min(written / len(outputs), 1.0)))
            try:
                child.wait(POLL_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def read_answer(program: BlenderProgram, result: Path, log: Path, outputs: Sequence[Path]) -> dict[str, Any]:
    """What the child answered; its faults are raised."""
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    if not result.exists():
        last = " | ".join(text.splitlines()[-3:]) or "it said nothing"
        raise SparkError(f"{program.path} did not finish ({last}); try it with `spark doctor`")
    answer = json.loads(result.read_text(encoding="utf-8"))
    if "error" not in answer:
        return answer
    full = next((o.parent for o in outputs if o.parent.exists() and shutil.disk_usage(o.parent).free < 1 << 20), None)
    if full is not None:
        raise SparkError(f"{full}: the disk is full; free some space and run the command again")
    if answer.get("kind") == "user":
        raise SparkError(answer["error"])
    raise RuntimeError(f"{answer['error']}\n{answer.get('traceback', '')}\n{text[-2000:]}")
