"""Region shares as the percent of most relevant pixels grows (RQ5)."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analyses.findings import against_paper, in_words, limits, with_interval
from analyses.paper import beside_paper, of_same_regions, read_table
from analyses.question import Layout, Question, Settings
from analyses.regions.shares import mean_shares, sum_shares
from analyses.work import Work
from leamstore.lake import Lake

_TABLES: Final = {
    "AF_R18": 12, "AF_R50": 13, "AF_R100": 14, "CF_R18": 15, "CF_R50": 16, "CF_R100": 17,
    "IR_CASIA": 18, "IR_VGG": 19, "VGG_16": 20,
}  # fmt: skip


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the shares by model and percent, over all images and layers."""
    sums = sum_shares(lake, "image_regions", ("model", "percent"))
    models = sums["model"].unique(maintain_order=True)
    shares = [
        mean_shares(sums.filter(model=model), ("model", "percent"), settings)
        for model in work.track(models, "Shares by percent", total=len(models))
    ]
    on = ("model", "percent", "region")
    papers = of_same_regions(papers_shares_by_percent(), lake.settings.parser)
    return {"thresholds": beside_paper(pl.concat(shares), papers, on)}


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


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on regions with more or less than their area, and on the percent."""
    rows = tables["thresholds"]
    sentences = limits(rows)
    for (model,), own in rows.group_by("model", maintain_order=True):
        sentences += _beside_areas(str(model), own.drop_nulls("share"))
    return sentences + against_paper(rows)


def _beside_areas(model: str, rows: pl.DataFrame) -> list[str]:
    """Compare the shares at 1 % (or the nearest percent) with the areas, those at 100 %."""
    percents = rows["percent"].unique().sort()
    if len(percents) < 2 or percents[-1] != 100.0:
        return []
    near = min(percents[:-1], key=lambda percent: abs(percent - 1.0))
    areas = rows.filter(percent=100.0).select("region", area="share")
    top = rows.filter(percent=near).join(areas, on="region").filter(pl.col("area") > 0)
    if top.is_empty():
        return []
    ordered = top.with_columns(ratio=pl.col("share") / pl.col("area")).sort("ratio")
    row = ordered.row(-1, named=True)
    first = (
        f"{model}: {in_words(row['region'])} gets most for its size: "
        f"{row['area']:.1f} % of the grid, and {with_interval(row, '.1f', 'share', unit=' %')} of "
        f"the most relevant {near:g} % ({row['ratio']:.1f} times its area)."
    )
    above = top.filter(pl.col("low") > pl.col("area")).height
    below = top.filter(pl.col("high") < pl.col("area")).height
    return [
        first,
        f"{model}: of {top.height} regions {above} get more and {below} less than their area "
        "there, interval clear of it. A map that peaks in the middle of every picture would do "
        "so, too.",
    ]


QUESTION = Question(
    name="thresholds",
    asks="Which regions do the most relevant pixels lie on, as more of them are counted?",
    papers_tables=tuple(_TABLES.values()),
    answer=answer,
    findings=findings,
    layouts={
        "thresholds": Layout(
            "Region shares by percent of most relevant pixels, mean over layers, %",
            per=("model",),
            rows=("region",),
            columns=("percent",),
            estimate="share",
        )
    },
    notes=(
        "At 100 % ours are all pixels: the area of each region. The paper's Tables 12 to 19 have "
        "the full activation there, and their 1 % is Table 11's; see analyses/paper/tables.csv.",
    ),
)
