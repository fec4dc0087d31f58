"""Files fetched into the cache folder: resumed, verified, and never half-written in their place.

What has arrived of a file lies in the folder ``partial`` of the cache folder, beside a note of
the address and the version that it is of. A later try goes on from there if the host still has
that version (an ``If-Range`` request), and from the start if not.
"""

import errno
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO, Final

import pooch
import requests
import urllib3
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from leamstore.catalog import RemoteFile, files
from leamstore.errors import WeightsError


@dataclass(frozen=True)
class Patience:
    """How often and how long to ask a host."""

    attempts: int = 3
    """Times to ask an address whose host fails or breaks off."""
    pause: float = 2.0
    """Seconds before asking again, doubled each time."""
    silence: float = 30.0
    """Seconds without a byte after which a host counts as silent."""


_BROKEN: Final = requests.exceptions.ChunkedEncodingError

_COMPLAINTS: Final = (
    (_BROKEN, "broke off before the file was complete"),
    (requests.Timeout, "was silent for too long"),
    (requests.TooManyRedirects, "redirects without end"),
    (requests.exceptions.SSLError, "has no certificate that is trusted"),
    (requests.ConnectionError, "could not be reached"),
)
"""What an exception means, as the end of a sentence; the first that fits."""

_PASSING: Final = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""Answers after which an address may give the file when asked again."""


def fetch(
    file: RemoteFile, console: Console | None = None, patience: Patience | None = None
) -> Path:
    """Fetch a file from the first of its addresses that gives it.

    Parameters
    ----------
    file : RemoteFile
        Entry of the catalog.
    console : Console, optional
        Where the progress bar is drawn; by default standard error.
    patience : Patience, optional
        How often and how long to ask.

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
        raise WeightsError(f"LEAM_OFFLINE forbids to fetch {file.file}. {files.by_hand(file)}")
    if not file.addresses:
        raise WeightsError(f"{file.file} can't be fetched. {files.by_hand(file)}")
    console = console or Console(stderr=True)
    partial = _Partial(files.cache_folder() / "partial" / file.file.replace("/", "__"))
    with _writing(file, partial), partial.locked(console):
        if not files.place(file).is_file():  # unless another process fetched it meanwhile
            _fetch(file, partial, console, patience or Patience())
    return files.place(file)


class _Partial:
    """What has arrived of a file, and the note of what it is of: an address and a version."""

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

    def begin(self, address: str, response: requests.Response) -> None:
        """Note which version of the file is arriving, if its host tells versions apart."""
        version = response.headers.get("ETag", response.headers.get("Last-Modified", ""))
        self._note.write_text(f"{address}\n{version}")

    def headers(self, address: str) -> dict[str, str]:
        """Return the headers that ask an address for what hasn't arrived yet."""
        plain = {"Accept-Encoding": "identity"}
        if not self.resumable or self._origin()[0] != address:
            return plain
        size = self.path.stat().st_size
        return plain | {"Range": f"bytes={size}-", "If-Range": self._origin()[1]}

    @property
    def resumable(self) -> bool:
        """Whether a later try can go on from what has arrived."""
        version = self._origin()[1]
        has_arrived = self.path.is_file() and self.path.stat().st_size > 0
        return has_arrived and bool(version) and not version.startswith("W/")

    def discard(self) -> None:
        """Remove what has arrived."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def move(self, place: Path) -> None:
        """Put the file, which is complete, in its place."""
        place.parent.mkdir(parents=True, exist_ok=True)
        self.path.replace(place)
        self._note.unlink(missing_ok=True)

    def _origin(self) -> tuple[str, str]:
        if not self._note.is_file():
            return "", ""
        address, _, version = self._note.read_text().partition("\n")
        return address, version


class _Bar:
    """A rich progress bar in the form that pooch wants: it sets `total` and calls the others."""

    total = 0

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None)
        self._arrived_before = 0

    def begin(self, arrived_before: int) -> None:
        """Begin with the bytes that an earlier try brought, which `total` doesn't count."""
        self._arrived_before = arrived_before
        self.reset()

    def reset(self) -> None:
        self._progress.update(self._task, completed=self._arrived_before)

    def update(self, size: int) -> None:
        whole = self._arrived_before + self.total if self.total else None
        self._progress.update(self._task, advance=size, total=whole)

    def close(self) -> None:
        self._progress.refresh()


