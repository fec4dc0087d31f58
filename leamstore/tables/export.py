"""Tables out of the lake, as files that other programs read."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import polars as pl
from rich.progress import track

from leamstore import schema
from leamstore.errors import LakeError
from leamstore.lake import Lake

FORMATS: Final[dict[str, Callable[[pl.DataFrame, Path], None]]] = {
    "parquet": lambda frame, path: frame.write_parquet(path),
    "csv": lambda frame, path: _flat(frame).write_csv(path),
}


def export_tables(lake: Lake, folder: Path, file_format: str, quiet: bool) -> list[Path]:
    """Write every table and view of a lake as ``folder/<table>.<format>``.

    Vectors and transforms stay nested in Parquet and become JSON in csv.

    Raises
    ------
    LakeError
        If the format is unknown, or a file is there already: nothing is overwritten.
    """
    if file_format not in FORMATS:
        raise LakeError(f"can't export as {file_format}; choose {' or '.join(FORMATS)}.")
    names = [spec.name for spec in (*schema.TABLES, *schema.VIEWS)]
    paths = [folder / f"{name}.{file_format}" for name in names]
    there = [path.name for path in paths if path.exists()]
    if there:
        raise LakeError(f"{folder} holds {', '.join(there)} already; name an empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in track(
        list(zip(names, paths, strict=True)), "Tables", disable=quiet, transient=True
    ):
        FORMATS[file_format](lake.sql(f"FROM {name}"), path)
    return paths


def _flat(frame: pl.DataFrame) -> pl.DataFrame:
    nested = [name for name, kind in frame.schema.items() if kind.is_nested()]
    return frame.with_columns(pl.struct(name).struct.json_encode().alias(name) for name in nested)
