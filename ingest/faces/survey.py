"""Survey of the photographs: whether each is usable, and where its face is."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict
from itertools import islice
from typing import Any, Final

import polars as pl

from ingest.faces.chips import chip_to_image
from ingest.faces.detection import single_face
from ingest.photographs.datasets import Photograph
from ingest.photographs.decoding import read_photograph
from ingest.photographs.fingerprint import fingerprint, stored_path
from leamstore import schema
from leamstore.errors import UnusableImageError

_CHUNK: Final = 4
"""Number of photographs that a worker gets at a time."""

_CHUNKS_AHEAD: Final = 4
"""Chunks under way for each worker: however many photographs there are, few wait in memory."""


def survey(
    photographs: Iterable[Photograph], workers: int, detector: str = "hog"
) -> Generator[dict[str, Any]]:
    """Look at photographs in `workers` processes and yield a row of ``images`` for each, in order.

    A usable image is ``pending`` until its identity has a place; all others are ``rejected``
    with a reason.
    """
    if workers == 1:
        yield from (look_at(photograph, detector) for photograph in photographs)
        return
    # Forking a process that runs torch's threads can deadlock, so workers are started fresh.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_process)
    waiting: deque[Future[list[dict[str, Any]]]] = deque()
    try:
        for chunk in chunks(photographs, _CHUNK):
            waiting.append(executor.submit(_look_at_all, chunk, detector))
            if len(waiting) == _CHUNKS_AHEAD * workers:
                yield from waiting.popleft().result()
        while waiting:
            yield from waiting.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def look_at(photograph: Photograph, detector: str = "hog") -> dict[str, Any]:
    """Return the row of ``images`` for one photograph; nothing wrong with a file raises.

    Parameters
    ----------
    photograph : Photograph
    detector : str
        A key of `ingest.faces.detection.DETECTORS`.
    """
    row: dict[str, Any] = {column.name: None for column in schema.table("images").columns}
    row |= attributes(photograph)
    try:
        row |= asdict(fingerprint(photograph.path))
        image = read_photograph(photograph.path)
        row |= {"height": image.shape[0], "width": image.shape[1]}
        face = single_face(image, detector)
    except UnusableImageError as error:
        return row | {"status": "rejected", "reason": error.reason, "detail": str(error)}
    return row | {
        "status": "pending",
        "box": face.box.tolist(),
        "landmarks": face.landmarks.tolist(),
        "crop_to_image": chip_to_image(face.landmarks, "crop", schema.GRID).tolist(),
    }


def _look_at_all(photographs: list[Photograph], detector: str) -> list[dict[str, Any]]:
    return [look_at(photograph, detector) for photograph in photographs]


def _begin_process() -> None:
    """Leave Ctrl-C to the process that started this one, and end when that one is killed."""
    # There are as many processes as cores, and MTCNN's torch would start as many threads in each.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def chunks(photographs: Iterable[Photograph], size: int) -> Iterator[list[Photograph]]:
    """Yield photographs by the `size`."""
    remaining = iter(photographs)
    while chunk := list(islice(remaining, size)):
        yield chunk


def attributes(photograph: Photograph) -> dict[str, Any]:
    """Return the data set's attributes of a photograph, as columns of ``images``."""
    return {
        "path": stored_path(photograph.path),
        "identity": photograph.identity,
        "dataset": photograph.dataset,
        "gender": photograph.gender,
        "ethnicity": photograph.ethnicity,
        "age": photograph.age,
    }


def as_frame(rows: list[dict[str, Any]]) -> pl.DataFrame:
    """Return rows of ``images`` as a frame with the table's types."""
    return pl.DataFrame(rows, schema=IMAGE_TYPES, orient="row")


_POLARS_TYPES: Mapping[str, Any] = {
    "INTEGER": pl.Int32(),
    "BIGINT": pl.Int64(),
    "VARCHAR": pl.String(),
    "DOUBLE": pl.Float64(),
    "DOUBLE[4]": pl.Array(pl.Float64, 4),
    "DOUBLE[2][68]": pl.Array(pl.Float64, (68, 2)),
    "DOUBLE[3][2]": pl.Array(pl.Float64, (2, 3)),
}

IMAGE_TYPES = {column.name: _POLARS_TYPES[column.type] for column in schema.table("images").columns}
