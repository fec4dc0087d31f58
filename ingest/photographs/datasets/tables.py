"""Reader of csv files, as people and spreadsheets write them."""

import csv
import io
import os
import re
from pathlib import Path
from typing import Final

import polars

from leamstore.errors import LeamError, line_of

MAX_NAMES: Final = 2**16
"""Most bytes of the header row: a million columns take a minute to read."""

SEPARATORS: Final = (",", ";", "\t", "|")
"""Separators between cells; spreadsheets of many countries write semicolons."""

_SAVE_AS: Final = "save it as CSV UTF-8"

_PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x9c", b"x\xda")
"""First bytes of gzip, zstd and zlib files, which polars would unpack, however large."""

_SEPARATOR_LINE: Final = re.compile(r"\ufeff?\"?sep=(.)\"?", re.IGNORECASE)
"""The line above the header that declares the separator to Excel."""


def find_table(folder: Path, name: str) -> Path | None:
    """Return the file of a name in a folder, without regard to case, or None.

    Raises
    ------
    LeamError
        If there are several.
    """
    try:
        with os.scandir(folder) as scan:
            found = sorted(one.name for one in scan if one.name.lower() == name and one.is_file())
    except OSError:
        return None
    if len(found) > 1:
        raise LeamError(f"{folder} holds {' and '.join(found)}: keep one of them, as {name}.")
    return folder / found[0] if found else None


def read_csv(path: Path) -> polars.DataFrame:
    """Return a csv file with all its cells as text and its columns' names in lower case.

    Cells may be separated by any of `SEPARATORS`: by what makes most columns of the first row.

    Raises
    ------
    LeamError
        If it isn't csv in UTF-8 with a row of names, or a row has more cells than that one.
    """
    try:
        with path.open("rb") as file:
            names, line_end = _row_of_names(file.readline(MAX_NAMES + 1))
            stated = _SEPARATOR_LINE.fullmatch(names)
            file.seek(0)
            # Given a path, polars would take [ and * in it for patterns.
            frame = _parsed(
                file.read(),
                stated[1] if stated else max(SEPARATORS, key=lambda one: _cells(names, one)),
                line_end,
                rows_above=1 if stated else 0,
            )
        return frame.rename(lambda column: column.strip().lower())
    except UnicodeDecodeError as error:
        raise LeamError(f"{path} can't be read as csv in UTF-8: {error}; {_SAVE_AS}.") from error
    except (polars.exceptions.PolarsError, OSError, ValueError, csv.Error) as error:
        reason = line_of(error).rstrip(".")
        remedy = f"; {_SAVE_AS}" if "utf-8" in reason.lower() else ""
        raise LeamError(f"{path} can't be read as csv in UTF-8: {reason}{remedy}.") from error


def _row_of_names(beginning: bytes) -> tuple[str, str]:
    """Return a file's first row as text, and the character that ends its rows."""
    if beginning.startswith(_PACKED):
        raise ValueError("it is packed")
    # Some spreadsheets end rows by a carriage return alone.
    line_end = "\n" if b"\r" not in beginning.rstrip(b"\r\n") else "\r"
    names = beginning.split(line_end.encode())[0]
    if len(names) > MAX_NAMES:
        raise ValueError(f"its first row is longer than {MAX_NAMES:,} bytes")
    return names.decode().strip("\r\n"), line_end


def _cells(row: str, separator: str) -> int:
    return len(next(csv.reader([row], delimiter=separator), []))


def _parsed(content: bytes, separator: str, line_end: str, rows_above: int) -> polars.DataFrame:
    def parse(drop_surplus: bool) -> polars.DataFrame:
        return polars.read_csv(
            content,
            separator=separator,
            eol_char=line_end,
            skip_rows=rows_above,
            infer_schema=False,
            truncate_ragged_lines=drop_surplus,
        )

    try:
        return parse(drop_surplus=False)
    except polars.exceptions.ComputeError:
        _check_rows(content, separator, rows_above)
        # The remaining complaints are empty cells at the ends of rows, as spreadsheets add them.
        return parse(drop_surplus=True)


def _check_rows(content: bytes, separator: str, rows_above: int) -> None:
    """Raise for the first row with more cells than the row of names, counted as spreadsheets do."""
    lines = io.StringIO(content.decode("utf-8-sig"), newline="")
    rows = enumerate(csv.reader(lines, delimiter=separator), 1)
    names = next(row for number, row in rows if number > rows_above)
    for number, row in rows:
        if any(cell.strip() for cell in row[len(names) :]):
            raise ValueError(
                f"row {number:,} has {len(row):,} cells, and the row of names has {len(names):,}"
            )