def _fetch(file: RemoteFile, partial: _Partial, console: Console, patience: Patience) -> None:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    complaints = []
    with Progress(*columns, console=console, transient=True) as progress:
        bar = _Bar(progress, file.file)
        for address in file.addresses:
            complaint = _ask(address, file, partial, bar, patience)
            if complaint is None:
                partial.move(files.place(file))
                return
            complaints.append(f"{address} {complaint}")
    if not partial.resumable:
        partial.discard()
    reasons = "; ".join(complaints)
    raise WeightsError(f"{file.file} could not be fetched: {reasons}. {files.by_hand(file)}")


def _ask(
    address: str, file: RemoteFile, partial: _Partial, bar: _Bar, patience: Patience
) -> str | None:
    """Ask an address until the file is complete: return None, or the end of a sentence."""
    complaint = None
    for attempt in range(patience.attempts):
        if attempt:
            time.sleep(patience.pause * 2 ** (attempt - 1))
        try:
            _download(address, file.size, partial, bar, patience.silence)
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            complaint = _complaint(error)
            if not _may_pass(error):
                break
        else:
            wrong = files.fault(file, partial.path)
            if wrong is not None:
                partial.discard()
            return wrong and f"gave a file that {wrong}"
    return complaint


def _download(address: str, size: int | None, partial: _Partial, bar: _Bar, silence: float) -> None:
    """Append to the partial file what it lacks, or fill it anew."""

    def prepare(response: requests.Response, **_: Any) -> None:
        """Make the partial file fit what is about to arrive."""
        if response.status_code == HTTPStatus.PARTIAL_CONTENT:
            bar.begin(stream.tell())
            if not response.headers.get("Content-Range", "").startswith(f"bytes {stream.tell()}-"):
                partial.discard()
                raise requests.exceptions.ChunkedEncodingError("another range than asked for")
        elif response.status_code == HTTPStatus.OK:
            bar.begin(0)
            if stream.tell():
                stream.truncate(0)
            partial.begin(address, response)
        elif response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            partial.discard()
        size = int(response.headers.get("Content-Length", 0))
        if size > shutil.disk_usage(partial.path.parent).free:
            raise OSError(errno.ENOSPC, "less free space than the file needs")

    headers = partial.headers(address)
    with partial.path.open("ab") as stream:
        downloader = pooch.HTTPDownloader(
            progressbar=bar,
            chunk_size=1 << 16,
            timeout=silence,
            headers=headers,
            hooks={"response": prepare},
        )
        downloader(address, stream if size is None else _Bounded(stream, size), None)


class _Bounded:
    """A file being written that takes no more bytes than it should have in the end."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._stream = stream
        self._most = most

    def write(self, chunk: bytes) -> None:
        if self._stream.tell() + len(chunk) > self._most:
            self._stream.truncate(0)
            raise ValueError(f"more than the {self._most:,} bytes that it has")
        self._stream.write(chunk)

    def flush(self) -> None:
        self._stream.flush()


def _may_pass(error: Exception) -> bool:
    """Tell whether the same address may give the file when asked again."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return error.response.status_code in _PASSING
    return isinstance(error, _BROKEN | requests.ConnectionError | requests.Timeout)


def _complaint(error: Exception) -> str:
    """Return what went wrong as the end of a sentence that begins with the address."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"answers {error.response.status_code} {error.response.reason}"
    if error.args and isinstance(error.args[0], urllib3.exceptions.ReadTimeoutError):
        error = requests.Timeout()  # requests calls silence midway a lost connection
    sentences = (sentence for kind, sentence in _COMPLAINTS if isinstance(error, kind))
    return next(sentences, f"gave no file ({error})")


@contextmanager
def _writing(file: RemoteFile, partial: _Partial) -> Iterator[None]:
    """Turn what the disk refuses into sentences."""
    try:
        yield
    except OSError as error:
        folder = files.cache_folder()
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            partial.discard()
            problem = f"There is no space left in {folder} for {file.file}"
        else:
            problem = f"{error.filename or folder} cannot be written ({error.strerror})"
        raise WeightsError(
            f"{problem}: make room there, or name another cache folder by LEAM_CACHE."
        ) from error
