"""Download of a data set to its folder, as the catalog describes it."""

import shutil
from pathlib import Path

from rich.console import Console

from ingest.downloads.downloader import Downloader
from ingest.photographs.datasets import imdb_face
from ingest.photographs.datasets.archive import unpack
from ingest.photographs.datasets.selection import NO_LIMITS, Limits
from leamstore.catalog import Dataset, RemoteFile, files
from leamstore.errors import LeamError


def fetch_dataset(
    entry: Dataset,
    root: Path,
    console: Console | None = None,
    limits: Limits = NO_LIMITS,
) -> None:
    """Download a data set to its folder, unless it is there or has no address.

    An archive is fetched to the cache folder, and unpacked where `root` is missing or empty; a
    folder that holds something is taken for the data set. Of IMDb-Face the csv is fetched, and
    those of its images that haven't been asked for.

    Parameters
    ----------
    entry : Dataset
        Entry of the catalog.
    root : Path
        Folder of the data set.
    console : Console, optional
        Where progress is shown; by default standard error.
    limits : Limits
        Which images of IMDb-Face to ask for (see `ingest.photographs.datasets.imdb_face.fetch`).

    Raises
    ------
    LeamError
        If it can't be fetched or written; the sentence says how to get it by hand.
    """
    if entry.archive is None:
        return
    if entry.name == imdb_face.NAME:
        table = root / imdb_face.TABLE
        if not table.exists():
            _copy(_archive(entry.archive, console), table)
        if not files.is_offline():
            imdb_face.fetch(root, limits, console=console)
    elif not root.exists() or (root.is_dir() and not any(root.iterdir())):
        unpack(_archive(entry.archive, console), root)


def _archive(file: RemoteFile, console: Console | None) -> Path:
    return files.locate(file) or Downloader(console).fetch(file)


def _copy(file: Path, place: Path) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    except OSError as error:
        raise LeamError(f"{place} can't be written: {error}.") from error
