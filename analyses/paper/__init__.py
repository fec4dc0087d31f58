"""The paper's numbers as data (arXiv 2509.17457, Tables 1 to 24), as printed there.

Regions, layers and models bear this project's names (right_eyebrow for "right eyebrow" and
"right eybrow", layer1.0.conv1 for "l1_0.conv1", AF_R18 for "AF_18"), percents are written
shortest (0.1 for "0.10"), and a row of Tables 21 to 23 is its mask and percent ("LEAM 0.1").
"""

from collections.abc import Iterator, Sequence
from importlib import resources
from typing import Final

import polars as pl

from leamstore.stand_ins import VARIANTS


def paper_tables() -> pl.DataFrame:
    """Return the paper's tables in order: number, shows, unit, and note on its oddities or NULL."""
    return pl.read_csv(_file("tables.csv"))


def read_table(number: int) -> pl.DataFrame:
    """Return a table of the paper: columns table, row, column (text) and value, as printed."""
    schema = {"table": pl.Int64, "row": pl.String, "column": pl.String, "value": pl.Float64}
    return pl.read_csv(_file(f"table_{number:02d}.csv"), schema=schema)


def of_same_regions(paper: pl.DataFrame, parser: str) -> pl.DataFrame:
    """Return the paper's shares of regions; none if another parser than the paper's labels them.

    Such a parser's face may lack a forehead, and what it can't see stays in the denominator: its
    shares are another quantity.
    """
    return paper if parser == _PAPERS_PARSER else paper.clear()


_PAPERS_PARSER: Final = "farl"


def beside_paper(
    ours: pl.DataFrame, paper: pl.DataFrame, on: Sequence[str], estimate: str = "share"
) -> pl.DataFrame:
    """Return our rows with the paper's value and ours minus the paper's, NULL where it has none.

    Variants of the paper's models (`leamstore.stand_ins.VARIANTS`) have the values of those.

    Parameters
    ----------
    ours : polars.DataFrame
        Rows with the columns `on` and the column `estimate`.
    paper : polars.DataFrame
        Columns `on` and paper; each row at most once.
    """
    for column in _MODELS.intersection(on):
        paper = pl.concat([paper, *_of_variants(paper, column)])
    together = ours.join(paper, on=on, how="left", validate="m:1", maintain_order="left")
    return together.with_columns(difference=pl.col(estimate) - pl.col("paper"))


_MODELS: Final = frozenset({"model", "judged"})
"""Columns that name the model of a number of the paper's."""


def _of_variants(paper: pl.DataFrame, column: str) -> Iterator[pl.DataFrame]:
    for name, variant in VARIANTS.items():
        rows = paper.filter(pl.col(column) == variant.paper_model)
        yield rows.with_columns(pl.lit(name).alias(column))


def has_paper(rows: pl.DataFrame) -> bool:
    """Return whether any row has a number of the paper's, in the column paper."""
    return "paper" in rows.columns and bool(rows["paper"].is_not_null().any())


def _file(name: str) -> bytes:
    return (resources.files(__package__) / name).read_bytes()
