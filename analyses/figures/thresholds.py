"""Figures of region shares as the percent of most relevant pixels grows."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analyses.figures.picture import Picture
from analyses.figures.style import PAPER_MARK, in_words, legend_of, panels, series_of

_TICKS: Final = (0.01, 0.1, 1.0, 10.0, 100.0)


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the shares by percent, a panel for each region."""
    rows = tables["thresholds"]
    yield Picture(
        "thresholds",
        "Region shares by percent of most relevant pixels",
        "Share of the most relevant pixels that lies on each region, mean over images and layers, "
        "in %, as more pixels are counted (logarithmic axis). Bands: 95 % intervals over "
        "identities. Grey line: the region's area, which is the share at 100 %; a curve above it "
        "says that the region gets more than its area. Crosses: the paper's Tables 12 to 20. Each "
        "panel has a scale of its own.",
        _by_percent(rows),
    )


def _by_percent(rows: pl.DataFrame) -> Figure:
    known = rows.filter(pl.col("share").is_not_null())
    regions = (
        known.group_by("region", maintain_order=True)
        .agg(pl.col("share").mean())
        .sort("share", descending=True)["region"]
        .to_list()
    )
    looks = series_of(known["model"].unique(maintain_order=True).to_list())
    figure, grid = panels(len(regions))
    for axes, region in zip(grid, regions, strict=True):
        axes.set_title(in_words(region), fontsize=9, loc="left")
        axes.set_xscale("log")
        area = known.filter(pl.col("percent") == 100.0, pl.col("region") == region)["share"]
        if len(area):
            axes.axhline(area.mean(), color="#999999", linewidth=1, zorder=1)  # type: ignore[arg-type]
        for model, look in looks.items():
            own = known.filter(model=model, region=region).sort("percent")
            axes.plot(
                own["percent"], own["share"], color=look.colour, linestyle=look.line,
                marker=look.marker, markersize=3, linewidth=1.2,
            )  # fmt: skip
            ends = own.drop_nulls(["low", "high"])
            axes.fill_between(
                ends["percent"], ends["low"], ends["high"], color=look.colour, alpha=0.25, lw=0
            )
            axes.plot(own["percent"], own["paper"], color=look.colour, linestyle="", **PAPER_MARK)
        axes.set_ylim(bottom=0)
        axes.xaxis.set_major_locator(FixedLocator(_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.supxlabel("most relevant pixels counted, % of the grid", fontsize=9)
    figure.supylabel("% of the counted pixels", fontsize=9)
    legend_of(figure, looks, bool(rows["paper"].is_not_null().any()))
    return figure
