"""Attributes of identities and images, from two optional csv files.

``identities.csv`` has the columns identity, gender, ethnicity; ``images.csv`` has path (relative
to ROOT, with slashes or backslashes) and age; the case of the files' names doesn't matter. Each is
looked for in ROOT, then in ROOT's parent; there it is taken only if it covers at least half of
ROOT's identities or images, because a parent folder may well belong to something else. Names are
compared in Unicode's composed form (NFC) and without spaces around them; rows that repeat are
taken once, rows that contradict each other are an error.

Values are converted to one spelling (`value_of`), so that ``Female``, ``female `` and ``F`` are one
group, and the paper's; values that mean unknown become None.
"""

import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Final

from ingest.photographs.datasets.photograph import Photograph
from ingest.photographs.datasets.sentences import counted
from ingest.photographs.datasets.tables import find_table, read_csv
from leamstore.errors import LeamError, some

MAX_AGE: Final = 150
"""Age in years above which it is taken for a mistake."""

MOST_GROUPS: Final = 200
"""Distinct values up to which they are compared by their letters."""

UNKNOWN: Final = frozenset({
    "", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "none", "null", "nil", "unknown", "unk",
    "undefined", "unspecified", "missing", "not available", "not known", "not stated", "-", "--",
    "---", "\N{EN DASH}", "\N{EM DASH}", ".", "?", "??", "???",
})  # fmt: skip
"""Values, in lower case, that mean unknown."""

SPELLINGS: Final = {
    "gender": {
        "f": "female", "woman": "female", "women": "female",
        "m": "male", "man": "male", "men": "male",
    },
    "ethnicity": {
        name.lower(): name
        for name in (
            "African", "Asian", "Black", "Caucasian", "East Asian", "Hispanic", "Indian", "Latino",
            "Middle Eastern", "South Asian", "Southeast Asian", "White",
        )
    },
}  # fmt: skip
"""How values are spelled that aren't left in lower case: genders as in the paper's Tables 22 and
23, ethnicities as in its section 4.8 and in published data sets."""


@dataclass(frozen=True)
class AttributeTable:
    """A csv file of attributes: its name, the column that is its key, its optional columns."""

    file_name: str
    key: str
    attributes: tuple[str, ...]


IDENTITIES: Final = AttributeTable("identities.csv", "identity", ("gender", "ethnicity"))
IMAGES: Final = AttributeTable("images.csv", "path", ("age",))


def read_attributes(
    root: Path, table: AttributeTable, keys: Collection[str], notes: list[str]
) -> dict[str, dict[str, str]]:
    """Read the attributes from the csv file in `root` or next to it.

    Parameters
    ----------
    root : Path
        Folder of the data set.
    table : AttributeTable
        Specification of the file.
    keys : collection of str
        Identities, or paths relative to `root`, that the data set holds.
    notes : list of str
        Gets a sentence about the file that was used or why it wasn't.

    Returns
    -------
    dict of dict
        The stated attributes of each key, by their names.

    Raises
    ------
    LeamError
        If the file in `root` can't be understood, or there are two that differ by case.
    """
    own = find_table(root, table.file_name)
    said: list[str] = []
    try:
        path = own or find_table(root.resolve().parent, table.file_name)
        rows = _read(path, table, said) if path else {}
    except LeamError as error:
        if own:
            raise
        notes.append(f"Not used, as it lies outside {root}: {error}")
        path = None
    if path is None:
        return {key: {} for key in keys}
    comparable = {key: _comparable(key) for key in keys}
    known = set(comparable.values())
    covered = len(rows.keys() & known)
    if not own and 2 * covered < len(known):
        notes.append(
            f"{path} is not used, as it lies outside {root} and covers only {covered:,} of its "
            f"{len(known):,} {Path(table.file_name).stem}."
        )
        return {key: {} for key in keys}
    notes += [*said, _usage(path, rows.keys(), known)]
    return {key: rows.get(plain, {}) for key, plain in comparable.items()}


def note_other_tables(root: Path, tables: Sequence[AttributeTable], notes: list[str]) -> None:
    """Add a note on csv files in a data set's folder that are none of its `tables`."""
    read = [table.file_name for table in tables]
    others = sorted(
        path.name
        for path in root.glob("[!.]*")
        if path.suffix.lower() == ".csv" and path.name.lower() not in read and path.is_file()
    )
    if others:
        notes.append(
            f"Not read in {root}: {some(others)}; attributes come from {' and '.join(read)}."
        )


def value_of(attribute: str, cell: str | None) -> str | None:
    """Return what a cell says in the spelling common to a lake, or None if it says nothing.

    Parameters
    ----------
    attribute : str
        ``gender``, ``ethnicity`` or ``age``.
    cell : str, optional
        As a csv file has it.

    Returns
    -------
    str, optional
        In lower case, spaces and underscores as single spaces; names in `SPELLINGS` as there.
    """
    composed = unicodedata.normalize("NFC", cell or "").replace("_", " ").replace("\ufeff", "")
    plain = " ".join(composed.split()).lower()
    if plain in UNKNOWN:
        return None
    return SPELLINGS.get(attribute, {}).get(plain, plain)


