"""The two jobs: making an environment and removing one. They run in a process of their own, see `run.py`."""

import hashlib
import os
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Done, Failed, Progress, Report, Warning, decode_event
from spark_backend.protocol.launch import environment_python
from spark_backend.protocol.storage import filesystem_errors

from .builds import describe_build
from .machine import find_build, free_bytes, look_at, usable_python
from .output import advance, begin, explain, is_noise
from .process import run
from .state import State, read_state, write_state
from .steps import Plan, Step, bytes_needed, describe_bytes, inside, pinned_torch, steps

PREPARED = 0.03
CHECKED = 0.05
"""Parts of the job's bar before the steps and after them."""


def set_up(options: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    """Makes an environment, goes on with one that is half made, or brings one up to date; then checks it.

    Options: `folder` of the environment; `python` that makes it; `wheel` and `constraints` that the add-on carries;
    `wheels`, a folder to install from without network, or null; `device`, `auto` or `cpu`; `repair`, to begin anew;
    `addon`, the add-on's own folder; `blender`, for the check.
    """
    report(Progress("Looking at this computer", 0.0))
    plan, state = prepare(options)
    digest = hashlib.sha256(plan.wheel.read_bytes()).hexdigest()
    planned = steps(plan, digest)
    todo = [step for step in planned if state.done.get(step.name) != step.mark]
    require_room(plan, {step.name for step in todo})
    sys.stdout.write(f"PyTorch {describe_build(plan.build)}; environment {plan.folder}\n")
    write_state(plan.folder, replace(state, finished=not todo))
    total = sum(step.share for step in planned)
    before = total - sum(step.share for step in todo)
    for step in todo:
        scale = 1 - PREPARED - CHECKED
        do_step(step, plan, report, PREPARED + scale * before / total, scale * step.share / total)
        before += step.share
        state = replace(state, done={**state.done, step.name: step.mark}, finished=step is todo[-1])
        write_state(plan.folder, state)
    report(Progress("Checking", 1 - CHECKED))
    python = plan.python if plan.exists else inside(plan.folder, plan.windows)
    checked = check(python, options.get("blender"), plan.folder, report)
    return {**checked, "environment": str(python)}


def prepare(options: Mapping[str, Any]) -> tuple[Plan, State]:
    """What is to be made, and how far it is. The folder exists then, and is known to be ours or the user's own."""
    folder, windows = environment_folder(Path(options["folder"])), os.name == "nt"
    if folder.is_relative_to(Path(options["addon"]).absolute()):
        raise SparkError(f"{folder}: Blender deletes the add-on's folder with each update; choose another environment")
    wheel, wheels = Path(options["wheel"]), Path(options["wheels"]) if options.get("wheels") else None
    if wheels is not None and not any(wheels.glob("*.whl")):
        raise SparkError(f"{wheels}: no wheels there; choose the folder with the downloaded .whl files")
    constraints = Path(options["constraints"]) if options.get("constraints") else None
    pinned = pinned_torch(constraints.read_text(encoding="utf-8")) if constraints and not wheels else "torch"
    plan = Plan(folder, Path(options["python"]), wheel, find_build(options["device"]), pinned, constraints, wheels)
    plan = replace(plan, windows=windows)
    state = read_state(folder)
    if (state is not None and state.made_here) or not folder.exists() or not any(folder.iterdir()):
        return plan, own_environment(plan, state, bool(options.get("repair")))
    try:
        python = environment_python(folder)
    except SparkError as error:
        raise SparkError(f"{folder}: is neither empty nor an environment; choose an empty folder") from error
    there = usable_python(python, ("pip",))
    plan = replace(plan, python=python, exists=True, has_torch=bool(there.torch), constraints=None)
    return plan, State(False) if state is None or options.get("repair") else state


def environment_folder(path: Path) -> Path:
    """The folder of an environment, given that folder or the Python in it."""
    if not path.is_file():
        return path.absolute()
    parent = path.absolute().parent
    return parent.parent if parent.name in ("bin", "Scripts") else parent


def own_environment(plan: Plan, state: State | None, repair: bool) -> State:
    """How far our environment is; it is emptied when it is to be repaired or its Python no longer runs."""
    usable_python(plan.python, ("venv", "ensurepip"))
    begun = state is not None and "environment" in state.done
    if state is not None and (repair or not begun or look_at(inside(plan.folder, plan.windows)) is None):
        delete(plan.folder)
        state = None
    if state is None:
        state = State(True)
        write_state(plan.folder, state)
    return state


def require_room(plan: Plan, names: set[str]) -> None:
    """A `SparkError` when the disk has too little room for these steps."""
    needed, free = bytes_needed(plan, names), free_bytes(plan.folder)
    if free < needed:
        raise SparkError(
            f"{plan.folder}: {describe_bytes(needed)} are needed and {describe_bytes(free)} are free; "
            "free some space, or choose an environment folder on another disk"
        )


def do_step(step: Step, plan: Plan, report: Report, start: float, share: float) -> None:
    """Runs one step; `start` and `share` say which part of the job's bar is its."""
    told = begin(step)

    def on_line(line: str) -> None:
        nonlocal told
        told = advance(told, line)
        if not is_noise(line):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    def on_beat() -> None:
        report(Progress(told.stage, start + share * told.fraction))

    sys.stdout.write(f"== {step.title}\n")
    code, lines = run(step.words, plan.folder, on_line, on_beat)
    if code != 0:
        raise SparkError(explain(lines, step, code, plan.wheels is not None))


def check(python: Path, blender: str | None, folder: Path, report: Report) -> Mapping[str, Any]:
    """What the finished backend's `doctor` says of itself."""
    words = [str(python), "-u", "-m", "spark_backend", "doctor", "--json", *(("--blender", blender) if blender else ())]
    end: Done | Failed | None = None

    def on_line(line: str) -> None:
        nonlocal end
        sys.stdout.write(line + "\n")
        event = event_of(line)
        if isinstance(event, Warning):
            report(event)
        end = event if isinstance(event, Done | Failed) else end

    code, lines = run(words, folder, on_line, lambda: report(Progress("Checking", 1 - CHECKED)))
    if isinstance(end, Done):
        return end.result
    reason = end.message if isinstance(end, Failed) else (lines or [f"exit code {code}"])[-1][:200]
    raise SparkError(f"The backend is installed but does not start ({reason}); press Repair, or see the log")


def event_of(line: str) -> Any:
    """The event in a line of `spark --json`; None for other lines."""
    try:
        return decode_event(line) if line.startswith("{") else None
    except (ValueError, KeyError, TypeError):
        return None


def remove(options: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
    """Deletes the environment of `folder`, when it was made here."""
    folder = environment_folder(Path(options["folder"]))
    state = read_state(folder)
    if state is None or not state.made_here:
        raise SparkError(f"{folder}: was not made by Set Up Backend; delete it yourself if you no longer need it")
    report(Progress("Removing the environment", 0.1))
    delete(folder)
    return {"removed": str(folder)}


def delete(folder: Path) -> None:
    """Deletes a folder of ours. It is moved aside first, so that half of it is never taken for an environment."""
    aside = folder.with_name(f"{folder.name}.removed")
    with filesystem_errors(folder):
        shutil.rmtree(aside, ignore_errors=True)
        try:
            folder.rename(aside)
        except PermissionError as error:
            raise SparkError(
                f"{folder}: cannot be moved or deleted; end the jobs that use it, or ask who owns it"
            ) from error
        shutil.rmtree(aside, onerror=make_writable)


def make_writable(function: Callable[[str], Any], path: str, error: Any) -> None:
    """For `rmtree`: Windows does not delete files that are read-only."""
    Path(path).chmod(stat.S_IWRITE | stat.S_IREAD)
    function(path)


COMMANDS = {"set-up": set_up, "remove": remove}
