"""Between the session and Blender: reads what jobs tell, acts on their end, redraws. Runs in Blender's main thread."""

import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path

import bpy

from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.job import Job
from spark_backend.protocol.launch import backend_command, running_jobs
from spark_backend.protocol.project import open_project

from . import adjust_playing, result, runtime
from .backend import describe_check, describe_failure, find_backend, job_parent
from .exporting import finish_export, note_exported
from .job_state import JobState
from .pictures import take_picture
from .preferences import preferences_of
from .project import project_folder, refresh
from .properties import SPARK_PG_settings, settings_of
from .session import CAMERAS, CHECK, EXPORT, MODELS, SET_UP, WORK, Backend, last_lines, stopped_job
from .strengths import show_strengths
from .viewport import show_head, waiting

BUSY_INTERVAL, IDLE_INTERVAL = 0.1, 0.5
SHOWN_IN = {"VIEW_3D": "UI", "PREFERENCES": "WINDOW"}
"""The region of an editor that shows what the session knows."""
SETTLING = 5
"""Drawings after something has changed."""
JOBS_FOLDER = "jobs"
"""Inside a project: one folder for each job."""

_drawn = (-1, 0)
_settling = 0


def tick() -> float:
    """Blender's timer. Returns the seconds until the next call."""
    pump()
    adjust_playing.take_up()
    redraw()
    return BUSY_INTERVAL if runtime.session().active or _settling else IDLE_INTERVAL


def pump() -> None:
    """Reads what the jobs have told and acts on those that came to their end. Waits while Blender renders."""
    if bpy.app.is_job_running("RENDER"):
        return
    if (state := runtime.session().state(WORK)) is not None and state.preview:
        take_picture(state)
    if (state := runtime.session().state(SET_UP)) is not None and state.busy:
        runtime.session().note_log(last_lines(state.log))
    for kind, state in runtime.session().pump():
        try:
            finish(kind, state)
        except SparkError as error:
            runtime.session().remark(kind, str(error))
        except Exception as error:  # a timer that raises is never called again
            logging.getLogger(__name__).exception("The result of %s could not be used", state.folder)
            message = f"Something went wrong in the add-on ({type(error).__name__}: {error}); see the system console"
            runtime.session().remark(kind, message)


def wait_for_export() -> None:
    """Waits for an export's end; why there is no file is a `SparkError`."""
    session = runtime.session()
    while session.is_busy(EXPORT):
        time.sleep(0.05)
        pump()
    state = session.state(EXPORT)
    if state.status != "done":
        raise SparkError(state.message)


def finish(kind: str, state: JobState) -> None:
    """Acts on a job's end."""
    if kind == CHECK:
        note_check(state)
    elif kind == SET_UP:
        note_set_up(state)
    elif kind == MODELS:
        note_models(state)
    elif kind == CAMERAS:
        note_cameras(state)
    elif kind == EXPORT:
        finish_export(state)
    else:
        finish_work(state)


def finish_work(state: JobState) -> None:
    """Brings what a job of the open project has made into the scene that has the project open."""
    if "project" not in state.options:
        return
    if state.command == "export":
        note_exported(state)
        return
    folder = Path(state.options["project"])
    window = window_of(folder)
    if window is None:
        if state.status == "done" and state.command in RECEIVERS:
            raise SparkError(f"{folder.stem}: done; open the project in a scene to use it")
        return
    with bpy.context.temp_override(window=window):
        refresh(settings_of(window.scene))
        if state.status == "done" and state.command in RECEIVERS:
            with waiting():
                RECEIVERS[state.command](window, state)


def receive_head(window: bpy.types.Window, state: JobState) -> None:
    """Imports a trained head where the scene has none yet; one that is there stays until the user imports it."""
    project = open_project(Path(state.options["project"]))
    if result.find_head(project.folder) is not None:
        return
    show_head(window, result.import_head(project))
    bpy.ops.ed.undo_push(message="Import Trained Head")


def receive_takes(window: bpy.types.Window, state: JobState) -> None:
    """Plays the first of the takes on the head, as the panel wants it placed."""
    project, settings = open_project(Path(state.options["project"])), settings_of(window.scene)
    name = taken(state)
    settings.take_index = max(settings.takes.find(name), 0)
    runtime.session().remark(WORK, warnings=result.bake(project, name, placement(settings)))
    head = result.find_head(project.folder)
    if settings.match_scene and head is not None:
        show_head(window, head, through_camera=True)
    bpy.ops.ed.undo_push(message="Bake Captured Take")


