"""The job of a Blender that exports for another one: it opens what `handover` has written, and writes one file."""

import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import bpy

from spark_backend.protocol.errors import Cancelled, SparkError
from spark_backend.protocol.job import Failed, Progress, append_event
from spark_backend.protocol.neighbours import move_into_place

from .exports import export_head
from .handover import take_over
from .programs import PROGRAMS

BEAT = 0.2
"""Seconds between two looks at whether to stop."""
OPENED, WRITTEN = 0.05, 0.98
"""Parts of the job's bar before the frames and after the file."""
FRAMES_SHARE = {".fbx": 0.95, ".glb": 0.87}
"""How much of an export's time the way through all frames takes; all of it where not named."""


def export(options: Mapping[str, Any], report: Any) -> Mapping[str, Any]:
    """Writes one file. Options: `output`; `place`, a folder on the same disk to write to first; `scratch`, where the
    head's file is; `program`; and what `hand_over` has told. `report` is that of `pipeline.jobs`.
    """
    output, place = Path(options["output"]), Path(options["place"])
    leash = Leash(report, (place, Path(options["scratch"]), Path(bpy.app.tempdir)))
    report(Progress("Opening the scene", 0.0))
    head = take_over(options)
    count_frames(report, FRAMES_SHARE.get(output.suffix.lower(), 1.0))
    try:
        export_head(head, place / output.name, PROGRAMS[options["program"]])
    except (RuntimeError, OSError) as error:  # what Blender's exporters raise
        reason = " ".join(str(error).removeprefix("Error:").split())
        raise SparkError(f"{output}: could not be written ({reason}); choose another place") from error
    with leash.let_go():
        move_into_place(place / output.name, output)
    return {"output": output}


COMMANDS = {"export": export}


def count_frames(report: Callable[[Progress], None], share: float) -> None:
    """Tells the progress at every frame that Blender goes to: exporters tell nothing, and some go through all twice."""
    furthest = 0.0

    def tell(scene: bpy.types.Scene, *_: object) -> None:
        nonlocal furthest
        total = scene.frame_end - scene.frame_start + 1
        furthest = max(furthest, min((scene.frame_current - scene.frame_start + 1) / total, 1.0))
        stage = f"Going through {total} frames" if furthest < 1 else "Writing the file"
        with contextlib.suppress(Cancelled):  # that is for the leash
            report(Progress(stage, OPENED + (WRITTEN - OPENED) * share * furthest))

    bpy.app.handlers.frame_change_post.append(tell)


class Leash:
    """Ends this process when the job is cancelled or whoever started it has gone: an exporter cannot be interrupted."""

    def __init__(self, report: Any, leftovers: Iterable[Path]) -> None:
        self._report, self._leftovers = report, tuple(leftovers)
        self._held = threading.Lock()
        self._over = False
        threading.Thread(target=self._watch, daemon=True).start()

    @contextlib.contextmanager
    def let_go(self) -> Iterator[None]:
        """What is done here is done to its end; afterwards nothing is left to be cancelled."""
        with self._held:
            yield
            self._over = True
            self._clean()

    def _watch(self) -> None:
        while not self._over:
            time.sleep(BEAT)
            with self._held:
                self._look()

    def _look(self) -> None:
        if self._over:
            return
        try:
            self._report.check()
        except Cancelled:
            self._clean()
            append_event(self._report.folder, Failed("Cancelled", "cancelled"))
            os._exit(1)

    def _clean(self) -> None:
        for path in self._leftovers:
            shutil.rmtree(path, ignore_errors=True)
