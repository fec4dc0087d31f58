"""The paper's occlusion experiments: masks, guides, and means over models."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from analyses.paper import read_table

PAPERS_GUIDE: Final = "IR_CASIA"
"""The model whose maps guide the paper's occlusions of all models."""

_MASKS: Final = {
    "LEAM": "own", "LEAM Occluded": "own", "Random": "random", "Randomly Occluded": "random"
}  # fmt: skip
"""Our masks by the paper's names in Tables 9 and 21 to 23."""


def papers_conditions(number: int) -> pl.DataFrame:
    """Return Table 9, 21, 22 or 23: guiding, judged, percent, mask and paper.

    Table 9 is the mean over the models of Table 21.
    """
    table = read_table(number)
    words = pl.col("row").str.split(" ").list
    named = {"mask": words.first(), "percent": words.last(), "judged": pl.col("column")}
    if number == 9:
        mean = pl.lit(mean_of(_papers_models().len()))
        named = {"mask": pl.col("column"), "percent": pl.col("row"), "judged": mean}
    return table.select(guiding=pl.lit(PAPERS_GUIDE), paper="value", **named).with_columns(
        pl.col("percent").cast(pl.Float64), pl.col("mask").replace_strict(_MASKS)
    )


def with_papers_mean(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the means over all models (judged) of the column paper, by all other columns."""
    by = [column for column in rows.columns if column not in ("judged", "paper")]
    mean = rows.group_by(by, maintain_order=True).agg(pl.col("paper").mean())
    name = mean_of(rows["judged"].n_unique())
    return pl.concat([rows, mean.with_columns(judged=pl.lit(name)).select(rows.columns)])


def _papers_models() -> pl.Series:
    return read_table(21)["column"].unique()


def over_models(rows: pl.DataFrame, sums: Sequence[str]) -> pl.DataFrame:
    """Return means over all the paper's models of the drops guided by `PAPERS_GUIDE`.

    Parameters
    ----------
    rows : polars.DataFrame
        guiding, judged, identity and other columns.
    sums : sequence of str
        The columns that add up.

    Returns
    -------
    polars.DataFrame
        The same columns; judged says of how many models it is the mean. Empty for fewer than two.
    """
    papers = _papers_models().implode()
    judged = rows.filter(pl.col("guiding") == PAPERS_GUIDE, pl.col("judged").is_in(papers))
    models = judged["judged"].n_unique()
    if models < 2:
        return rows.clear()
    by = [column for column in rows.columns if column not in ("judged", *sums)]
    summed = judged.group_by(by, maintain_order=True).agg(pl.col(sums).sum())
    return summed.with_columns(judged=pl.lit(mean_of(models))).select(rows.columns)


def mean_of(models: int) -> str:
    """Return the name of the mean over several judged models."""
    return f"mean of {models} models"
