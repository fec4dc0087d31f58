"""Reading csv files that strangers wrote."""

from pathlib import Path
from typing import Final

import polars

from leamstore.errors import LeamError

MAX_NAMES: Final = 2**16
"""Bytes of the row of names: a million columns take a minute to read."""

_PACKED: Final = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"x\x01", b"x\x9c", b"x\xda")
"""How files of gzip, zstd and zlib begin, which polars would unpack, however large."""


def read_csv(path: Path) -> polars.DataFrame:
    """Return a csv file with all its cells as text and its columns' names in lower case.

    Raises
    ------
    LeamError
        If it isn't csv in UTF-8 with a row of names.
    """
    try:
        _check_names(path)
        # Given a path, polars would take [ and * in it for patterns.
        with path.open("rb") as file:
            frame = polars.read_csv(file, infer_schema=False)
        return frame.rename(lambda column: column.strip().lower())
    except (polars.exceptions.PolarsError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise LeamError(f"{path} can't be read as csv in UTF-8: {reason}.") from error


def _check_names(path: Path) -> None:
    with path.open("rb") as file:
        names = file.readline(MAX_NAMES + 1)
    if names.startswith(_PACKED):
        raise ValueError("it is packed")
    if len(names) > MAX_NAMES:
        raise ValueError(f"its first row is longer than {MAX_NAMES:,} bytes")
    names.decode()
