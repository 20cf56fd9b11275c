"""Between the live backend and Blender: takes the newest pose, puts it on the rig, acts on what was told.

`tick` is Blender's timer while a session runs; the tests call `pump`. Both return at once when there is nothing new.
"""

import logging
import time
from dataclasses import replace
from pathlib import Path

import bpy

from spark_backend.protocol.avatar import load_avatar
from spark_backend.protocol.errors import SparkError
from spark_backend.protocol.live import LiveCalibration, LiveRecording
from spark_backend.protocol.project import Project, open_project

from .. import pump as jobs_pump
from .. import result
from ..project import project_folder, refresh
from ..properties import settings_of
from ..scene.sound import add_sound
from ..viewport import show_head
from . import corner
from .properties import live_settings
from .rig import RigDriver
from .state import live

INTERVAL = 1 / 60
PANEL_INTERVAL = 0.25
"""Seconds between two drawings of the panel for the pace alone."""

_driver: RigDriver | None = None
_clock: object | None = None
"""Handle of the function that Blender calls after each drawing of a viewport."""
_drawn = (-1, 0.0)


def drive(project: Project) -> None:
    """The project's head follows from now on; it is imported when the scene has none."""
    global _driver, _clock
    head = result.find_head(project.folder)
    if head is None:
        head = result.import_head(project)
        if bpy.context.window is not None:
            show_head(bpy.context.window, head)
        bpy.ops.ed.undo_push(message="Import Avatar")
    _driver = RigDriver(head, load_avatar(project.avatar_folder))
    if not bpy.app.background and not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=INTERVAL, persistent=True)
        _clock = bpy.types.SpaceView3D.draw_handler_add(live().note_drawn, (), "WINDOW", "POST_PIXEL")


def leave() -> None:
    """The head plays again what it played; the timer goes."""
    global _driver, _clock
    if _driver is not None:
        _driver.let_go()
    if _clock is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_clock, "WINDOW")
    _driver = _clock = None
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)


def tick() -> float | None:
    """Blender's timer. Returns the seconds until the next call, None when live is over."""
    redraw(moved=pump())
    return INTERVAL if live().process is not None else None


def pump() -> bool:
    """Does what is new; gives whether there is something to see of it. Waits while Blender renders."""
    if bpy.app.is_job_running("RENDER"):
        return False
    session = live()
    picture = session.process.picture() if session.process else None
    frame, told = session.poll()
    try:
        if frame is not None and _driver is not None:
            _driver.apply(frame.pose)
        for record in told:
            heed(record)
        if picture is not None and live_settings(bpy.context.scene).show_picture:
            corner.show_picture(picture)
    except SparkError as error:
        session.stop(str(error), fault=True)
    except Exception as error:  # a timer that raises is never called again
        logging.getLogger(__name__).exception("Live has stopped")
        session.stop(f"Something went wrong in the add-on ({type(error).__name__}: {error})", fault=True)
    if session.process is None:
        corner.hide()
        leave()
    return frame is not None or picture is not None


def heed(record: object) -> None:
    """Acts on what was told."""
    if isinstance(record, LiveCalibration) and _driver is not None:
        _driver.place_anew()
    if isinstance(record, LiveRecording) and record.state in ("saved", "recovered"):
        receive_take(record)


def receive_take(record: LiveRecording) -> None:
    """Lists a recorded take and plays it on the head, as keys at the true times; a recovered one is only listed."""
    session = live()
    project = open_project(session.project)
    scene = next((s for s in bpy.data.scenes if project_folder(settings_of(s)) == project.folder), None)
    if scene is None:
        session.remark(f"{record.name} is saved; open the project in a scene to bake it")
        return
    settings = settings_of(scene)
    refresh(settings)
    settings.take_index = max(settings.takes.find(record.name), 0)
    if record.state == "recovered":
        return
    if scene != bpy.context.scene:
        session.remark(f"{record.name} is saved; bake it from the list of takes")
        return
    try:
        # At the scene's own rate: that of a camera is what the computer could follow, nothing to cut a scene to.
        placement = replace(jobs_pump.placement(settings), match_scene=False)
        warnings = result.bake(project, record.name, placement)
        if record.sound:
            warnings += add_sound(scene, Path(record.sound), placement.start)
    except SparkError as error:
        session.remark(f"{record.name} is saved, but not baked: {error}")
        return
    session.remark(" ".join((record.message, *warnings)).strip())
    if _driver is not None and session.view.running:
        _driver.rest_actions()
    bpy.ops.ed.undo_push(message="Bake Live Take")


def redraw(moved: bool) -> None:
    """Redraws the viewports when the head has moved, and the panel a few times a second: more often than there is
    something new, drawing would take the processor from tracking.
    """
    global _drawn
    now, revision = time.monotonic(), live().revision
    panel = revision != _drawn[0] or now - _drawn[1] > PANEL_INTERVAL
    if not moved and not panel:
        return
    if panel:
        _drawn = revision, now
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type not in ("VIEW_3D", "IMAGE_EDITOR"):
                continue
            for region in area.regions:
                if (moved and region.type == "WINDOW") or (panel and region.type == "UI" and area.type == "VIEW_3D"):
                    region.tag_redraw()
