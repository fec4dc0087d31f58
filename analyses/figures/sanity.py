"""Figures of the sanity checks of maps, by layer, with each check's control and limit."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl
from matplotlib.figure import Figure

from analyses.figures import Picture
from analyses.figures.style import LAYERS, draw_points, legend_of, panels, series_of, with_order
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
    ordered = with_order(rows)
    titles = [f"{check}: {measure}\n(control: {control})" for check, measure, control in checks]
    figure, grid = panels(titles, width=3.0, height=2.4, along=LAYERS)
    for axes, (check, measure, _) in zip(grid, checks, strict=True):
        for model, look in looks.items():
            own = ordered.filter(check=check, measure=measure, model=model)
            draw_points(axes, own["order"], own, "estimate", look)
            axes.plot(own["order"], own["control_estimate"], color=look.colour, linestyle=":")
        axes.axhline(LIMIT, color="#999999", linewidth=0.8)
        axes.set_ylim(min(-0.1, *axes.get_ylim()), 1)
        axes.set_xticks(ordered["order"].unique())
    legend_of(figure, looks, rows)
    return figure
