"""Exports from the scene: handed to a Blender of its own, so that the user's never waits."""

import contextlib
import shutil
import sys
import tempfile
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.neighbours import make_neighbour
from spark_backend.protocol.project import Project

from . import runtime
from .adjust_playing import settle
from .backend import job_parent
from .job_state import JobState
from .project import project_folder
from .properties import settings_of
from .result import require_object_mode, required_head
from .scene.handover import hand_over
from .session import EXPORT

PROGRAM = Path(__file__).resolve().parent / "run.py"


def start_export(project: Project, output: Path, program: str) -> None:
    """Starts to write the project's head, as it is in the scene, for a program, see `PROGRAMS`; the file's ending
    chooses the format.
    """
    session = runtime.session()
    if session.is_busy(EXPORT):
        raise SparkError("An export is running; wait for its end or cancel it")
    require_object_mode()
    head = required_head(project)
    settle()
    with contextlib.ExitStack() as stack:
        place, scratch = make_neighbour(output), Path(tempfile.mkdtemp(prefix="spark-export-"))
        for folder in (place, scratch):
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        told = hand_over(head, scratch / "head.blend")
        options = {"project": str(project.folder), "output": str(output), "program": program}
        options |= {"place": str(place), "scratch": str(scratch)}
        session.start(EXPORT, blender_command(), job_parent(), Job("export", {**options, **told}))
        stack.pop_all()  # from now on the job's


def blender_command() -> tuple[str, ...]:
    """The words that start such jobs in this very Blender; `run JOB_DIR` follows."""
    module = "scene.export_job"
    if bpy.app.binary_path:
        program = (bpy.app.binary_path, "--background", "--factory-startup", "--python-exit-code", "1")
        return (*program, "--python", str(PROGRAM), "--", module)
    return (sys.executable, "-I", "-u", str(PROGRAM), module)  # pip's bpy


def finish_export(state: JobState) -> None:
    """Removes what an export leaves however it ends, and notes its file in the scenes that have the project open."""
    for name in ("place", "scratch"):
        shutil.rmtree(state.options[name], ignore_errors=True)
    note_exported(state)


def note_exported(state: JobState) -> None:
    """Notes the written file in the scenes that have its project open."""
    if state.status == "done":
        for scene in bpy.data.scenes:
            if project_folder(settings_of(scene)) == Path(state.options["project"]):
                settings_of(scene).exported = state.result["output"]
