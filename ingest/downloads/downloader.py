"""Downloads of the catalog's files to the cache folder: resumed, verified, moved when complete.

The received part of a file is kept in the folder ``partial`` of the cache folder, with a note of
its address and version. A later try continues from there if the host still has that version (an
``If-Range`` request), and starts over if not.
"""

import errno
import math
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO, Final

import requests
from filelock import FileLock, Timeout
from rich import progress as bars
from rich.console import Console

from ingest.downloads.http import Client, NoFileError, Policy, Receiver
from leamstore.cache_folder import cache_folder
from leamstore.catalog import RemoteFile, files
from leamstore.errors import WeightsError

POLICY: Final = Policy(
    connect_timeout=5.0,
    timeout=30.0,
    deadline=math.inf,
    redirects=30,
    retried=frozenset({"server-error", "busy", "truncated", "slow", "unreachable"}),
    pause=2.0,
    connection_failures=1,
)
"""Policy of downloads of weights and archives: few and large files, so without a time limit."""


class Downloader:
    """Downloads of one command: a host that can't be reached is asked for one file only.

    Parameters
    ----------
    console : Console, optional
        Where the progress bar is drawn; by default standard error.
    policy : ingest.downloads.http.Policy
        Rules for retries and timeouts.
    """

    def __init__(self, console: Console | None = None, policy: Policy = POLICY) -> None:
        self._console = console or Console(stderr=True)
        self._client = Client(policy)

    def look_for_hosts(self, wanted: Iterable[RemoteFile]) -> None:
        """Look for the hosts of files all at once, so that their timeouts don't add up."""
        if not files.is_offline():
            self._client.look_for_hosts(url for file in wanted for url in file.all_addresses)

    def fetch(self, file: RemoteFile) -> Path:
        """Fetch a file from the first of its addresses and mirrors that gives it.

        Where the catalog states no sha256, that of the first download is recorded beside the
        file, and later downloads have to have it.

        Parameters
        ----------
        file : RemoteFile
            Entry of the catalog.

        Returns
        -------
        Path
            The file in the cache folder, of the size and sha256 that the catalog states.

        Raises
        ------
        WeightsError
            If no address gives the right file, it can't be written, or LEAM_OFFLINE is set.
        """
        if files.is_offline():
            raise WeightsError(f"LEAM_OFFLINE forbids fetching {file.file}. {files.by_hand(file)}")
        if not file.all_addresses:
            raise WeightsError(f"{file.file} can't be fetched. {files.by_hand(file)}")
        partial = _Partial(cache_folder() / "partial" / file.file.replace("/", "__"))
        with _writing(file, partial), partial.locked(self._console):
            if not files.place(file).is_file():  # unless another process fetched it meanwhile
                _fetch(file, partial, self._console, self._client)
        return files.place(file)


class _Partial:
    """The received part of a file, and a note of its address and version."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._note = path.with_name(f"{path.name}.origin")

    @contextmanager
    def locked(self, console: Console) -> Iterator[None]:
        """Keep other processes from fetching the same file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{self.path}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            console.print(f"Waiting for another process, which fetches {self.path.name}.")
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def note(self, address: str, version: str) -> None:
        """Record the address and version of the file; the version is empty if unknown."""
        self._note.write_text(f"{address}\n{version}")

    @property
    def origin(self) -> tuple[str, str]:
        """The address and the version of the received part."""
        if not self._note.is_file():
            return "", ""
        address, _, version = self._note.read_text().partition("\n")
        return address, version

    @property
    def resumable(self) -> bool:
        """Whether a later try can continue from the received part."""
        version = self.origin[1]
        has_arrived = self.path.is_file() and self.path.stat().st_size > 0
        return has_arrived and bool(version) and not version.startswith("W/")

    def discard(self) -> None:
        """Remove the received part."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def move(self, place: Path) -> None:
        """Move the complete file to its place."""
        place.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(place)
        self._note.unlink(missing_ok=True)


@dataclass
class _PartialReceiver(Receiver):
    """Receiver that appends to a partial file, or starts it over."""

    _partial: _Partial
    _stream: BinaryIO
    _size: int | None
    _progress: bars.Progress
    _task: bars.TaskID

    def headers(self, url: str) -> dict[str, str]:
        """Return the headers that request the rest of the file."""
        self._stream.flush()
        plain = {"Accept-Encoding": "identity"}
        if not self._partial.resumable or self._partial.origin[0] != url:
            return plain
        return plain | {
            "Range": f"bytes={self._stream.tell()}-",
            "If-Range": self._partial.origin[1],
        }

    def begin(self, url: str, response: requests.Response) -> None:
        """Prepare the partial file for the coming response."""
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            content_range = response.headers.get("Content-Range", "")
            if not content_range.startswith(f"bytes {self._stream.tell()}-"):
                self._empty()
                raise NoFileError("truncated", "gave another range than it was asked for", url)
        elif response.status_code == HTTPStatus.OK:
            self._empty()
            version = response.headers.get("ETag", response.headers.get("Last-Modified", ""))
            self._partial.note(url, version)
        elif response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self._empty()
        size = int(response.headers.get("Content-Length", 0))
        if size > shutil.disk_usage(self._partial.path.parent).free:
            raise OSError(errno.ENOSPC, "less free space than the file needs")
        arrived = self._stream.tell()
        whole = arrived + size if size else None
        self._progress.update(self._task, completed=arrived, total=whole)

    def write(self, chunk: bytes) -> None:
        """Append bytes, if the file doesn't become larger than the catalog states."""
        if self._size is not None and self._stream.tell() + len(chunk) > self._size:
            self._empty()
            complaint = f"gave no file (more than the {self._size:,} bytes that it has)"
            raise NoFileError("too-large", complaint)
        self._stream.write(chunk)
        self._progress.advance(self._task, len(chunk))

    def _empty(self) -> None:
        if self._stream.tell():
            self._stream.seek(0)
            self._stream.truncate()


def _fetch(file: RemoteFile, partial: _Partial, console: Console, client: Client) -> None:
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.DownloadColumn(),
        bars.TransferSpeedColumn(),
        bars.TimeRemainingColumn(),
    )
    complaints = []
    with bars.Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(file.file, total=None)
        for address in file.all_addresses:
            try:
                with partial.path.open("ab") as stream:
                    receiver = _PartialReceiver(partial, stream, file.size, progress, task)
                    client.receive(address, receiver)
            except NoFileError as error:
                complaints.append(f"{address} {error.complaint}")
                continue
            wrong = files.fault(file, partial.path)
            if wrong is None:
                if file.sha256 is None:
                    files.record_first_sha256(file, partial.path)
                partial.move(files.place(file))
                console.print(f"Fetched {file.file} from {address}", markup=False, soft_wrap=True)
                return
            partial.discard()
            complaints.append(f"{address} gave a file that {wrong}")
    if not partial.resumable:
        partial.discard()
    reasons = "; ".join(complaints)
    raise WeightsError(f"{file.file} could not be fetched: {reasons}. {files.by_hand(file)}")


@contextmanager
def _writing(file: RemoteFile, partial: _Partial) -> Iterator[None]:
    """Turn what the disk refuses into sentences."""
    try:
        yield
    except OSError as error:
        folder = cache_folder()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            partial.discard()
            problem = f"There is no space left in {folder} for {file.file}"
        else:
            problem = f"{error.filename or folder} cannot be written ({error.strerror})"
        raise WeightsError(
            f"{problem}: make room there, or name another cache folder by LEAM_CACHE."
        ) from error
