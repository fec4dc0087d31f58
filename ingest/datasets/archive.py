"""Fetching a data set that is published as one archive."""

import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import pooch
import requests
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from leamstore.errors import LeamError

TIMEOUT: Final = 30.0
"""Seconds without a byte after which an address is given up."""


def fetch_archive(
    addresses: Sequence[str], known_hash: str, root: Path, progress: Progress | None = None
) -> Path:
    """Fetch a tar or zip archive, verify it and unpack it into a folder.

    A folder that holds something already is left alone. The archive is unpacked beside the folder
    and moved into place in one step, so that an interruption leaves nothing half unpacked; what
    was downloaded whole is kept, hidden, beside the folder until then.

    Parameters
    ----------
    addresses : sequence of str
        Where the archive is to be had, in order of preference.
    known_hash : str
        Hash of the archive: sha256 in hexadecimal, or another as in ``"md5:1206978c..."``.
    root : Path
        Folder to make.
    progress : Progress, optional
        Where to show how it goes, started by the caller; by default a bar of its own.

    Returns
    -------
    Path
        `root`.

    Raises
    ------
    LeamError
        If no address gives the archive, it isn't the right one, holds what leads out of the
        folder, or can't be written.
    """
    try:
        if root.is_dir() and any(root.iterdir()):
            return root
        root.parent.mkdir(parents=True, exist_ok=True)
        archive = root.parent / f".{root.name}.archive"
        with nullcontext(progress) if progress else _bar() as shown:
            _download(addresses, known_hash, archive, shown)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
            unpacked = Path(folder) / root.name
            _unpack(archive, unpacked)
            # An empty folder gives way.
            unpacked.replace(root)
        archive.unlink()
    except OSError as error:
        raise LeamError(f"{root} can't be written: {error}.") from error
    return root


class _PoochBar:
    """What pooch tells of a download, told to rich."""

    def __init__(self, progress: Progress, description: str) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=None)

    @property
    def total(self) -> float | None:
        return self._progress.tasks[self._task].total

    @total.setter
    def total(self, bytes_in_all: int) -> None:
        self._progress.update(self._task, total=bytes_in_all or None)

    def update(self, more_bytes: int) -> None:
        self._progress.advance(self._task, more_bytes)

    def reset(self) -> None:
        self._progress.reset(self._task)

    def close(self) -> None:
        self._progress.stop_task(self._task)


def _download(addresses: Sequence[str], known_hash: str, archive: Path, progress: Progress) -> None:
    """Fetch the archive from the first address that gives it."""
    failures = []
    for address in addresses:
        bar = _PoochBar(progress, address.rsplit("/", 1)[-1])
        downloader = pooch.HTTPDownloader(progressbar=bar, timeout=TIMEOUT, chunk_size=1 << 16)
        try:
            pooch.retrieve(address, known_hash, archive.name, archive.parent, downloader=downloader)
            return
        except requests.RequestException as error:
            failures.append(f"{address} ({error})")
        except ValueError:
            failures.append(f"{address} (gives a file whose hash is not {known_hash})")
    raise LeamError(
        f"The archive can't be fetched from {' or '.join(failures)}: "
        f"get it by hand and unpack it, then name its folder."
    )


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive, letting nothing out of the folder.

    A tar file with a link, a path or a device that leads out is refused; of a zip file such parts
    of a path are dropped.
    """
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as zipped:
                zipped.extractall(folder)
        else:
            with tarfile.open(archive) as tarred:
                tarred.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise LeamError(f"{archive} can't be unpacked: {error}.") from error


def _bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
