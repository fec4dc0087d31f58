"""Long work: items processed one by one or mapped in parallel by dask, with progress."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import dask
from dask.callbacks import Callback
from dask.system import CPU_COUNT
from rich.console import Console
from rich.progress import Progress, track

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
Advance = Callable[[], object]

LOCAL_SCHEDULERS: Final = ("threads", "processes")

_RETRIES: Final = 2


@dataclass(frozen=True)
class Work:
    """Execution of long work: the scheduler, and whether progress is shown.

    Attributes
    ----------
    scheduler : str
        threads or processes of this machine, or the address of a dask scheduler
        (``tcp://host:8786``), whose workers must see the lake under the same path.
    silent : bool
        Whether to show no progress; it goes to stderr and is wiped when done.
    """

    scheduler: str = "threads"
    silent: bool = True

    def track(
        self, items: Iterable[Item], description: str, total: float | None = None
    ) -> Iterable[Item]:
        """Yield the items one by one, in this thread, and show the progress."""
        return track(
            items, description, total=total, console=Console(stderr=True), transient=True,
            disable=self.silent,
        )  # fmt: skip

    def map(
        self, function: Callable[[Item], Outcome], items: Sequence[Item], description: str
    ) -> list[Outcome]:
        """Return a function's results for all items, in order, computed in parallel.

        Parameters
        ----------
        function : callable
            A pure one; with processes or a cluster, it and the items are pickled.
        items : sequence
            Few and large: each is a task. What an item needs is read in the function, so that
            memory holds what the tasks under way need, not the lake.
        description : str
            What the progress bar says.

        Raises
        ------
        LeamError
            If no scheduler answers at the address.
        """
        with Progress(console=Console(stderr=True), transient=True, disable=self.silent) as shown:
            task = shown.add_task(description, total=len(items))
            run = self._map_here if self.scheduler in LOCAL_SCHEDULERS else self._map_on_cluster
            return run(function, items, lambda: shown.advance(task))

    def _map_here(
        self, function: Callable[[Item], Outcome], items: Sequence[Item], advance: Advance
    ) -> list[Outcome]:
        tasks = [dask.delayed(function, pure=False, traverse=False)(item) for item in items]
        with Callback(posttask=lambda *_: advance()):
            return list(dask.compute(*tasks, scheduler=self.scheduler, num_workers=CPU_COUNT))

    def _map_on_cluster(
        self, function: Callable[[Item], Outcome], items: Sequence[Item], advance: Advance
    ) -> list[Outcome]:
        # Dask's cluster takes half a second to load, and most work is done here.
        from distributed import as_completed  # noqa: PLC0415

        from leamstore.dask_client import connect  # noqa: PLC0415

        with connect(self.scheduler) as client, client.as_current():
            futures = client.map(function, items, pure=False, retries=_RETRIES)
            for _ in as_completed(futures):
                advance()
            return client.gather(futures)
