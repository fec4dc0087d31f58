"""The threads of an ingest that compute: each with one thread of torch.

Threads that share one operation wait for each other at its end: if another program has one of the
cores, all of them wait. Threads that have work of their own don't.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Threads:
    """Threads that compute.

    Attributes
    ----------
    explaining : Executor
        Runs networks, an identity or a part of one at a time.
    counting : Executor, optional
        Counts regions for them; without it, each explaining thread counts its own.
    """

    explaining: Executor
    counting: Executor | None = None


@contextmanager
def computing_threads(count: int, device: torch.device) -> Iterator[Threads]:
    """Open threads for networks on a device, on a processor `count` of them.

    A GPU is used by one thread, since its memory holds one forward pass, while `count` threads of
    the processor count regions.
    """
    before = torch.get_num_threads()
    on_processor = device.type == "cpu"
    explaining = ThreadPoolExecutor(
        count if on_processor else 1, initializer=torch.set_num_threads, initargs=(1,)
    )
    counting = None if on_processor else ThreadPoolExecutor(count)
    try:
        yield Threads(explaining, counting)
    finally:
        explaining.shutdown(cancel_futures=True)
        if counting is not None:
            counting.shutdown()
        torch.set_num_threads(before)
