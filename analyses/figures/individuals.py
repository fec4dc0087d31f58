"""Figures of individual differences: region shares by person, and variance between people."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures import Picture
from analyses.figures.style import draw_forest, legend_of, panels, series_of
from analyses.findings import in_words


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield, for each model, the shares of people, and the variance between them."""
    people, variance = tables["individuals"], tables["individuals_variance"]
    for (model,), rows in people.group_by("model", maintain_order=True):
        yield Picture(
            f"individuals_{model}",
            f"People's region shares in the most relevant 1 %, {model}",
            "A line is a person: the dot is the mean over their images, the line reaches one "
            "standard deviation of their images to either side; people in the order of their "
            "mean, the first named below, the last above. Where the lines are long compared with "
            "the spread of the dots, images of one person differ as much as people do. In %, mean "
            "over layers; each panel has a scale of its own.",
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
    figure, grid = panels(
        [in_words(region) for region in regions],
        height=2.3,
        along="% of the most relevant 1 % of pixels",
    )
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
        axes.set_yticks([])
        if own.height > 1:
            _name_the_ends(axes, own["identity"][0], own["identity"][-1])
        margin = 1 + own.height / 12  # with room for the names
        axes.set_ylim(-margin, own.height - 1 + margin)
    return figure


def _name_the_ends(axes: Axes, lowest: str, highest: str) -> None:
    """Write two names in the corners that the means, rising to the upper right, leave free."""
    style: dict[str, Any] = {
        "xycoords": "axes fraction",
        "fontsize": 6.5,
        "color": "#555555",
        "parse_math": False,
    }
    axes.annotate(in_words(lowest), (0.98, 0.02), ha="right", va="bottom", **style)
    axes.annotate(in_words(highest), (0.02, 0.98), ha="left", va="top", **style)


def _variance(rows: pl.DataFrame) -> Figure:
    models = rows["model"].unique(maintain_order=True).to_list()
    regions = rows["region"].unique(maintain_order=True).to_list()
    looks = series_of(rows["of"].unique(maintain_order=True).to_list())
    figure, grid = panels(
        models, width=3.4, height=0.8 + 0.34 * len(regions), columns=3, along="ICC(1)",
        sharex=True, sharey=True,
    )  # fmt: skip
    for axes, model in zip(grid, models, strict=True):
        own = rows.filter(model=model)
        draw_forest(axes, own, ("region", regions), "of", looks, "between_people")
    legend_of(figure, looks, rows)
    return figure
