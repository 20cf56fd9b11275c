"""The first of the tracker's two steps in a thread of its own, which looks at a picture while the last one is read."""

import threading
import time
from dataclasses import dataclass
from typing import Any

from .camera import Newest, Shot
from .tracker import LiveTracker

PATIENCE = 0.05
"""Seconds between two looks at whether it should end when no picture comes."""


@dataclass(frozen=True)
class Look:
    """A picture that was looked at."""

    shot: Shot
    sight: Any | None
    """What `LiveTracker.look` has given."""
    begun: float
    """`time.perf_counter()` at which the look began."""
    epoch: int
    """How often the tracker had forgotten what was before."""


class LookThread:
    """Looks at the newest picture of a camera, then at the next."""

    def __init__(self, shots: Newest[Shot], tracker: LiveTracker) -> None:
        self.shots, self.tracker = shots, tracker
        self.newest: Newest[Look] = Newest()
        self.resting = False
        """Whether pictures are passed on without a look."""
        self.busy = False
        """Whether a look goes on."""
        self._epoch, self._ended = 0, False
        self._fault: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="spark-look", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Ends, once the look that goes on is over."""
        self._ended = True
        self._thread.join()

    def forget(self) -> None:
        """See `LiveTracker`; what is under way is not handed on."""
        self.tracker.forget()
        self._epoch += 1  # after it: a look that begins in between is lost, not one with the old state kept

    def take(self, timeout: float) -> Look | None:
        """The newest; None when none comes within `timeout` seconds. An error of the tracker is raised here."""
        look = self.newest.take(timeout)
        if self._fault is not None:
            raise self._fault
        return look if look is not None and look.epoch == self._epoch else None

    def _run(self) -> None:
        try:
            while not self._ended:
                shot = self.shots.take(PATIENCE)
                self.busy = shot is not None
                if shot is not None:
                    epoch, begun = self._epoch, time.perf_counter()
                    sight = None if self.resting else self.tracker.look(shot.content)
                    self.newest.put(Look(shot, sight, begun, epoch))
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that takes
            self._fault = error
