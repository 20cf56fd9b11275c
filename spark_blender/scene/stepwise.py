"""Work in small steps, so that whoever does it may stop between two of them. Plain Python, no bpy.

Steps are a generator that yields after each one and returns the result at the end.
"""

from collections.abc import Callable, Generator, Hashable
from typing import Generic, TypeVar

Result = TypeVar("Result")
Steps = Generator[None, None, Result]


def finished(steps: Steps[Result]) -> Result:
    """Does all steps at once; gives the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


class Kept(Generic[Result]):
    """The result of steps for as long as the same is asked for; steps that somebody has left are gone on with."""

    def __init__(self) -> None:
        self._key: Hashable = None
        self._steps: Steps[Result] | None = None
        self._result: Result | None = None

    def steps(self, key: Hashable, work: Callable[[], Steps[Result]]) -> Steps[Result]:
        """What `work` gives; it is begun when `key` is another than before."""
        if key != self._key:
            self._key, self._steps, self._result = key, work(), None
        while self._steps is not None:
            try:
                next(self._steps)
            except StopIteration as end:
                self._steps, self._result = None, end.value
            except BaseException:
                self._key = self._steps = None
                raise
            yield
        return self._result
