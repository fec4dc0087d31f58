"""Region shares by model and layer, for all pixels and the top 1 % (RQ2, RQ3)."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analyses.findings import against_paper, in_words, limits, with_interval
from analyses.paper import beside_paper, of_same_regions, read_table
from analyses.question import Layout, Question, Settings
from analyses.regions.shares import mean_shares, sum_shares
from analyses.work import Work
from leamstore.lake import Lake

_TABLE_1_MODEL: Final = "CF_R18"
"""The model of Table 1, which the paper doesn't name: its conv1 is Table 2's column CF_R18."""


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the shares by model and layer, and by model over its layers, of all ordered pairs."""
    sums = sum_shares(lake, "pair_regions", ("model", "position", "layer", "activation"))
    by_layer, by_model = (
        mean_shares(sums, by, settings)
        for by in work.track(
            (("model", "position", "layer", "activation"), ("model", "activation")),
            "Shares by layer and by model",
        )
    )
    parser = lake.settings.parser
    return {
        "regions_by_layer": beside_paper(
            by_layer,
            of_same_regions(papers_shares_by_layer(), parser),
            ("model", "layer", "activation", "region"),
        ),
        "regions_by_model": beside_paper(
            by_model,
            of_same_regions(papers_shares_by_model(), parser),
            ("model", "activation", "region"),
        ),
    }


def papers_shares_by_layer() -> pl.DataFrame:
    """Return Tables 1 and 2, both of the full activation: model, layer, activation, region, paper.

    Both have CF_R18's conv1; Table 1's is taken, since Table 2's is in another row order.
    """
    table_1 = read_table(1).select(
        model=pl.lit(_TABLE_1_MODEL), layer="column", region="row", paper="value"
    )
    table_2 = read_table(2).select(
        model="column", layer=pl.lit("conv1"), region="row", paper="value"
    )
    both = pl.concat([table_1, table_2.filter(pl.col("model") != _TABLE_1_MODEL)])
    return both.with_columns(activation=pl.lit("full"))


def papers_shares_by_model() -> pl.DataFrame:
    """Return Table 10 (full) and Table 11 (top 1 %): model, activation, region, paper."""
    return pl.concat(
        read_table(number).select(
            model="column", activation=pl.lit(activation), region="row", paper="value"
        )
        for number, activation in ((10, "full"), (11, "top"))
    )


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on the leading regions, on layers, and on the paper's numbers."""
    by_model, by_layer = tables["regions_by_model"], tables["regions_by_layer"]
    sentences = limits(by_model)
    for (model,), rows in by_model.filter(activation="top").group_by("model", maintain_order=True):
        leading = rows.drop_nulls("share").sort("share", descending=True).head(3)
        if leading.is_empty():
            continue
        named = ", ".join(
            f"{in_words(row['region'])} {with_interval(row, '.1f', 'share', unit=' %')}"
            for row in leading.iter_rows(named=True)
        )
        sentences.append(f"{model}: the most relevant 1 % of pixels lie on {named}.")
        layers = by_layer.filter(model=model, activation="top", region=leading["region"][0])
        sentences += _across_layers(layers.drop_nulls("share"))
    sentences.append(
        "A share doesn't say that a region matters more than its size lets it: that takes its "
        "area (the question thresholds) and hiding it (the question occlusion)."
    )
    return sentences + against_paper(by_model)


def _across_layers(rows: pl.DataFrame) -> list[str]:
    """Return a finding on the difference of one region's share between a model's layers."""
    if rows.height < 2:
        return []
    ordered = rows.sort("share")
    least, most = ordered.row(0, named=True), ordered.row(-1, named=True)
    known = least["high"] is not None and most["low"] is not None
    differ = known and least["high"] < most["low"]
    verdict = "and layers differ" if differ else "and a difference of layers isn't shown"
    return [
        f"{most['model']}: the share of {in_words(most['region'])} runs from "
        f"{with_interval(least, '.1f', 'share', unit=' %')} in {least['layer']} to "
        f"{with_interval(most, '.1f', 'share', unit=' %')} in {most['layer']}, {verdict}."
    ]


QUESTION = Question(
    name="regions",
    asks="Which facial regions do models look at, and does it differ by layer?",
    papers_tables=(1, 2, 10, 11),
    answer=answer,
    findings=findings,
    layouts={
        "regions_by_layer": Layout(
            "Region shares by layer, % of the activated pixels",
            per=("model", "activation"),
            rows=("region",),
            columns=("layer",),
            estimate="share",
        ),
        "regions_by_model": Layout(
            "Region shares by model, mean over layers, % of the activated pixels",
            per=("activation",),
            rows=("region",),
            columns=("model",),
            estimate="share",
        ),
    },
    notes=("full: relevance above 0.01 of the map's maximum; top: the most relevant 1 %.",),
)
