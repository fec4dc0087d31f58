"""Figures of the sanity checks of maps, by layer, with each check's control and limit."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures.picture import Picture
from analyses.figures.style import Series, interval_lengths, legend_of, panels, series_of
from analyses.sanity.checks import LIMIT, RANKS, SHARE

_READING: Final = (
    "By layer from the input. Bars: 95 % intervals over identities. Thin dotted lines: the same by "
    f"the control named in each title. Grey: the limit of {LIMIT}, under which a check passes."
)


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the rank correlations with the peaks in the outer ring, and the overlaps."""
    rows = tables["sanity"]
    for name, title, measures in (
        ("sanity", "What maps should not be: rank correlations, and peaks at the border",
         rows["measure"].is_in([RANKS, SHARE])),
        ("sanity_overlap", "What maps should not be: overlap of the most relevant 1 %",
         ~rows["measure"].is_in([RANKS, SHARE])),
    ):  # fmt: skip
        shown = rows.filter(measures)
        if len(shown):
            yield Picture(name, title, _READING, _checks(shown))


def _checks(rows: pl.DataFrame) -> Figure:
    checks = rows.select("check", "measure", "control").unique(maintain_order=True).rows()
    looks = series_of(rows["model"].unique(maintain_order=True).to_list())
    ordered = rows.with_columns(order=pl.col("position").rank("dense").over("model").cast(pl.Int64))
    figure, grid = panels(len(checks), width=3.0, height=2.4)
    for axes, (check, measure, control) in zip(grid, checks, strict=True):
        _draw_check(axes, ordered.filter(check=check, measure=measure), looks)
        axes.set_title(f"{check}: {measure}\n(control: {control})", fontsize=8, loc="left")
        axes.set_xticks(range(1, ordered["order"].to_numpy().max() + 1))
    figure.supxlabel("layer, counted from the input", fontsize=9)
    legend_of(figure, looks, paper=False)
    return figure


def _draw_check(axes: Axes, rows: pl.DataFrame, looks: Mapping[str, Series]) -> None:
    for model, look in looks.items():
        own = rows.filter(model=model)
        axes.errorbar(
            own["order"], own["estimate"], yerr=interval_lengths(own, "estimate"),
            color=look.colour, marker=look.marker, linestyle=look.line, markersize=3.5,
            linewidth=1, elinewidth=1, capsize=2,
        )  # fmt: skip
        axes.plot(own["order"], own["control_estimate"], color=look.colour, linestyle=":",
                  linewidth=0.9)  # fmt: skip
    axes.axhline(LIMIT, color="#999999", linewidth=0.8)
    axes.set_ylim(min(-0.1, *axes.get_ylim()), 1)
