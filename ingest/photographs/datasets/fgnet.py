"""FG-NET: 1002 photographs of 82 people aged 0 to 69, all in one folder.

``001A02.JPG`` shows person 001 at age 2; a letter after the age, as in ``078A11a.JPG``, tells
photographs of the same age apart. FG-NET states no gender; an ``identities.csv`` may, with
identities such as 001.
"""

import re
from pathlib import Path
from typing import Final

from ingest.photographs.datasets.attributes import IDENTITIES, note_other_tables, read_attributes
from ingest.photographs.datasets.folder import existing_folder, image_files
from ingest.photographs.datasets.photograph import Dataset, Photograph
from ingest.photographs.datasets.sentences import counted
from leamstore.errors import LeamError, some

NAME: Final = "fgnet"

FOLDERS: Final = (".", "images", "FGNET/images")
"""Folder of the photographs in an unpacked archive."""

_FILE_NAME: Final = re.compile(r"([0-9]{3})A([0-9]{2})[a-z]?\.(jpe?g|png|bmp|tiff?)", re.IGNORECASE)


def read(root: Path) -> Dataset:
    """Read FG-NET; files that are named otherwise are left out, with a note."""
    existing_folder(root)
    for folder in (root / name for name in FOLDERS):
        notes: list[str] = []
        files = image_files(folder, notes) if folder.is_dir() else []
        matches = {path: _FILE_NAME.fullmatch(path.name) for path in files}
        if any(matches.values()):
            break
    else:
        raise LeamError(
            f"No file in {root} is named as FG-NET's are, like 001A02.JPG for person 001 at age 2."
        )
    others = [path.name for path, match in matches.items() if match is None]
    if others:
        named = f"named like 001A02.JPG: {some(others)}"
        notes.append(f"Left out {counted(len(others), 'file')} of {folder} that are not {named}.")
    known = {path: match for path, match in matches.items() if match is not None}
    attributes = read_attributes(root, IDENTITIES, {match[1] for match in known.values()}, notes)
    note_other_tables(root, (IDENTITIES,), notes)
    photographs = [
        Photograph(
            path,
            identity=match[1],
            dataset=NAME,
            age=float(match[2]),
            **attributes[match[1]],
        )
        for path, match in known.items()
    ]
    return Dataset(NAME, root, tuple(photographs), tuple(notes))
