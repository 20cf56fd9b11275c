"""Frames are independent of each other: draw several at once, hand them on in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None) -> Iterator[Result]:
    """`map`, on as many threads as there are cores, with only a few items in flight.

    Each thread runs torch on itself alone: small operations spread over cores cost more than they gain, and many times
    more when other programs want the cores too. What a call raises is raised here, and no further item is started.
    """
    count = workers or min(os.cpu_count() or 1, 8)
    pending: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(count, "frame", initializer=torch.set_num_threads, initargs=(1,))
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > count + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
