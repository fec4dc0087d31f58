"""The one writer of a lake: finished units go in beside the work, arrays first, then the ledger."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.explain import RunModel
from ingest.loading import LoadedBlock
from ingest.report import Stopwatch
from ingest.unit import Result, unit_arrays, unit_rows
from leamstore import arrays, ledger, tables
from leamstore.blocks import Block
from leamstore.lake import Lake, face_arrays


class Writer:
    """Writes units in a thread of its own, one at a time.

    A unit waits until the one before is written, so that at most two are held in memory. An
    error in writing is raised at the next unit, or at the end of the ``with`` block.
    """

    def __init__(self, lake: Lake, run_id: str, stopwatch: Stopwatch) -> None:
        self._lake = lake
        self._settings = lake.settings
        self._run_id = run_id
        self._stopwatch = stopwatch
        self._thread = ThreadPoolExecutor(1)
        self._last: Future[None] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._thread.shutdown(wait=True)
        if error is None and self._last is not None:
            self._last.result()

    def write_faces(self, loaded: LoadedBlock, labels: NDArray[np.uint8]) -> None:
        """Write a block's crops, if the lake keeps them, and labels (image, 512, 512)."""
        self._submit(self._write_faces, loaded, labels)

    def write_unit(self, model: RunModel, loaded: LoadedBlock, results: Sequence[Result]) -> None:
        """Write what a model shows of a block's identities."""
        self._submit(self._write_unit, model, loaded, results)

    def _submit(self, write: Callable[..., None], *arguments: object) -> None:
        if self._last is not None:
            self._last.result()
        self._last = self._thread.submit(write, *arguments)

    def _write_faces(self, loaded: LoadedBlock, labels: NDArray[np.uint8]) -> None:
        with self._stopwatch.measured("write"):
            block = loaded.block
            rows_of = {f"labels/{self._settings.parser}": labels, "crop": loaded.crops}
            for name in face_arrays(self._settings):
                rows = rows_of[name]
                shards = np.zeros((block.stop - block.start, *rows.shape[1:]), np.uint8)
                shards[loaded.images["image_id"].to_numpy() - block.start] = rows
                arrays.write_shards(self._lake.faces_path, name, block.start, shards)
            self._commit(ledger.FACES, block, loaded.images, {})

    def _write_unit(self, model: RunModel, loaded: LoadedBlock, results: Sequence[Result]) -> None:
        with self._stopwatch.measured("write"):
            for name, start, shards in unit_arrays(model, loaded.block, results):
                arrays.write_shards(self._lake.maps_path, name, start, shards)
            self._commit(model.name, loaded.block, loaded.images, unit_rows(model, results))

    def _commit(
        self, model: str, block: Block, images: pl.DataFrame, rows: dict[str, pl.DataFrame]
    ) -> None:
        with tables.writing(self._lake.tables_path) as connection:
            ledger.commit_unit(connection, model, block, images, rows, self._run_id)
