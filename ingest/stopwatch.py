"""Stopwatch: seconds by stage."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

_Item = TypeVar("_Item")


class Stopwatch:
    """Seconds by stage.

    Attributes
    ----------
    seconds : Counter of str
    """

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def measured(self, stage: str) -> Iterator[None]:
        """Count the time spent inside towards a stage."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[stage] += time.perf_counter() - began  # type: ignore[assignment]

    def waited(self, stage: str, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items, and count the time that making each takes towards a stage."""
        iterator = iter(items)
        while True:
            with self.measured(stage):
                item = next(iterator, None)
            if item is None:
                return
            yield item
