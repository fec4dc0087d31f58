"""Executors of a run: this process, or the workers of a cluster (`ingest.run.dask_cluster`)."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any, Final, Protocol, TypeVar

import torch
from torch import Tensor

from ingest.faces.survey import survey
from ingest.leam.threads import computing_threads
from ingest.photographs.datasets import Photograph
from ingest.run.block import OpenRun, References, Seen, Todo, embeddings_of, submit_units
from ingest.run.writer import Writer
from ingest.stopwatch import Stopwatch

_Item = TypeVar("_Item")

_WORTH_A_PROCESS: Final = 16
"""Number of photographs for which it pays to start another process."""

_THREADS_PER_UNIT: Final = 4
"""Threads that the identities of a unit keep busy, often enough."""


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
        Processes that look for faces, and threads that explain identities.
    device : torch.device
        Where networks run.
    detector : str
        Name of the face detector.
    stopwatch : Stopwatch
        Counts the time spent waiting for photographs.
    """

    def __init__(
        self, workers: int, device: torch.device, detector: str, stopwatch: Stopwatch
    ) -> None:
        self._workers = workers
        self._device = device
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
        with computing_threads(self._workers, self._device) as threads:
            for one, loaded in zip(blocks, open_run.load(blocks), strict=True):
                embeddings.append(embeddings_of(open_run, one, loaded, threads))
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
        """Compute block after block, while the writer writes the units.

        The next units are submitted before one is waited for, so that no thread idles at its end.
        """
        loaded = self._stopwatch.waited("read", open_run.load(todo))
        with computing_threads(self._workers, self._device) as threads:
            submitted = (
                unit
                for one, block in zip(todo, loaded, strict=True)
                for unit in submit_units(open_run, one, block, references_of(one), threads, seen)
            )
            ahead = 1 + self._workers // _THREADS_PER_UNIT
            for unit in _behind(submitted, ahead):
                writer.write(unit())


def _behind(items: Iterable[_Item], ahead: int) -> Iterator[_Item]:
    """Yield each item after `ahead` further ones were taken from the iterable."""
    taken: deque[_Item] = deque()
    for item in items:
        taken.append(item)
        if len(taken) > ahead:
            yield taken.popleft()
    yield from taken
