"""Outcome of an ingest: what was done, and the time that each stage took."""

from dataclasses import dataclass, field
from typing import Any

from ingest.stopwatch import Stopwatch


@dataclass
class Outcome:
    """The outcome of an ingest.

    Attributes
    ----------
    looked_at : int
        Photographs that were new or had changed.
    departed, departed_identities : int
        Kept photographs that are no longer in the data set, and whose they are.
    pruned : bool
        Whether these have left the lake.
    units, images, pairs, maps : int
        Done by this run, over all models.
    stopwatch : Stopwatch
        Stages. ``read`` is the time spent waiting for photographs, which are read during the
        computation; ``write`` happens during it, too.
    """

    looked_at: int = 0
    departed: int = 0
    departed_identities: int = 0
    pruned: bool = False
    units: int = 0
    images: int = 0
    pairs: int = 0
    maps: int = 0
    stopwatch: Stopwatch = field(default_factory=Stopwatch)

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome for JSON, seconds rounded."""
        counts = {name: value for name, value in vars(self).items() if name != "stopwatch"}
        seconds = {stage: round(s, 3) for stage, s in self.stopwatch.seconds.items()}
        return counts | {"seconds": seconds}
