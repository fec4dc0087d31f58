"""Writer of units: first the arrays, then the rows and the entry in the ledger.

Any process that has the unit may write its arrays: they are whole shards that no other unit
shares, with the same bytes on every machine. Only one process commits rows to the tables.
"""

from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Final

import polars as pl

from ingest.run.outcome import Outcome
from ingest.run.unit import FinishedUnit, Unit
from leamstore import arrays, tables
from leamstore.lake import Lake
from leamstore.tables import ledger

_MOST_WAITING: Final = 2
"""Units handed over and not yet written: a block's faces don't wait for the last block's maps."""


def write_arrays(unit: Unit) -> None:
    """Write a unit's arrays, which nobody reads until the unit is in the ledger."""
    for name, start, rows in unit.shards():
        arrays.write_shards(unit.store, name, start, rows)


class Writer(AbstractContextManager["Writer"]):
    """The only writer of a lake's tables: a thread that writes one unit at a time.

    A model enters the lake with its first unit, by its `descriptions`: its rows of the tables
    models and layers.

    A unit waits while two before it are not written, so that at most three are held in memory.
    An error in writing is raised at one of the next units, or at the end of the ``with`` block.
    """

    def __init__(
        self,
        lake: Lake,
        run_id: str,
        outcome: Outcome,
        descriptions: Mapping[str, Mapping[str, pl.DataFrame]],
    ) -> None:
        self._lake = lake
        self._run_id = run_id
        self._outcome = outcome
        self._descriptions = descriptions
        self._thread = ThreadPoolExecutor(1)
        self._waiting: deque[Future[None]] = deque()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._thread.shutdown(wait=True)
        for written in self._waiting if kind is None else ():
            written.result()

    def write(self, unit: Unit) -> None:
        """Write a unit's arrays, and commit it."""
        self._submit(self._write, unit)

    def commit(self, unit: FinishedUnit) -> None:
        """Commit a unit whose arrays are written."""
        self._submit(self._commit, unit)

    def _submit(self, put: Callable[..., None], unit: Unit | FinishedUnit) -> None:
        if len(self._waiting) == _MOST_WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._thread.submit(put, unit))

    def _write(self, unit: Unit) -> None:
        with self._outcome.stopwatch.measured("write"):
            write_arrays(unit)
            finished = unit.finished()
        self._commit(finished)

    def _commit(self, unit: FinishedUnit) -> None:
        with (
            self._outcome.stopwatch.measured("write"),
            tables.writing(self._lake.tables_path) as connection,
        ):
            ledger.commit_unit(
                connection,
                unit.name,
                unit.block,
                unit.images,
                unit.rows,
                self._run_id,
                self._descriptions.get(unit.name),
            )
        self._outcome.stopwatch.seconds.update(unit.seconds)
        if unit.name != ledger.FACES:
            self._outcome.units += 1
            self._outcome.images += unit.images.height
            self._outcome.pairs += unit.pairs
            self._outcome.maps += unit.maps
