"""Sliders of Adjust, shown: curves are written in slices between which the window lives on.

An action whose curves are being written carries a mark from the first slice to the last. It goes with the action into
undo steps and files, so that whoever meets it there knows that curves are still to be written.
"""

import logging
import threading
import time
from dataclasses import dataclass

import bpy

from spark_backend.protocol.errors import SparkError

from .adjust_wish import wish_of
from .scene.adjust import heads_of_takes
from .scene.rewriting import Memory, write_steps
from .scene.scene import HeadObjects
from .scene.stepwise import Steps

MARK = "spark_unfinished"
SLICE = 0.025
"""Seconds of one slice; the step in which they are over is done to its end."""


@dataclass(frozen=True)
class Writing:
    """One head's curves being written."""

    head: HeadObjects
    action: int
    """`session_uid` of the action."""
    steps: Steps[None]


_writings: list[Writing] = []
_memories: dict[int, Memory] = {}
"""By `session_uid` of the armature."""
_turning = threading.RLock()
"""Blender tells of a rendering's start in another thread."""


def play(action: bpy.types.Action) -> None:
    """Starts to write what the sliders of an action say on every head that plays it, and writes the first slice.

    What was still to be written of an older wish is given up. Without a window there are no timers: all is written.
    """
    begin(action)
    if bpy.app.background:
        settle()
    elif turn(SLICE):
        start_timer()


def begin(action: bpy.types.Action) -> None:
    """Marks an action and has its heads' curves written from now on. A fault is noted for the panel."""
    tell(action, "")
    with _turning:
        _writings[:] = [writing for writing in _writings if writing.action != action.session_uid]
        try:
            wish = wish_of(action)
        except SparkError as error:
            tell(action, str(error))
            action.pop(MARK, None)
            return
        for head in heads_of_file():
            if head.armature.animation_data.action == action:
                action[MARK] = True
                memory = _memories.setdefault(head.armature.session_uid, Memory())
                _writings.append(Writing(head, action.session_uid, write_steps(head, wish, memory)))


def heads_of_file() -> list[HeadObjects]:
    """All heads that play a take."""
    return [head for scene in bpy.data.scenes for head in heads_of_takes(scene)]


def turn(seconds: float) -> bool:
    """Writes for so long; gives whether there is more to write."""
    deadline = time.perf_counter() + seconds
    with _turning:
        while _writings and time.perf_counter() < deadline:
            advance(_writings[0])
        return bool(_writings)


def advance(writing: Writing) -> None:
    """One step. A head that has gone, or plays something else by now, is left as it is."""
    try:
        animation = writing.head.armature.animation_data
        action = animation.action if animation else None
        if action is None or action.session_uid != writing.action:
            _writings.remove(writing)
            return
        next(writing.steps)
    except ReferenceError:
        _writings.remove(writing)
    except StopIteration:
        end(writing, action)
    except SparkError as error:
        end(writing, action, str(error))
    except Exception as error:  # a timer that raises is never called again
        logging.getLogger(__name__).exception("The curves of %s could not be written", action.name)
        end(writing, action, f"Something went wrong in the add-on ({type(error).__name__}: {error})")


def end(writing: Writing, action: bpy.types.Action, fault: str = "") -> None:
    """A head's curves are written, or cannot be."""
    _writings.remove(writing)
    tell(action, fault or action.spark_adjust.fault)
    if all(other.action != writing.action for other in _writings):
        action.pop(MARK, None)


def tell(action: bpy.types.Action, fault: str) -> None:
    """Notes a fault for the panel; a property that is set has Blender work the scene out anew."""
    if action.spark_adjust.fault != fault:
        action.spark_adjust.fault = fault


def settle() -> None:
    """Writes all that is still to be written: what follows reads curves."""
    take_up()
    turn(float("inf"))


def take_up() -> None:
    """Goes on with actions whose mark says that not all was written: in an undo step, say, or before Live."""
    known = {writing.action for writing in _writings}
    for head in heads_of_file():
        action = head.armature.animation_data.action
        if MARK in action and action.session_uid not in known:
            known.add(action.session_uid)
            begin(action)
    if not _writings:
        return
    if bpy.app.background:
        turn(float("inf"))
    else:
        start_timer()


def start_timer() -> None:
    """Has Blender write one slice after the other."""
    if not bpy.app.timers.is_registered(tick):
        bpy.app.timers.register(tick, first_interval=0.0)


def tick() -> float | None:
    """Blender's timer: one slice."""
    return 0.0 if turn(SLICE) else None


def forget() -> None:
    """Before undo, redo and the opening of a file: what was found in memory will be something else. Marks stay."""
    with _turning:
        _writings.clear()
        _memories.clear()


def close() -> None:
    """The end of the add-on: curves are left whole."""
    settle()
    forget()
    if bpy.app.timers.is_registered(tick):
        bpy.app.timers.unregister(tick)
