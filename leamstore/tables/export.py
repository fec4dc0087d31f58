"""Export of the lake's tables to files that other programs read."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import duckdb
import polars as pl
from rich.progress import track

from leamstore import schema
from leamstore.errors import LakeError
from leamstore.file_names import file_name
from leamstore.lake import Lake

FORMATS: Final[dict[str, Callable[[pl.DataFrame, Path], None]]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "csv": lambda frame, path: _flat(frame).write_csv(path),
}


def export_tables(lake: Lake, folder: Path, file_format: str, quiet: bool) -> list[Path]:
    """Write every table and view of a lake as ``folder/<table>.<format>``, ``result_*`` too.

    Vectors and transforms stay nested in Parquet and become JSON in csv.

    Raises
    ------
    LakeError
        If the format is unknown, a file is there already (nothing is overwritten), or a table
        can't be read.
    """
    if file_format not in FORMATS:
        raise LakeError(f"can't export as {file_format}; choose {' or '.join(FORMATS)}.")
    names = _names(lake)
    paths = [folder / f"{file_name(name)}.{file_format}" for name in names]
    there = [path.name for path in paths if path.exists()]
    if there:
        raise LakeError(f"{folder} holds {', '.join(there)} already; name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in track(
        list(zip(names, paths, strict=True)), "Tables", disable=quiet, transient=True
    ):
        FORMATS[file_format](_rows(lake, name), path)
    return paths


def _names(lake: Lake) -> list[str]:
    """Return the names of all tables and views: those of the schema, then what analyses wrote."""
    found = lake.sql(
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1"
    )["table_name"].to_list()
    ours = [spec.name for spec in (*schema.TABLES, *schema.VIEWS)]
    return [*ours, *(name for name in found if name not in ours)]


def _rows(lake: Lake, name: str) -> pl.DataFrame:
    quoted = name.replace('"', '""')
    try:
        return lake.sql(f'FROM "{quoted}"')
    except duckdb.Error as error:
        raise LakeError(f"{lake.path} has a table {name} that can't be read: {error}") from error


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(pl.struct(name).struct.json_encode().alias(name) for name in nested)
