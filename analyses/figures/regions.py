"""Figures of where models look: region shares by model and by layer, next to the paper's."""

from collections.abc import Iterator, Mapping

import polars as pl
from matplotlib.figure import Figure

from analyses.figures import Picture, style
from analyses.findings import in_words

_ACTIVATIONS = {"full": "full activation", "top": "most relevant 1 %"}


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the shares by model, and by layer for either activation."""
    by_model, by_layer = tables["regions_by_model"], tables["regions_by_layer"]
    yield Picture(
        "regions_by_model",
        "Region shares by model",
        "Share of the activated pixels on each region, mean over ordered pairs and layers, in %. "
        "Bars: 95 % intervals over identities. Crosses: the paper's Tables 10 and 11. Regions are "
        "in the order of their share in the most relevant 1 %. A large region has a large share "
        "of any map: the areas are in the figure of the thresholds, at 100 %.",
        _by_model(by_model),
    )
    for (activation,), rows in by_layer.group_by("activation", maintain_order=True):
        shown = _ACTIVATIONS[str(activation)]
        yield Picture(
            f"regions_by_layer_{activation}",
            f"Region shares by layer, {shown}",
            "Share of the activated pixels on each region, mean over ordered pairs, in %, from "
            "the layer nearest to the input (1) on. Bars: 95 % intervals over identities. "
            "Crosses: the paper's Tables 1 and 2, which have the full activation only. Each panel "
            "has a scale of its own.",
            _by_layer(rows, shown),
        )


def _by_model(rows: pl.DataFrame) -> Figure:
    activations = rows["activation"].unique(maintain_order=True).to_list()
    regions = _regions_by_share(rows)
    looks = style.series_of(rows["model"].unique(maintain_order=True).to_list())
    figure, grid = style.panels(
        [_ACTIVATIONS[activation] for activation in activations],
        width=4.2, height=0.5 + (0.16 + 0.07 * len(looks)) * len(regions),
        along="% of the activated pixels", sharey=True,
    )  # fmt: skip
    for axes, activation in zip(grid, activations, strict=True):
        shown = rows.filter(activation=activation)
        style.draw_forest(axes, shown, ("region", regions), "model", looks, "share")
        axes.set_xlim(left=0)
    style.legend_of(figure, looks, rows)
    return figure


def _by_layer(rows: pl.DataFrame, shown: str) -> Figure:
    regions = _regions_by_share(rows)
    looks = style.series_of(rows["model"].unique(maintain_order=True).to_list())
    ordered = style.with_order(rows).drop_nulls("share")
    figure, grid = style.panels(
        [in_words(region) for region in regions], along=style.LAYERS, up=f"% of the pixels, {shown}"
    )
    for axes, region in zip(grid, regions, strict=True):
        for model, look in looks.items():
            own = ordered.filter(model=model, region=region)
            style.draw_points(axes, own["order"], own, "share", look)
        axes.set_ylim(bottom=0)
        axes.set_xticks(ordered["order"].unique())
    style.legend_of(figure, looks, rows)
    return figure


def _regions_by_share(rows: pl.DataFrame) -> list[str]:
    last = rows["activation"].unique(maintain_order=True).to_list()[-1]
    mean = rows.filter(activation=last).group_by("region", maintain_order=True)
    ordered = mean.agg(pl.col("share").mean()).sort("share", descending=True, nulls_last=True)
    return ordered["region"].to_list()
