"""Executors of a run: this process, or the workers of a cluster (`ingest.run.dask_cluster`)."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, Final, Protocol

from torch import Tensor

from ingest.faces.survey import survey
from ingest.photographs.datasets import Photograph
from ingest.run.block import OpenRun, References, Seen, Todo, embeddings_of, units_of
from ingest.run.writer import Writer
from ingest.stopwatch import Stopwatch

_WORTH_A_PROCESS: Final = 16
"""Number of photographs for which it pays to start another process."""


class Executor(Protocol):
    """Interface of executors, which survey, embed and explain photographs with equal results."""

    def look_at(self, photographs: Sequence[Photograph]) -> Generator[dict[str, Any]]:
        """Yield a row of ``images`` for each photograph, in any order."""

    def embed(
        self, open_run: OpenRun, blocks: Sequence[Todo], seen: Callable[[int], object]
    ) -> list[dict[str, Tensor]]:
        """Return what each model of an open run makes of each block's images, block by block."""

    def finish(
        self,
        open_run: OpenRun,
        todo: Sequence[Todo],
        references_of: Callable[[Todo], References],
        writer: Writer,
        seen: Seen,
    ) -> None:
        """Compute the missing units of each block, and pass each to the writer."""


class LocalExecutor:
    """Executor in this process; it reads the next block's photographs meanwhile.

    Parameters
    ----------
    workers : int
        Processes that look for faces.
    detector : str
        Name of the face detector.
    stopwatch : Stopwatch
        Counts the time spent waiting for photographs.
    """

    def __init__(self, workers: int, detector: str, stopwatch: Stopwatch) -> None:
        self._workers = workers
        self._detector = detector
        self._stopwatch = stopwatch

    def look_at(self, photographs: Sequence[Photograph]) -> Generator[dict[str, Any]]:
        """Look at photographs in processes of this machine."""
        workers = min(self._workers, -(-len(photographs) // _WORTH_A_PROCESS))
        return survey(photographs, workers, self._detector)

    def embed(
        self, open_run: OpenRun, blocks: Sequence[Todo], seen: Callable[[int], object]
    ) -> list[dict[str, Tensor]]:
        """Embed block after block."""
        embeddings = []
        for one, loaded in zip(blocks, open_run.load(blocks), strict=True):
            embeddings.append(embeddings_of(open_run, one, loaded))
            seen(loaded.images.height)
        return embeddings

    def finish(
        self,
        open_run: OpenRun,
        todo: Sequence[Todo],
        references_of: Callable[[Todo], References],
        writer: Writer,
        seen: Seen,
    ) -> None:
        """Compute block after block, while the writer writes the units."""
        loaded = self._stopwatch.waited("read", open_run.load(todo))
        for one, block in zip(todo, loaded, strict=True):
            for unit in units_of(open_run, one, block, references_of(one), seen):
                writer.write(unit)
