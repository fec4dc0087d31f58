"""The lock of a lake: one ingest at a time, and the name of the process that holds it.

The lock is the operating system's, so it ends with its process, however that ends. Readers take
no part in it. It holds between machines where their common file system carries ``flock`` over
(NFS 4, CephFS, Lustre mounted with ``flock``); DuckDB's own lock on the tables needs no less.
"""

import hashlib
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import filelock

from leamstore.cache_folder import cache_folder
from leamstore.errors import LakeError
from leamstore.storage import Location

LOCK_FILE: Final = "ingest.lock"
HOLDER_FILE: Final = "ingest.json"
"""File that names the holder of the lock, for people only; it decides nothing."""

LOCK_FILES: Final = (LOCK_FILE, HOLDER_FILE, f"{HOLDER_FILE}.partial")

_PATIENCE_SECONDS: Final = 1.0
"""Far more time than `holder` needs to look at the lock."""


@dataclass(frozen=True)
class Holder:
    """The process that holds a lake's lock.

    Attributes
    ----------
    host, command : str
    pid : int
    since : str
        UTC, to the second.
    """

    host: str
    pid: int
    since: str
    command: str

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since}: {self.command}"


@contextmanager
def ingest_lock(lake: Location) -> Iterator[None]:
    """Hold the lock of a lake: only this process may change images, maps and ledger.

    The lock of a lake in an object store is in this machine's cache folder; writers on other
    machines are excluded by its tables (`leamstore.tables.published_copy`).

    Raises
    ------
    LakeError
        If another process holds it, which the sentence names, or the folder can't be written.
    """
    folder = _folder(lake)
    lock = filelock.FileLock(folder / LOCK_FILE, timeout=_PATIENCE_SECONDS)
    try:
        lock.acquire()
    except filelock.Timeout as error:
        raise LakeError(
            f"another ingest is at work on {lake} ({_read_holder(folder) or 'it has just begun'}). "
            "Wait for it to end, or end it, then type the same command again; reading goes on "
            "meanwhile."
        ) from error
    except OSError as error:
        raise LakeError(f"{lake} can't be written: {error.strerror}.") from error
    try:
        _write_holder(folder)
        yield
    finally:
        (folder / HOLDER_FILE).unlink(missing_ok=True)
        lock.release()


def holder(lake: Location) -> Holder | None:
    """Return the process that holds a lake's lock; None if there is none, or it can't be known."""
    folder = _folder(lake)
    found = _read_holder(folder)
    if found is None:
        return None
    lock = filelock.FileLock(folder / LOCK_FILE, timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        return found
    except OSError:
        return None
    lock.release()
    return None


def _folder(lake: Location) -> Path:
    if isinstance(lake, Path):
        return lake
    folder = cache_folder() / "locks" / hashlib.sha256(str(lake).encode()).hexdigest()[:32]
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _write_holder(folder: Path) -> None:
    own = Holder(
        host=socket.gethostname(),
        pid=os.getpid(),
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        command=shlex.join(sys.argv),
    )
    written = folder / f"{HOLDER_FILE}.partial"
    written.write_text(json.dumps(asdict(own)), encoding="utf-8")
    written.replace(folder / HOLDER_FILE)


def _read_holder(folder: Path) -> Holder | None:
    try:
        return Holder(**json.loads((folder / HOLDER_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
