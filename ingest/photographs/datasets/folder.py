"""A folder of identities: ``ROOT/<identity>/<image>``.

Two optional csv files give attributes (see `ingest.photographs.datasets.attributes`).
"""

import os
import unicodedata
from pathlib import Path
from typing import Final

from ingest.photographs.datasets.attributes import (
    IDENTITIES,
    IMAGES,
    note_other_tables,
    read_attributes,
    years,
)
from ingest.photographs.datasets.photograph import Dataset, Photograph
from ingest.photographs.datasets.sentences import counted
from leamstore.errors import LeamError, some

NAME: Final = "folder"

LAYOUT: Final = (
    "a folder of identities has one folder per person with that person's images in it, "
    "as in Grace_Hopper/1.jpg"
)


def read(root: Path, dataset: str = NAME) -> Dataset:
    """Read a folder of identities.

    Every file right under an identity's folder is taken as an image, except hidden and csv files;
    whether it is one shows when it is read.

    Parameters
    ----------
    root : Path
        Folder that holds one folder per identity.
    dataset : str
        Name of the data set that the photographs carry.

    Raises
    ------
    LeamError
        If there is no such folder, it is laid out otherwise, or a csv file can't be understood.
    """
    notes: list[str] = []
    images = [
        # Composed, since macOS and Linux write the same name differently.
        (path, unicodedata.normalize("NFC", folder.name))
        for folder in _identity_folders(existing_folder(root), notes)
        for path in image_files(folder, notes)
    ]
    images.sort(key=lambda image: (image[1], str(image[0])))
    if not images:
        raise LeamError(f"No folder right in {root} holds an image: {LAYOUT}{_hint(root)}.")
    keys = [f"{identity}/{path.name}" for path, identity in images]
    of_identities = read_attributes(root, IDENTITIES, {name for _, name in images}, notes)
    of_images = read_attributes(root, IMAGES, keys, notes)
    note_other_tables(root, (IDENTITIES, IMAGES), notes)
    photographs = [
        Photograph(
            path,
            identity,
            dataset,
            age=years(of_images[key].get("age"), path),
            **of_identities[identity],
        )
        for (path, identity), key in zip(images, keys, strict=True)
    ]
    return Dataset(dataset, root, tuple(photographs), tuple(notes))


def _hint(root: Path) -> str:
    """Return the end of a sentence that names a folder in `root` which holds folders, if any."""
    nested = sorted(path.parent for path in root.glob("[!.]*/[!.]*") if path.is_dir())
    return f"; perhaps {nested[0]} is meant" if nested else ""


def existing_folder(root: Path) -> Path:
    """Return `root` if it is a folder with something in it.

    Raises
    ------
    LeamError
        If it is missing, not a folder, unreadable or empty.
    """
    remedy = "name the folder that holds the images"
    try:
        if next(root.iterdir(), None) is None:
            raise LeamError(f"The folder {root} is empty: {remedy}.")
    except FileNotFoundError:
        raise LeamError(f"There is no folder {root}: {remedy}.") from None
    except NotADirectoryError:
        raise LeamError(f"{root} is a file: {remedy}.") from None
    except OSError as error:
        raise LeamError(f"The folder {root} can't be read ({error.strerror}): {remedy}.") from error
    return root


def image_files(folder: Path, notes: list[str]) -> list[Path]:
    """Return the possible images directly in a folder, by name; add notes on other files."""
    entries = _visible(folder, notes)
    # A link stays, wherever it leads: reading it gives an image or a row with a reason.
    others = [entry.name for entry in entries if not (entry.is_symlink() or entry.is_file())]
    if others:
        notes.append(f"Left out of {folder}, as they are not files: {some(others)}.")
    return [folder / entry.name for entry in entries if entry.name not in set(others)]


def _identity_folders(root: Path, notes: list[str]) -> list[Path]:
    """Return the folders of identities; add a note on files next to them."""
    paths = [root / entry.name for entry in _visible(root, notes)]
    folders = [path for path in paths if path.is_dir()]
    loose = [path.name for path in paths if not path.is_dir()]
    if not folders:
        found = f"{counted(len(loose), 'file')} but no folder of an identity"
        raise LeamError(f"{root} holds {found}: {LAYOUT}.")
    if loose:
        left_out = counted(len(loose), "file")
        notes.append(f"Left out {left_out} right in {root}, of no identity: {some(loose)}.")
    return folders


def _visible(folder: Path, notes: list[str]) -> list[os.DirEntry[str]]:
    """Return a folder's entries by name, without csv files and hidden ones."""
    try:
        with os.scandir(folder) as scan:
            entries = sorted(scan, key=lambda entry: entry.name)
    except OSError as error:
        notes.append(f"Left out the folder {folder}, which can't be read ({error.strerror}).")
        return []
    odd = [entry.name for entry in entries if not _is_text(entry.name)]
    if odd:
        shown = some(name.encode("utf-8", "backslashreplace").decode() for name in odd)
        notes.append(f"Left out of {folder}, as their names are not UTF-8: {shown}.")
    return [
        entry
        for entry in entries
        if not entry.name.startswith(".")
        and not entry.name.lower().endswith(".csv")
        and entry.name not in odd
    ]


def _is_text(name: str) -> bool:
    """Return whether a name is UTF-8; other bytes become lone surrogates, which no table stores."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
