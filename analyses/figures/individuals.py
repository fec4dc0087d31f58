"""Figures of individual differences: region shares by person, and variance between people."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures.picture import Picture
from analyses.figures.style import (
    Series,
    in_words,
    interval_lengths,
    legend_of,
    panels,
    series_of,
    tidy,
)

_NAMED: Final = 1
"""Number of people who are named at either end of a region."""


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield, for each model, the shares of people, and the variance between them."""
    people, variance = tables["individuals"], tables["individuals_variance"]
    for (model,), rows in people.group_by("model", maintain_order=True):
        yield Picture(
            f"individuals_{model}",
            f"People's region shares in the most relevant 1 %, {model}",
            "A line is a person: the dot is the mean over their images, the line reaches one "
            "standard deviation of their images to either side; people in the order of their "
            "mean, the first and the last by name. Where the lines are long compared with the "
            "spread of the dots, images of one person differ as much as people do. In %, mean over "
            "layers; "
            "each panel has a scale of its own.",
            _people(rows),
        )
    yield Picture(
        "individuals_variance",
        "Share of the variance between images that lies between people",
        "Intraclass correlation ICC(1) of the region's share, of its area in the crop (a control "
        "that knows no network), and of the share beyond what the area explains. Bars: 95 % "
        "intervals over identities. 0: people differ no more than images of one person do.",
        _variance(variance),
    )


def _people(rows: pl.DataFrame) -> Figure:
    regions = rows["region"].unique(maintain_order=True).to_list()
    figure, grid = panels(len(regions), height=2.3)
    for axes, region in zip(grid, regions, strict=True):
        own = rows.filter(pl.col("region") == region, pl.col("share").is_not_null()).sort("share")
        places = np.arange(own.height)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.grid(visible=False, axis="y")
        spread = own["std"].fill_null(float("nan")).to_numpy()
        mean = own["share"].to_numpy()
        below = np.minimum(spread, mean)  # A share is never below zero.
        axes.errorbar(
            mean, places, xerr=np.stack([below, spread]), color="#0072B2", ecolor="#9cc9e6",
            marker="o", markersize=2.6, linestyle="", elinewidth=1.4,
        )  # fmt: skip
        axes.set_title(in_words(region), fontsize=9, loc="left")
        ends = sorted({*range(min(_NAMED, own.height)), *range(own.height)[-_NAMED:]})
        names = [in_words(own["identity"][place]) for place in ends]
        axes.set_yticks(ends, names, fontsize=6.5, rotation=90, va="center")
        for place, label in zip(ends, axes.get_yticklabels(), strict=True):
            label.set_parse_math(False)
            label.set_verticalalignment("bottom" if place == 0 else "top")
        axes.set_ylim(-1, max(own.height, 1))
    figure.supxlabel("% of the most relevant 1 % of pixels", fontsize=9)
    return figure


def _variance(rows: pl.DataFrame) -> Figure:
    models = rows["model"].unique(maintain_order=True).to_list()
    regions = rows["region"].unique(maintain_order=True).to_list()
    looks = series_of(rows["of"].unique(maintain_order=True).to_list())
    columns = min(len(models), 3)
    lines = -(-len(models) // columns)
    figure = Figure(
        figsize=(max(3.4 * columns, 6.0), (0.8 + 0.34 * len(regions)) * lines + 0.5),
        layout="constrained",
    )
    grid = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for unused in grid[len(models) :]:
        unused.set_axis_off()
    for axes, model in zip(grid, models, strict=False):
        tidy(axes)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.set_title(model, fontsize=10, loc="left", parse_math=False)
        _draw_variance(axes, rows.filter(model=model), regions, looks)
    legend_of(figure, looks, paper=False)
    return figure


def _draw_variance(
    axes: Axes, rows: pl.DataFrame, regions: list[str], looks: dict[str, Series]
) -> None:
    places = {region: place for place, region in enumerate(regions)}
    for lane, (what, look) in zip((-0.22, 0.0, 0.22), looks.items(), strict=False):
        own = rows.filter(pl.col("of") == what, pl.col("between_people").is_not_null())
        heights = np.array([places[region] for region in own["region"]]) + lane
        axes.errorbar(
            own["between_people"], heights, xerr=interval_lengths(own, "between_people"),
            color=look.colour, marker=look.marker, markersize=4, linestyle="", elinewidth=1.2,
            capsize=2,
        )  # fmt: skip
    axes.axvline(0, color="#777777", linewidth=0.8)
    axes.set_yticks(range(len(regions)), [in_words(region) for region in regions])
    axes.set_ylim(len(regions) - 0.5, -0.5)
    axes.set_xlabel("ICC(1)", fontsize=9)
