"""Figures of where models look: region shares by model and by layer, next to the paper's."""

from collections.abc import Iterator, Mapping

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures.picture import Picture
from analyses.figures.style import (
    PAPER_MARK,
    Series,
    in_words,
    interval_lengths,
    legend_of,
    panels,
    series_of,
    tidy,
)

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
    looks = series_of(rows["model"].unique(maintain_order=True).to_list())
    line = 0.16 + 0.07 * len(looks)
    figure = Figure(
        figsize=(4.2 * len(activations), 1.3 + line * len(regions)), layout="constrained"
    )
    grid = figure.subplots(1, len(activations), sharey=True, squeeze=False)[0]
    for axes, activation in zip(grid, activations, strict=True):
        shown = rows.filter(activation=activation)
        _draw_models(axes, shown, regions, looks)
        axes.set_title(_ACTIVATIONS[activation], fontsize=10, loc="left")
    legend_of(figure, looks, _is_compared(rows))
    return figure


def _draw_models(
    axes: Axes, rows: pl.DataFrame, regions: list[str], looks: dict[str, Series]
) -> None:
    tidy(axes)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    lanes = np.linspace(-0.32, 0.32, len(looks)) if len(looks) > 1 else [0.0]
    places = {region: place for place, region in enumerate(regions)}
    for lane, (model, look) in zip(lanes, looks.items(), strict=True):
        own = rows.filter(pl.col("model") == model, pl.col("share").is_not_null())
        heights = np.array([places[region] for region in own["region"]]) + lane
        axes.errorbar(
            own["share"], heights, xerr=interval_lengths(own, "share"), color=look.colour,
            marker=look.marker, markersize=4, linestyle="", elinewidth=1.2, capsize=2,
        )  # fmt: skip
        axes.plot(own["paper"], heights, color=look.colour, linestyle="", **PAPER_MARK)
    axes.set_yticks(range(len(regions)), [in_words(region) for region in regions])
    axes.set_ylim(len(regions) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.set_xlabel("% of the activated pixels", fontsize=9)


def _by_layer(rows: pl.DataFrame, shown: str) -> Figure:
    regions = _regions_by_share(rows)
    looks = series_of(rows["model"].unique(maintain_order=True).to_list())
    ordered = rows.with_columns(
        order=pl.col("position").rank("dense").over("model").cast(pl.Int64)
    ).filter(pl.col("share").is_not_null())
    figure, grid = panels(len(regions))
    for axes, region in zip(grid, regions, strict=True):
        axes.set_title(in_words(region), fontsize=9, loc="left")
        for model, look in looks.items():
            own = ordered.filter(model=model, region=region)
            axes.errorbar(
                own["order"], own["share"], yerr=interval_lengths(own, "share"),
                color=look.colour, marker=look.marker, linestyle=look.line, markersize=3.5,
                linewidth=1, elinewidth=1, capsize=2,
            )  # fmt: skip
            axes.plot(own["order"], own["paper"], color=look.colour, linestyle="", **PAPER_MARK)
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(1, len(ordered["order"].unique()) + 1))
    figure.supxlabel("layer, counted from the input", fontsize=9)
    figure.supylabel(f"% of the pixels, {shown}", fontsize=9)
    legend_of(figure, looks, _is_compared(rows))
    return figure


def _regions_by_share(rows: pl.DataFrame) -> list[str]:
    last = rows["activation"].unique(maintain_order=True).to_list()[-1]
    mean = rows.filter(activation=last).group_by("region", maintain_order=True)
    ordered = mean.agg(pl.col("share").mean()).sort("share", descending=True, nulls_last=True)
    return ordered["region"].to_list()


def _is_compared(rows: pl.DataFrame) -> bool:
    return bool(rows["paper"].is_not_null().any())
