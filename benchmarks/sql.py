"""The paper's Tables 10 and 11 from a lake of the paper's size, compared with pandas over csv."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import polars as pl

from analyses.regions.shares import sums_of_shares
from benchmarks.benchmark import Measured, Settings
from benchmarks.timing import seconds_of
from leamstore import schema, tables
from leamstore.lake import Lake, LakeSettings

if TYPE_CHECKING:
    import pandas

TABLES: Final = {"Table 10": "full", "Table 11": "top"}
"""Region shares by model, and the activation that each of them is of."""

_MODELS: Final = 9
_LAYERS: Final = 9
_PAIRS: Final = 85_186
"""As many ordered pairs as make 13.8 million rows, of both activations."""


def tables_10_and_11(settings: Settings) -> Iterator[Measured]:
    """Measure each table; pandas reads the csv once, and each table's time includes that."""
    import pandas  # noqa: PLC0415

    lake = Lake.create(
        settings.scratch / "paper.lake", LakeSettings("farl", 0, False, settings.seed)
    )
    fill(lake, settings.size(_PAIRS, 50), settings.seed)
    csv = settings.scratch / "pair_regions.csv"
    write_csv(lake, csv)
    needed = ["model", "activation", *schema.REGION_NAMES, "pixels"]
    frames: list[pandas.DataFrame] = []
    reading = seconds_of(lambda: frames.append(pandas.read_csv(csv, usecols=needed)))
    rows = len(frames[0])
    for table, activation in TABLES.items():
        ours = [seconds_of(partial(shares, lake, activation)) for _ in range(settings.repeats + 1)]
        theirs = reading + seconds_of(partial(shares_by_pandas, frames[0], activation))
        seconds = median(ours[1:])
        note = f"{rows:,} rows, all 19 regions"
        yield Measured(table, seconds, note)
        yield Measured(
            f"{table}, against pandas",
            theirs / seconds,
            f"{note}; reading {csv.stat().st_size / 1e9:.2f} GB takes pandas {reading:.0f} s, "
            f"the rest {theirs - reading:.1f} s",
        )


def shares(lake: Lake, activation: str) -> pl.DataFrame:
    """Return each region's mean share of the activated pixels in % by model, as analyses do."""
    means = ", ".join(f"{name} / maps AS {name}" for name in schema.REGION_NAMES)
    return lake.sql(
        f"""
        SELECT model, {means} FROM (
            SELECT model, count(pixels) AS maps, {sums_of_shares()}
            FROM pair_regions WHERE activation = ? GROUP BY model
        ) ORDER BY model
        """,
        [activation],
    )


def shares_by_pandas(rows: "pandas.DataFrame", activation: str) -> "pandas.DataFrame":
    """Return the same by pandas."""
    chosen = rows[rows["activation"] == activation]
    percents = 100 * chosen[list(schema.REGION_NAMES)].div(chosen["pixels"], axis=0)
    return percents.groupby(chosen["model"]).mean()


def fill(lake: Lake, pairs: int, seed: int) -> None:
    """Fill pair_regions with rows of `pairs` pairs, nine models, nine layers, two activations."""
    counts = [f"(hash(row, {place}, {seed}) % 4096)" for place in range(len(schema.REGION_NAMES))]
    columns = ", ".join(
        f"{count}::INTEGER AS {name}"
        for name, count in zip(schema.REGION_NAMES, counts, strict=True)
    )
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            f"""
            INSERT INTO pair_regions BY NAME
            SELECT *, ({" + ".join(schema.REGION_NAMES)} + 1)::INTEGER AS pixels FROM (
                SELECT 'model' || (row // {pairs * _LAYERS * 2}) AS model,
                       'layer' || (row // {pairs * 2} % {_LAYERS}) AS layer,
                       (row // 20)::INTEGER AS anchor, (row % 20)::INTEGER AS positive,
                       if(row % 2 = 0, 'full', 'top') AS activation,
                       if(row % 2 = 0, NULL, 1.0) AS percent, 0.5 AS peak, {columns}
                FROM (SELECT range AS row FROM range({pairs * _MODELS * _LAYERS * 2}))
            )
            """
        )


def write_csv(lake: Lake, path: Path) -> None:
    """Write pair_regions as csv."""
    with tables.writing(lake.tables_path) as connection:
        connection.execute(f"COPY pair_regions TO '{path}' (HEADER)")
