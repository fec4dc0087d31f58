"""Files of weights that are handed out within a zip file, taken out into the cache folder."""

import errno
import os
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from leamstore.catalog import Member, Weights, files
from leamstore.errors import WeightsError, line_of


def take_out(member: Member, weights: Weights, find_zip: Callable[[], Path]) -> Path:
    """Return the file of weights that lies in a zip file.

    Parameters
    ----------
    member : leamstore.catalog.entries.Member
    weights : leamstore.catalog.entries.Weights
        The entry of the zip file.
    find_zip : callable
        Returns the zip file, and is called only if the member wasn't taken out before.

    Returns
    -------
    Path
        In a folder of the cache that has the name of the zip file without its ending.

    Raises
    ------
    WeightsError
        If the zip file is damaged, has no such member or several, or one of another sha256.
    """
    place = files.place(weights).with_suffix("") / member.name
    if place.is_file() and member.sha256 in (None, files.sha256_of(place)):
        return place
    path = find_zip()
    partial = place.with_name(f"{place.name}.{os.getpid()}.partial")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path) as archive:
            inside = _find(archive, member, path)
            if inside.file_size > shutil.disk_usage(place.parent).free:
                raise OSError(errno.ENOSPC, "less free space than the file needs")
            with archive.open(inside) as source, partial.open("wb") as taken:
                shutil.copyfileobj(source, taken)
    except OSError as error:
        raise WeightsError(f"{place} cannot be written: {error.strerror}.") from error
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is damaged, or no zip file ({line_of(error)}): remove it. "
            f"{files.by_hand(weights)}"
        ) from error
    found = files.sha256_of(partial)
    if member.sha256 not in (None, found):
        partial.unlink()
        raise WeightsError(
            f"{member.name} in {path} has the sha256 {found} instead of {member.sha256}: remove "
            f"the file. {files.by_hand(weights)}"
        )
    partial.replace(place)
    return place


def _find(archive: zipfile.ZipFile, member: Member, path: Path) -> zipfile.ZipInfo:
    """Return the one member of that name, in whatever folder of the zip file."""
    named = [one for one in archive.infolist() if one.filename.rpartition("/")[2] == member.name]
    if len(named) != 1:
        number = "none" if not named else str(len(named))
        raise WeightsError(
            f"{path} holds {number} of the name {member.name}, where one belongs: write the right "
            "name as member in the catalog entry, or take the file out by hand and name it as file."
        )
    return named[0]
