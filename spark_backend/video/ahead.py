"""Runs an iterator in a thread of its own, a few items ahead of the one who uses them."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")
END = object()


@contextmanager
def ahead(source: Iterator[Item], depth: int = 4) -> Iterator[Iterator[Item]]:
    """The same items, made up to `depth` ahead. An exception of the source is raised where its item would be.

    The source is closed, in its thread, when the block ends, however it ends.
    """
    ready: queue.Queue[tuple[object, BaseException | None]] = queue.Queue(depth)
    stopped = threading.Event()

    def put(item: object, error: BaseException | None = None) -> None:
        while not stopped.is_set():
            try:
                return ready.put((item, error), timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for item in source:
                put(item)
                if stopped.is_set():
                    break
            put(END)
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits for the item
            put(END, error)
        finally:
            if hasattr(source, "close"):
                source.close()

    def items() -> Iterator[Item]:
        while True:
            item, error = ready.get()
            if error is not None:
                raise error
            if item is END:
                return
            yield item

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        yield items()
    finally:
        stopped.set()
        thread.join()
