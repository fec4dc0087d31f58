"""Unpacking a data set that is published as one archive."""

import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

from leamstore.errors import LeamError


def unpack(archive: Path, root: Path) -> None:
    """Unpack a tar or zip archive into a new folder, letting nothing out of it.

    It is unpacked beside its place and moved there in one step, so that an interruption leaves
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
        If the archive is damaged or leads out, or the folder can't be written.
    """
    try:
        root.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root.parent, prefix=".unpacking-") as folder:
            unpacked = Path(folder) / root.name
            unpacked.mkdir()
            _extract(archive, unpacked)
            unpacked.replace(root)
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise LeamError(f"{archive} can't be unpacked: {str(error).rstrip('.')}.") from error
    except OSError as error:
        raise LeamError(f"{archive} can't be unpacked to {root}: {error}.") from error


def _extract(archive: Path, folder: Path) -> None:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
    else:
        with tarfile.open(archive) as tarred:
            tarred.extractall(folder, filter="data")
