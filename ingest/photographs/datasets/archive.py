"""Unpacking a data set that is published as one archive."""

import lzma
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path
from typing import Final

from leamstore.errors import LeamError, line_of

_BROKEN: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    RuntimeError,  # encrypted, or packed in a way that Python doesn't know
)


def unpack(archive: Path, root: Path) -> None:
    """Unpack a tar or zip archive into a new folder, letting nothing out of it.

    It is unpacked to a temporary folder and renamed in one step, so that an interruption leaves
    nothing half unpacked. A tar file with a link, path or device that leads out is refused; of
    such paths in a zip file only the harmless parts are kept.

    Parameters
    ----------
    archive : Path
        The file.
    root : Path
        Folder to make; an empty one gives way.

    Raises
    ------
    LeamError
        If the archive is damaged, encrypted or leads out, holds more than there is room for, or
        the folder can't be written.
    """
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
            unpacked = Path(folder) / root.name
            unpacked.mkdir()
            _extract(archive, unpacked)
            unpacked.replace(root)
    except _BROKEN as error:
        raise LeamError(f"{archive} can't be unpacked: {line_of(error).rstrip('.:')}.") from error
    except OSError as error:
        raise LeamError(f"{archive} can't be unpacked to {root}: {error}.") from error


def _extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            _require_room(sum(member.file_size for member in zipped.infolist()), folder)
            zipped.extractall(folder)
    else:
        with tarfile.open(archive) as tarred:
            _require_room(sum(member.size for member in tarred), folder)
            tarred.extractall(folder, filter="data")


def _require_room(size: int, folder: Path) -> None:
    """Raise before anything is unpacked that would fill the disk."""
    if size > shutil.disk_usage(folder).free:
        raise ValueError(f"it holds {size:,} bytes, and there is no room for them")
