"""What an ingest did, and where its time went."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

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


@dataclass
class Report:
    """What an ingest did.

    Attributes
    ----------
    looked_at : int
        Photographs that were new or had changed.
    units, images, pairs, maps : int
        Done by this run, over all models.
    stopwatch : Stopwatch
        Stages. ``read`` is the time spent waiting for photographs, which are read beside the
        work; ``write`` happens beside the work, too.
    """

    looked_at: int = 0
    units: int = 0
    images: int = 0
    pairs: int = 0
    maps: int = 0
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def as_dict(self) -> dict[str, Any]:
        """Return the report for JSON, seconds rounded."""
        return {
            "looked_at": self.looked_at,
            "units": self.units,
            "images": self.images,
            "pairs": self.pairs,
            "maps": self.maps,
            "seconds": {stage: round(s, 3) for stage, s in self.stopwatch.seconds.items()},
        }