def years(age: str | None, place: object) -> float | None:
    """Return an age in years, or None where none is stated; a comma may be the decimal sign.

    Raises
    ------
    LeamError
        If it isn't a number of years; the message names its `place`.
    """
    known = value_of("age", age)
    if known is None:
        return None
    try:
        number = float(re.sub(r"^(\d+),(\d{1,2})$", r"\1.\2", known))
    except ValueError:
        number = float("nan")
    if not 0.0 <= number <= MAX_AGE or " " in known:
        raise LeamError(
            f"{IMAGES.file_name} says that {place} shows someone aged {age!r}: "
            f"age is a number of years from 0 to {MAX_AGE}."
        )
    return number


def distinct_values(photographs: Sequence[Photograph]) -> list[str]:
    """Return a sentence for each attribute that is stated: how many values, and of whom.

    A further one warns of values that differ by one letter, which are likely meant to be one.
    """
    said = []
    people = {photograph.identity: photograph for photograph in photographs}
    for attribute in IDENTITIES.attributes:
        counts = Counter(
            value for person in people.values() if (value := getattr(person, attribute)) is not None
        )
        if counts:
            values = some((f"{value} {n:,}" for value, n in counts.most_common()), 8)
            stated = f"stated of {counts.total():,} of {len(people):,} identities"
            said.append(
                f"{attribute}: {counted(len(counts), 'distinct value')}, {stated}: {values}."
            )
        alike = [
            f"{first!r} and {second!r}"
            for first, second in combinations(
                sorted(counts) if len(counts) <= MOST_GROUPS else (), 2
            )
            if _differ_by_one_letter(first, second)
        ]
        if alike:
            said.append(
                f"{attribute}: {some(alike)} differ by one letter; if one group is meant, give "
                f"it one spelling in {IDENTITIES.file_name}."
            )
    ages = [photograph.age for photograph in photographs if photograph.age is not None]
    if ages:
        stated = f"stated of {len(ages):,} of {len(photographs):,} images"
        values = f"{min(ages):g} to {max(ages):g} years"
        said.append(f"age: {counted(len(set(ages)), 'distinct value')}, {stated}: {values}.")
    return said


def _differ_by_one_letter(first: str, second: str) -> bool:
    """Return whether two values differ by one letter inserted, deleted or replaced.

    Codes of one or two letters always would, and are meant to differ.
    """
    short, long = sorted((first.lower(), second.lower()), key=len)
    if len(short) < 3 or len(long) - len(short) > 1:
        return False
    start = len(posixpath.commonprefix([short, long]))
    return short[start:] == long[start + 1 :] or short[start + 1 :] == long[start + 1 :]


def _usage(source: Path, stated: Iterable[str], known: set[str]) -> str:
    """Return a sentence on the people or images that a file covers."""
    unknown = sorted(set(stated) - known)
    kind = source.stem.lower()
    used = f"{source} covers {len(known & set(stated)):,} of {len(known):,} {kind}"
    if not unknown:
        return f"{used}."
    return f"{used}; {counted(len(unknown), 'row')} without a match here ({some(unknown)})."


def _comparable(key: str) -> str:
    composed = unicodedata.normalize("NFC", key.replace("\ufeff", "").strip())
    return posixpath.normpath(composed.replace("\\", "/"))


def _read(path: Path, table: AttributeTable, notes: list[str]) -> dict[str, dict[str, str]]:
    """Return the attributes in a csv file by comparable key; what says nothing is left out.

    `notes` gets a sentence on values that are read differently than written.
    """
    frame = read_csv(path)
    attributes = [column for column in table.attributes if column in frame.columns]
    if table.key not in frame.columns or not attributes:
        raise LeamError(
            f"{path} needs the columns {table.key} and {' or '.join(table.attributes)}, "
            f"separated by commas, but has {some(frame.columns)}."
        )
    rows: dict[str, dict[str, str]] = {}
    for key, *cells in frame.select(table.key, *attributes).iter_rows():
        values = {
            attribute: value_of(attribute, cell)
            for attribute, cell in zip(attributes, cells, strict=True)
        }
        stated = {attribute: value for attribute, value in values.items() if value is not None}
        if (key or "").strip() and rows.setdefault(_comparable(key), stated) != stated:
            raise LeamError(f"{path} contradicts itself about {key}: keep one row per {table.key}.")
    notes += [
        sentence
        for attribute in attributes
        if (sentence := _respelled(path, attribute, frame[attribute].drop_nulls().unique()))
    ]
    return rows


def _respelled(path: Path, attribute: str, cells: Iterable[str]) -> str:
    """Return a sentence on the values of an attribute that are read otherwise than written."""
    ways = [
        f"{cell!r} as {value or 'unknown'}"
        for cell in sorted(cells)
        if cell.strip() and cell.strip() != (value := value_of(attribute, cell))
    ]
    return f"{path}: {attribute} reads {some(ways, 8)}." if ways else ""