def receive_light(window: bpy.types.Window, state: JobState) -> None:
    """Lights the scene as the clip was lit."""
    project = open_project(Path(state.options["project"]))
    result.light_scene(project, state.result["take"], state.result["lamps"], state.result["ambient"])
    bpy.ops.ed.undo_push(message="Add Light of Clip")


def taken(state: JobState) -> str:
    """Name of the take that a job has made."""
    if state.command == "track":
        return Path(state.result["take"]).stem
    return Path(next(iter(state.result["takes"].values()))).stem


RECEIVERS = {"train": receive_head, "track": receive_takes, "capture": receive_takes, "light": receive_light}
"""What is done in the scene with what a job has made, by the job's command."""


def note_check(state: JobState) -> None:
    """What the check has found, in the backend's row."""
    session = runtime.session()
    if state.status == "done":
        status, message = describe_check(state.result)
        session.checks = tuple(state.result.get("checks", ()))
        note_cameras(state)
    else:
        status, message = "broken", describe_failure(session.backend.python, state.message)
    session.set_backend(replace(session.backend, status=status, message=message))


def note_set_up(state: JobState) -> None:
    """What there is after an environment was made or removed, or after neither went well."""
    session, found = runtime.session(), find_backend(bpy.path.abspath(preferences_of(bpy.context).backend))
    if state.status == "done" and "environment" in state.result:
        status, message = describe_check(state.result)
        found = Backend(Path(state.result["environment"]), status, message)
        session.checks = tuple(state.result.get("checks", ()))
    session.set_backend(found)


def note_models(state: JobState) -> None:
    """The list of models; after one was fetched the list is asked for again."""
    session = runtime.session()
    if state.status != "done":
        return
    if "models" in state.result:
        session.models = tuple(state.result["models"])
    elif session.backend.python is not None:
        session.start(MODELS, backend_command(session.backend.python), job_parent(), Job("models"))


def note_cameras(state: JobState) -> None:
    """The names of the cameras, as a check or the list has found them."""
    if "cameras" in state.result:
        runtime.session().cameras = tuple(camera["name"] for camera in state.result["cameras"])


def placement(settings: SPARK_PG_settings) -> result.Placement:
    """How the panel wants takes to come into the scene."""
    return result.Placement(settings.start_frame, settings.match_scene, settings.target, settings.smoothing)


def window_of(folder: Path) -> bpy.types.Window | None:
    """A window whose scene has the project open."""
    windows = bpy.context.window_manager.windows
    return next((w for w in windows if project_folder(settings_of(w.scene)) == folder), None)


def take_up_projects() -> None:
    """Brings the scenes' lists up to date, and finds the job again that an earlier session has left, running or not."""
    session = runtime.session()
    for scene in bpy.data.scenes:
        folder = project_folder(settings_of(scene))
        if folder is None:
            continue
        with contextlib.suppress(SparkError):  # a project that is gone is told when a button needs it
            refresh(settings_of(scene))
            show_strengths(scene)
        if session.is_busy(WORK):
            continue
        for job in (*running_jobs(folder / JOBS_FOLDER), stopped_job(folder / JOBS_FOLDER)):
            if job is not None:
                session.attach(WORK, job)
                break


def list_anew() -> None:
    """After an undo, which has put back what the lists were: what is on disk was not undone."""
    for scene in bpy.data.scenes:
        if settings_of(scene).project:
            with contextlib.suppress(SparkError):
                refresh(settings_of(scene))


def redraw() -> None:
    """Redraws the sidebars and the preferences when there is something new to show, and every second while a job runs.

    Some times in a row, because Blender moves the panels below a grown one, and those inside of it, step by step with
    the drawings after.
    """
    global _drawn, _settling
    session = runtime.session()
    current = (session.revision, int(time.time()) if any(map(session.is_busy, (WORK, SET_UP, EXPORT))) else 0)
    if current != _drawn:
        _settling = SETTLING
    elif not _settling:
        return
    _drawn, _settling = current, _settling - 1
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            shown = SHOWN_IN.get(area.type)
            for region in area.regions if shown else ():
                if region.type == shown:
                    region.tag_redraw()
