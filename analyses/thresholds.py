"""Which regions come first (RQ5): region shares as the percent of most relevant pixels grows."""

from typing import Final

import polars as pl

from analyses.paper import beside_paper, read_table
from analyses.question import Layout, Progress, Question, Settings
from analyses.shares import mean_shares, sum_shares
from leamstore.lake import Lake

_TABLES: Final = {
    "AF_R18": 12, "AF_R50": 13, "AF_R100": 14, "CF_R18": 15, "CF_R50": 16, "CF_R100": 17,
    "IR_CASIA": 18, "IR_VGG": 19, "VGG_16": 20,
}  # fmt: skip


def answer(lake: Lake, settings: Settings, progress: Progress) -> dict[str, pl.DataFrame]:
    """Return the shares by model and percent, over all images and layers."""
    sums = sum_shares(lake, "image_regions", ("model", "percent"))
    models = sums["model"].unique(maintain_order=True)
    shares = [
        mean_shares(sums.filter(pl.col("model") == model), ("model", "percent"), settings)
        for model in progress(models, "Shares by percent", total=len(models))
    ]
    on = ("model", "percent", "region")
    return {"thresholds": beside_paper(pl.concat(shares), papers_shares_by_percent(), on)}


def papers_shares_by_percent() -> pl.DataFrame:
    """Return Tables 12 to 20: model, percent, region, paper.

    At 100 % the paper prints the full activation (but for VGG_16), which is another quantity than
    a share of all pixels: those are left out.
    """
    rows = pl.concat(
        read_table(number).select(
            model=pl.lit(model),
            percent=pl.col("column").cast(pl.Float64),
            region="row",
            paper="value",
        )
        for model, number in _TABLES.items()
    )
    return rows.filter((pl.col("percent") < 100.0) | (pl.col("model") == "VGG_16"))


QUESTION = Question(
    name="thresholds",
    asks="Which regions do the most relevant pixels lie on, as more of them are counted?",
    papers_tables=tuple(_TABLES.values()),
    answer=answer,
    layouts={
        "thresholds": Layout(
            "Region shares by percent of most relevant pixels, mean over layers, %",
            per=("model",),
            rows=("region",),
            columns=("percent",),
        )
    },
    notes=(
        "At 100 % ours are all pixels: the area of each region. The paper's Tables 12 to 19 have "
        "the full activation there, and their 1 % is Table 11's; see analyses/paper/tables.csv.",
    ),
)
