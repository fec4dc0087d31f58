"""Attributes of identities and images, from two optional csv files.

``identities.csv`` has the columns identity, gender, ethnicity; ``images.csv`` has path (relative
to ROOT) and age. Each is looked for in ROOT, then in ROOT's parent; there it is taken only if it
speaks of at least half of ROOT's identities or images, because a parent folder may well belong
to something else. Names are compared in Unicode's composed form (NFC) and without spaces around
them; rows that repeat are taken once, rows that contradict each other are an error.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from ingest.photographs.datasets.sentences import counted, some_of
from ingest.photographs.datasets.tables import read_csv
from leamstore.errors import LeamError

MAX_AGE: Final = 150
"""Years above which an age is a mistake."""


@dataclass(frozen=True)
class AttributeTable:
    """A csv file of attributes: its name, the column that is its key, its optional columns."""

    file_name: str
    key: str
    attributes: tuple[str, ...]


IDENTITIES: Final = AttributeTable("identities.csv", "identity", ("gender", "ethnicity"))
IMAGES: Final = AttributeTable("images.csv", "path", ("age",))


@dataclass(frozen=True)
class Attributes:
    """What a csv file says, by key."""

    rows: dict[str, dict[str, str]]

    def of(self, key: str) -> dict[str, str]:
        """Return the attributes of an identity or an image, empty if none are stated."""
        return self.rows.get(_comparable(key), {}) if self.rows else {}


def read_attributes(
    root: Path, table: AttributeTable, keys: Iterable[str], notes: list[str]
) -> Attributes:
    """Return what the csv file in `root` or beside it says.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    table : AttributeTable
        Which file.
    keys : iterable of str
        Identities, or paths relative to `root`, that the data set holds.
    notes : list of str
        Gets a sentence about the file that was used or why it wasn't.

    Raises
    ------
    LeamError
        If the file in `root` can't be understood.
    """
    own, beside = root / table.file_name, root.resolve().parent / table.file_name
    if own.is_file():
        rows = _read(own, table)
        notes.append(_usage(own, rows.keys(), _known(keys)))
        return Attributes(rows)
    if not beside.is_file():
        return Attributes({})
    try:
        rows = _read(beside, table)
    except LeamError as error:
        notes.append(f"Not used, as it lies outside {root}: {error}")
        return Attributes({})
    known = _known(keys)
    if 2 * len(rows.keys() & known) < len(known):
        notes.append(
            f"{beside} is not used, as it lies outside {root} and speaks of only "
            f"{len(rows.keys() & known):,} of its {len(known):,} {beside.stem}."
        )
        return Attributes({})
    notes.append(_usage(beside, rows.keys(), known))
    return Attributes(rows)


def years(age: str | None, place: object) -> float | None:
    """Return an age in years, or None where none is stated.

    Raises
    ------
    LeamError
        If it isn't a number of years; `place` says where it stands.
    """
    if age is None:
        return None
    try:
        number = float(age)
    except ValueError:
        number = float("nan")
    if not 0.0 <= number <= MAX_AGE:
        raise LeamError(
            f"{IMAGES.file_name} says that {place} shows someone aged {age!r}: "
            f"age is a number of years from 0 to {MAX_AGE}."
        )
    return number


def _usage(source: Path, stated: Iterable[str], known: set[str]) -> str:
    """Return a sentence on whom or what a file speaks of."""
    unknown = sorted(set(stated) - known)
    used = f"{source} speaks of {len(known & set(stated)):,} of {len(known):,} {source.stem}"
    if not unknown:
        return f"{used}."
    return f"{used}; {counted(len(unknown), 'row')} name what isn't there ({some_of(unknown)})."


def _known(keys: Iterable[str]) -> set[str]:
    return {_comparable(key) for key in keys}


def _comparable(key: str) -> str:
    return str(PurePosixPath(unicodedata.normalize("NFC", key.strip())))


def _read(path: Path, table: AttributeTable) -> dict[str, dict[str, str]]:
    """Return the attributes in a csv file by comparable key; empty cells are left out.

    Raises
    ------
    LeamError
        If it isn't csv in UTF-8, lacks its columns, or contradicts itself.
    """
    frame = read_csv(path)
    attributes = [column for column in table.attributes if column in frame.columns]
    if table.key not in frame.columns or not attributes:
        raise LeamError(
            f"{path} needs the columns {table.key} and {' or '.join(table.attributes)}, "
            f"separated by commas, but has {some_of(frame.columns)}."
        )
    rows: dict[str, dict[str, str]] = {}
    for key, *cells in frame.select(table.key, *attributes).iter_rows():
        stated = {
            attribute: cell.strip()
            for attribute, cell in zip(attributes, cells, strict=True)
            if (cell or "").strip()
        }
        if (key or "").strip() and rows.setdefault(_comparable(key), stated) != stated:
            raise LeamError(f"{path} contradicts itself about {key}: keep one row per {table.key}.")
    return rows
