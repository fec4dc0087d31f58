"""Style shared by figures: colour-blind safe colours, panels, intervals, the paper's mark."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from numpy.typing import ArrayLike

from analyses.findings import in_words
from analyses.paper import has_paper

Line = Literal["-", "--", ":"]

OKABE_ITO: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Colours that colour-blind readers can distinguish (Okabe and Ito 2008), without yellow."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
"""A marker for each colour, so that series differ by more than colour."""

PAPER_MARK: Final[dict[str, Any]] = {"marker": "x", "markersize": 6, "markeredgewidth": 1.3}
"""Style of the paper's numbers, which take the colour of the series they belong to."""

LAYERS: Final = "layer, counted from the input"
"""What an axis of layers shows."""


@dataclass(frozen=True)
class Series:
    """The style of a series: colour, marker and line."""

    colour: str
    marker: str
    line: Line


def series_of(names: Sequence[str]) -> dict[str, Series]:
    """Return a style for each of a few names, the same for the same order of names."""
    looks = [
        Series(colour, marker, line)
        for line, (colour, marker) in product(get_args(Line), zip(OKABE_ITO, MARKERS, strict=True))
    ]
    return {name: looks[place % len(looks)] for place, name in enumerate(names)}


def panels(
    titles: Sequence[str],
    width: float = 2.5,
    height: float = 2.1,
    *,
    columns: int = 4,
    along: str = "",
    up: str = "",
    **shared: Any,
) -> tuple[Figure, list[Axes]]:
    """Return a figure of a panel for each title, and its axes.

    Parameters
    ----------
    titles : sequence of str
    width, height : float
        Of a panel, in inches.
    columns : int
        Most panels in a row.
    along, up : str
        What all panels show along and up, under and beside them.
    shared : Any
        sharex and sharey, as ``Figure.subplots`` takes them.
    """
    columns = min(len(titles), columns)
    rows = ceil(len(titles) / columns)
    figure = Figure(figsize=(max(width * columns, 5.0), height * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False, **shared).ravel().tolist()
    for axes, title in zip(grid, titles, strict=False):
        tidy(axes)
        axes.set_title(title, fontsize=9, loc="left", parse_math=False)
    for unused in grid[len(titles) :]:
        unused.set_axis_off()
    figure.supxlabel(along, fontsize=9, parse_math=False)
    figure.supylabel(up, fontsize=9, parse_math=False)
    return figure, grid[: len(titles)]


def tidy(axes: Axes) -> None:
    """Remove the upper and right edge of an axes' frame, and add a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def draw_points(
    axes: Axes, x: ArrayLike, rows: pl.DataFrame, estimate: str, look: Series, **style: Any
) -> None:
    """Draw estimates at places along the axis, with intervals, and the paper's where there are.

    Parameters
    ----------
    x : (n,)
    rows : polars.DataFrame
        `estimate`, low and high; paper where there is one.
    style : Any
        Passed on to ``Axes.errorbar``, in the place of the usual style.
    """
    usual: dict[str, Any] = {
        "marker": look.marker, "linestyle": look.line, "markersize": 3.5, "linewidth": 1,
    }  # fmt: skip
    axes.errorbar(
        x, rows[estimate], yerr=interval_lengths(rows, estimate), color=look.colour,
        elinewidth=1, capsize=2, **(usual | style),
    )  # fmt: skip
    _draw_papers(axes, x, rows, look)


def _draw_papers(axes: Axes, x: ArrayLike, rows: pl.DataFrame, look: Series) -> None:
    if "paper" in rows.columns:
        papers = rows["paper"].cast(pl.Float64)
        axes.plot(x, papers, color=look.colour, linestyle="", **PAPER_MARK)


def draw_band(axes: Axes, rows: pl.DataFrame, estimate: str, look: Series) -> None:
    """Draw estimates as a line by percent with intervals as a band, and the paper's."""
    axes.plot(
        rows["percent"], rows[estimate], color=look.colour, marker=look.marker,
        linestyle=look.line, markersize=3.5, linewidth=1.2,
    )  # fmt: skip
    ends = rows.drop_nulls(["low", "high"])
    axes.fill_between(
        ends["percent"], ends["low"], ends["high"], color=look.colour, alpha=0.2, lw=0
    )
    _draw_papers(axes, rows["percent"], rows, look)


def draw_forest(
    axes: Axes,
    rows: pl.DataFrame,
    lines: tuple[str, Sequence[str]],
    series: str,
    looks: Mapping[str, Series],
    estimate: str = "estimate",
) -> None:
    """Draw estimates with intervals in labelled lines about zero, and the paper's.

    Parameters
    ----------
    rows : polars.DataFrame
        The columns of the lines and of the series, `estimate`, low and high; paper where there is
        one.
    lines : (str, sequence of str)
        The column by whose values estimates stand in lines, and these values from the top on.
    series : str
        The column by whose values they are coloured, each as `looks` has it.
    """
    column, labels = lines
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.axvline(0, color="#555555", linewidth=0.8)
    lanes = np.linspace(-0.25, 0.25, len(looks)) if len(looks) > 1 else [0.0]
    for lane, (name, look) in zip(lanes, looks.items(), strict=True):
        own = rows.filter(pl.col(series) == name).drop_nulls(estimate)
        heights = [labels.index(label) + lane for label in own[column]]
        axes.errorbar(
            own[estimate], heights, xerr=interval_lengths(own, estimate), color=look.colour,
            marker=look.marker, markersize=4, linestyle="", elinewidth=1.2, capsize=2,
        )  # fmt: skip
        if "paper" in own.columns:
            axes.plot(own["paper"], heights, color=look.colour, linestyle="", **PAPER_MARK)
    axes.set_yticks(range(len(labels)), map(in_words, labels), fontsize=8)
    axes.set_ylim(len(labels) - 0.5, -0.5)


def scale_percents(axes: Axes) -> None:
    """Make an axis of percents logarithmic, with a tick at each power of ten."""
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator((0.01, 0.1, 1, 10, 100)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def with_order(rows: pl.DataFrame) -> pl.DataFrame:
    """Add order: the place of a row's layer among its model's, from 1 at the input."""
    return rows.with_columns(order=pl.col("position").rank("dense").over("model").cast(pl.Int64))


def interval_lengths(rows: pl.DataFrame, estimate: str) -> np.ndarray:
    """Return how far the interval reaches below and above the estimate, (2, n); NaN unknown."""
    ends = rows.select(
        below=pl.col(estimate) - pl.col("low"), above=pl.col("high") - pl.col(estimate)
    )
    return ends.cast(pl.Float64).to_numpy().T.clip(0)


def legend_of(figure: Figure, looks: Mapping[str, Series], rows: pl.DataFrame) -> None:
    """Draw a legend of series above the panels, with the paper's mark if `rows` have any."""
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=name)
        for name, look in looks.items()
    ]
    if has_paper(rows):
        handles.append(
            Line2D([], [], color="#555555", linestyle="", label="the paper's", **PAPER_MARK)
        )
    legend = figure.legend(
        handles=handles, loc="outside upper left", ncols=min(len(handles), 5), frameon=False,
        fontsize=9,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)
