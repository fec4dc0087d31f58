"""Reading csv files that strangers wrote."""

from pathlib import Path

import polars

from leamstore.errors import LeamError


def read_csv(path: Path) -> polars.DataFrame:
    """Return a csv file with all its cells as text and its columns' names in lower case.

    Raises
    ------
    LeamError
        If it isn't csv in UTF-8 with a row of names.
    """
    try:
        frame = polars.read_csv(path, infer_schema=False)
        return frame.rename(lambda column: column.strip().lower())
    except (polars.exceptions.PolarsError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise LeamError(f"{path} can't be read as csv in UTF-8: {reason}.") from error
