"""The tables of a lake in an object store: one object, replaced as a whole, and copied for use.

DuckDB writes local files. So a transaction runs on a working copy, and what it leaves is put in
place of the object at once: a PUT either happens or doesn't. It is put on the condition that the
object is still the one that was copied (its etag, If-Match), so that a writer elsewhere who was
faster is never overwritten. Readers keep the last copies in the cache folder under their etags,
and ask the store for the etag only.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import obstore
from filelock import FileLock, Timeout
from obstore.exceptions import AlreadyExistsError, PreconditionError

from leamstore.cache_folder import cache_folder
from leamstore.errors import LakeError
from leamstore.storage import Location, ObjectPath, as_lake_errors
from leamstore.tables.waiting import WITHOUT_END, Wait

if TYPE_CHECKING:
    from obstore import ObjectMeta, UpdateVersion

_COPIES: Final = 2
"""Number of copies to keep: the newest, and one that a reader may be opening."""


@dataclass(frozen=True)
class _Copy:
    """A local copy of the published tables, with the store's etag of that version."""

    state: "UpdateVersion"
    path: Path


@contextmanager
def current_copy(tables: Location) -> Iterator[Path]:
    """Yield a local file with the tables as published now; for a local lake, its own file.

    It takes one request, and a download if they have changed since this machine last saw them.

    Raises
    ------
    LakeError
        If there are none, or the store can't be asked.
    """
    if isinstance(tables, Path):
        yield tables
        return
    copy = _fetch(tables)
    if copy is None:
        raise LakeError(f"there is no {tables}: name another lake, or make one by ingest.")
    yield copy.path


@contextmanager
def working_copy(tables: Location, patience: float = WITHOUT_END) -> Iterator[Path]:
    """Yield a local file to write to, and publish it if the context ends without an exception.

    A local file gives itself. What a killed process leaves of a working copy is thrown away by the
    next; writers on one machine wait for each other.

    Parameters
    ----------
    patience : float
        Seconds to wait for another writer of this machine.

    Raises
    ------
    LockedError
        If it takes longer.
    LakeError
        If somebody else published meanwhile (nothing of theirs is lost, and the block's work is
        not published), or the store can't be asked.
    """
    if isinstance(tables, Path):
        yield tables
        return
    with _one_writer(tables, patience):
        before = _fetch(tables)
        work = _folder(tables) / "work.duckdb"
        log = work.with_name(f"{work.name}.wal")
        work.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        if before is not None:
            shutil.copyfile(before.path, work)
        yield work
        if log.exists():
            raise LakeError(f"{work} could not be closed: make room on that disk and run again.")
        work.replace(_place(tables, _publish(tables, work, before)))
        _forget_old_copies(tables)


def _fetch(tables: ObjectPath) -> _Copy | None:
    """Return a copy of the tables as published now; None if there are none."""
    meta = tables.head()
    if meta is None:
        return None
    path = _place(tables, meta["e_tag"])
    return _Copy(_state(meta), path) if path.exists() else _download(tables)


def _download(tables: ObjectPath) -> _Copy:
    """Download the current tables into the cache folder."""
    with FileLock(_folder(tables) / "fetch.lock"), as_lake_errors(tables):
        answer = obstore.get(tables.store, tables.key)
        copy = _Copy(_state(answer.meta), _place(tables, answer.meta["e_tag"]))
        partial = _folder(tables) / "partial.duckdb"
        with partial.open("wb") as file:
            for part in answer.stream():
                file.write(part)
        partial.replace(copy.path)
        _forget_old_copies(tables)
    return copy


def _state(meta: "ObjectMeta") -> "UpdateVersion":
    """Return what a later PUT can be made to depend on: Google's store goes by the version."""
    version = meta["version"]
    return (
        {"e_tag": meta["e_tag"]}
        if version is None
        else {"e_tag": meta["e_tag"], "version": version}
    )


def _publish(tables: ObjectPath, work: Path, before: _Copy | None) -> str | None:
    """Put the tables in place of those they were made from, and return their etag."""
    with as_lake_errors(tables):
        try:
            put = obstore.put(
                tables.store,
                tables.key,
                work,
                mode="create" if before is None else before.state,
            )
        except (AlreadyExistsError, PreconditionError) as error:
            raise LakeError(
                f"another program wrote to {tables} meanwhile: nothing of its work is lost, and "
                "what was not yet published of this one's is not in the lake; run the same "
                "command again when the other has ended."
            ) from error
    return put["e_tag"]


@contextmanager
def _one_writer(tables: ObjectPath, patience: float) -> Iterator[None]:
    lock = FileLock(_folder(tables) / "write.lock", blocking=False)
    wait = Wait(tables, patience)
    while not lock.is_locked:
        try:
            lock.acquire()
        except Timeout:
            wait.pause("another process of this machine")
    try:
        yield
    finally:
        lock.release()


def _forget_old_copies(tables: ObjectPath) -> None:
    copies = sorted(_folder(tables).glob("*.copy"), key=lambda copy: copy.stat().st_mtime)
    for copy in copies[:-_COPIES]:
        copy.unlink(missing_ok=True)


def _place(tables: ObjectPath, etag: str | None) -> Path:
    if etag is None:
        raise LakeError(f"{tables.bucket} gives no etags, which a lake needs: use another store.")
    return _folder(tables) / f"{hashlib.sha256(etag.encode()).hexdigest()[:32]}.copy"


def _folder(tables: ObjectPath) -> Path:
    """Return the folder of the copies; two stores may have a bucket of the same name."""
    address = f"{os.environ.get('AWS_ENDPOINT_URL', '')} {tables}"
    folder = cache_folder() / "lakes" / hashlib.sha256(address.encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    return folder
