"""Figures of region shares as the percent of most relevant pixels grows."""

from collections.abc import Iterator, Mapping

import polars as pl
from matplotlib.figure import Figure

from analyses.figures import Picture, style
from analyses.findings import in_words


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
    looks = style.series_of(known["model"].unique(maintain_order=True).to_list())
    figure, grid = style.panels(
        [in_words(region) for region in regions],
        along="most relevant pixels counted, % of the grid",
        up="% of the counted pixels",
    )
    for axes, region in zip(grid, regions, strict=True):
        style.scale_percents(axes)
        area = known.filter(pl.col("percent") == 100.0, pl.col("region") == region)["share"]
        if len(area):
            axes.axhline(area.mean(), color="#999999", linewidth=1, zorder=1)  # type: ignore[arg-type]
        for model, look in looks.items():
            own = known.filter(model=model, region=region).sort("percent")
            style.draw_band(axes, own, "share", look)
        axes.set_ylim(bottom=0)
    style.legend_of(figure, looks, rows)
    return figure
