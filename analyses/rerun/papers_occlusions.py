"""The paper's occlusion experiments: masks, guides, and means over models."""

from collections.abc import Sequence
from typing import Final

import polars as pl

from analyses.paper import read_table

PAPERS_GUIDE: Final = "IR_CASIA"
"""The model whose maps guide the paper's occlusions of all models."""

PAPERS_MASKS: Final = {"LEAM": "own", "Random": "random"}
"""Our masks by the paper's names in Tables 21 to 23."""


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
    papers = read_table(21)["column"].unique()
    judged = rows.filter(
        pl.col("guiding") == PAPERS_GUIDE, pl.col("judged").is_in(papers.implode())
    )
    models = judged["judged"].n_unique()
    if models < 2:
        return rows.clear()
    by = [column for column in rows.columns if column not in ("judged", *sums)]
    summed = judged.group_by(by, maintain_order=True).agg(pl.col(sums).sum())
    return summed.with_columns(judged=pl.lit(mean_of(models))).select(rows.columns)


def mean_of(models: int) -> str:
    """Return the name of the mean over several judged models."""
    return f"mean of {models} models"
