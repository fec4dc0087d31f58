"""Instances of DuckDB, kept by a process so that it need not start one for each connection.

Starting an instance takes some 40 ms of a core, attaching a file to it 2 ms. A file is attached
while somebody in this process is connected to it, and detached by the last one, so that other
processes have their turn.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import duckdb

MOST_IDLE: Final = 2
"""Instances that are kept while nobody is connected; each has threads and some MB."""

STORAGE_VERSION: Final = "v1.0.0"
"""The oldest release of DuckDB whose clients open the file: nothing of the schema needs more."""

IN_USE: Final = "held by another thread of this process"
"""Message of the error about a file that is held with another access."""

_LOGS: Final = (".wal", ".wal.checkpoint", ".wal.recovery")
"""Ends of the names of files that DuckDB keeps next to a database."""


@dataclass(frozen=True)
class Access:
    """What connections to a file may do.

    Attributes
    ----------
    file : Path
        The DuckDB file.
    reads_only : bool
        Whether the file is read, and nothing else of the machine is seen.
    limits : tuple of (str, str)
        Further settings of DuckDB, as ``("memory_limit", "512MB")``.
    takes_any_statement : bool
        Whether a reader's statements may be other than SELECT. By ATTACH or COPY these could write
        where a kept instance may look. So they get one that is opened on the file itself,
        read-only as a whole and without access to any path, and that is not kept.
    """

    file: Path
    reads_only: bool
    limits: tuple[tuple[str, str], ...] = ()
    takes_any_statement: bool = False


@contextmanager
def connected(access: Access) -> Iterator[duckdb.DuckDBPyConnection]:
    """Connect to a file within the context; connections of the same access share an instance.

    Raises
    ------
    duckdb.Error
        If the file can't be opened: it is no database, or it is locked by another process or
        held in this one with another access.
    """
    instance = _INSTANCES.enter(access)
    try:
        with instance.connection.cursor() as cursor:
            if not access.takes_any_statement:
                cursor.execute("USE lake")
            yield cursor
    except duckdb.FatalException:
        instance.is_usable = False
        raise
    finally:
        _INSTANCES.leave(instance)


@dataclass
class _Instance:
    """An instance of DuckDB, and how many are connected to the file that is attached to it."""

    access: Access
    connection: duckdb.DuckDBPyConnection
    users: int = 0
    is_usable: bool = True

    def attach(self) -> None:
        file = self.access.file
        if self.access.reads_only:
            how = "(READ_ONLY)"
        else:  # a file keeps the version in which it was created, even if a later release writes it
            how = "" if file.exists() else f"(STORAGE_VERSION '{STORAGE_VERSION}')"
        quoted = str(file).replace("'", "''")
        self.connection.execute(f"ATTACH '{quoted}' AS lake {how}")

    def detach(self) -> None:
        try:
            self.connection.execute("DETACH lake")
        except duckdb.Error:  # what was committed lies in the log
            self.is_usable = False


class _InstanceOfItsOwn(_Instance):
    """An instance that is opened on the file itself, and ends with the last connection."""

    def attach(self) -> None:
        """Do nothing: the file is there."""

    def detach(self) -> None:
        self.is_usable = False


class _Instances:
    """The instances of this process: those in use, and the last ones that were."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_access: dict[Access, _Instance] = {}
        os.register_at_fork(after_in_child=self._forget)

    def enter(self, access: Access) -> _Instance:
        """Return the instance with this access, its file attached."""
        with self._lock:
            self._require_one_access(access)
            instance = self._by_access.pop(access, None) or _start(access)
            if not instance.users:
                instance.attach()
            instance.users += 1
            self._by_access[access] = instance
            return instance

    def leave(self, instance: _Instance) -> None:
        """Detach the file if nobody else is connected, and keep the instance for the next."""
        with self._lock:
            instance.users -= 1
            if not instance.users:
                instance.detach()
            idle = [one for one in self._by_access.values() if not one.users]
            usable = [one for one in idle if one.is_usable]
            for one in idle:
                if one not in usable[-MOST_IDLE:]:
                    del self._by_access[one.access]
                    with suppress(duckdb.Error):
                        one.connection.close()

    def _require_one_access(self, access: Access) -> None:
        # The operating system's locks are a process's: they can't keep its own instances apart,
        # and the first one to close the file would end them for all.
        for other in self._by_access.values():
            if other.users and other.access.file == access.file and other.access != access:
                raise duckdb.ConnectionException(IN_USE)

    def _forget(self) -> None:
        """Leave the parent's instances alone, whose threads a forked process lacks."""
        self._lock = threading.Lock()
        self._of_parent, self._by_access = self._by_access, {}


def _start(access: Access) -> _Instance:
    if access.takes_any_statement:
        closed = {"enable_external_access": "false", "lock_configuration": "true"}
        connection = duckdb.connect(
            str(access.file), read_only=True, config={**dict(access.limits), **closed}
        )
        return _InstanceOfItsOwn(access, connection)
    # What exceeds the memory goes next to the file, as where DuckDB opens the file itself.
    settings: dict[str, Any] = {"temp_directory": f"{access.file}.tmp", **dict(access.limits)}
    connection = duckdb.connect(config=settings)
    if access.reads_only:
        allowed = [str(access.file), *(f"{access.file}{end}" for end in _LOGS)]
        connection.execute("SET allowed_paths = $allowed", {"allowed": allowed})
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    return _Instance(access, connection)


_INSTANCES: Final = _Instances()
